"""What has to be graded: what was handed in and has no grade yet that rests on what is there now."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairmark.autograded import read_result
from fairmark.course import keep_for_later
from fairmark.errors import UsageError
from fairmark.fingerprint import SOURCE_CHANGED, explain, explain_source, take_fingerprint, take_ground
from fairmark.intake import find_submissions, read_parcel

if TYPE_CHECKING:
    from pathlib import Path

    from fairmark.course import Course, Source, Submission
    from fairmark.fingerprint import Ground
    from fairmark.results import Fingerprint, SubmissionResult

_KEPT_SOURCES = 20


@dataclass(frozen=True, slots=True)
class Survey:
    """What has to be graded, and why.

    Parameters
    ----------
    todo : tuple of Submission
    unchanged : tuple of SubmissionResult
        Of submissions whose grade is in the gradebook and would come out the same.
    reasons : dict of str to int
        Why there is something to do, in words, with how many submissions it holds for.
    ground : Ground
    """

    todo: tuple[Submission, ...]
    unchanged: tuple[SubmissionResult, ...]
    reasons: dict[str, int]
    ground: Ground


def survey_assignment(
    course: Course, assignment_id: str, students: tuple[str, ...] = (), *, force: bool = False
) -> Survey:
    """Tell what has to be graded.

    Takes a moment even for a thousand submissions: nbgrader is not imported, and nothing runs.

    Parameters
    ----------
    course : Course
    assignment_id : str
    students : tuple of str, optional
        Only these.
    force : bool
        Everything is to be graded.

    Raises
    ------
    UsageError
        Where there is no such assignment, or nothing was handed in by a student who is named.
    """
    source = course.list_source(assignment_id)
    submissions = find_submissions(course, assignment_id, students)
    missing = sorted(set(students) - {submission.student for submission in submissions})
    if missing:
        raise UsageError(f"Nothing was handed in for {assignment_id!r} by: {', '.join(missing)}.")
    ground = take_ground(course, source)
    results = (
        {}
        if force
        else {each.student: read_result(course, each.student, assignment_id) for each in submissions}
    )
    entries = _read_ledger(course, assignment_id) if any(results.values()) else {}
    todo: list[Submission] = []
    unchanged: list[SubmissionResult] = []
    reasons: Counter[str] = Counter()
    for submission in submissions:
        if force:
            todo.append(submission)
            reasons["all are graded again"] += 1
            continue
        known = results[submission.student]
        fingerprint = take_fingerprint(ground, read_parcel(course, source, submission))
        why = _reasons(known, fingerprint, entries.get(submission.student))
        if known is not None and not why:
            unchanged.append(known)
        else:
            todo.append(submission)
            reasons.update(why)
    return Survey(tuple(todo), tuple(unchanged), _name_cells(course, source, ground, reasons), ground)


def _read_ledger(course: Course, assignment_id: str) -> dict[str, str]:
    from fairmark.ledger import read_ledger  # noqa: PLC0415 - SQLAlchemy takes a moment, which a first time saves

    return read_ledger(course.db_url, assignment_id)


def _reasons(known: SubmissionResult | None, now: Fingerprint, entry: str | None) -> tuple[str, ...]:
    if known is None or known.fingerprint is None:
        return ("not graded yet",)
    if known.status == "error":
        return ("our own failure last time",)
    changes = explain(known.fingerprint, now)
    return changes or (() if entry == now.digest else ("the gradebook does not hold the grade",))


def _name_cells(course: Course, source: Source, ground: Ground, reasons: Counter[str]) -> dict[str, int]:
    """Say which cells changed where the source did, as far as it is known what they were before."""
    named = dict(reasons)
    if SOURCE_CHANGED in named:
        known = read_sources(course, source.id)
        last = next((cells for digest, cells in reversed(known.items()) if digest != ground.source), None)
        cells = explain_source(last, ground.cells) if last is not None else ()
        if cells:
            more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
            named[f"changed: {'; '.join(cells[:5])}{more}"] = named.pop(SOURCE_CHANGED)
    return named


def _sources(course: Course, assignment_id: str) -> Path:
    return course.root / ".fairmark" / "sources" / f"{assignment_id}.json"


def read_sources(course: Course, assignment_id: str) -> dict[str, dict[str, str]]:
    """Return the digests of an assignment's cells whenever it was graded, by the digest of them all."""
    with suppress(OSError, ValueError):
        known = json.loads(_sources(course, assignment_id).read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return known
    return {}


def keep_source(course: Course, assignment_id: str, ground: Ground) -> None:
    """Note what the cells were when they were graded, so that a change can be named later."""
    known = read_sources(course, assignment_id)
    known.pop(ground.source, None)
    known = dict([*known.items(), (ground.source, ground.cells)][-_KEPT_SOURCES:])
    keep_for_later(_sources(course, assignment_id), json.dumps(known))
