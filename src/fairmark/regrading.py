"""Grades again without writing: what a change would move, and whether the same comes out as before."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from fairmark.autograded import read_result
from fairmark.batch import Failure, open_session
from fairmark.errors import GraderError, UsageError
from fairmark.gradebook.reading import read_marks
from fairmark.moves import find_moves, find_reasons, mark_kept
from fairmark.results import Fingerprint, from_document
from fairmark.survey import survey_assignment

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairmark.course import Course
    from fairmark.results import Item, Move, SubmissionResult
    from fairmark.survey import Survey

    Tell = Callable[[str, SubmissionResult | Failure], None]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What grading now would change; nothing of it is written.

    Parameters
    ----------
    moves : tuple of Move
        Of students who have a grade; `Move.kept` where a person's score stands.
    fresh : tuple of SubmissionResult
        Of students who have none yet.
    still : int
        Students whose points would stay as they are.
    failures : tuple of Failure
    """

    moves: tuple[Move, ...]
    fresh: tuple[SubmissionResult, ...]
    still: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """How a grade that was made again compares with the one on record.

    Parameters
    ----------
    differences : tuple of str
        What came out differently, in words; empty where the same came out.
    why : tuple of str
        What the two gradings rest on differently, in words.
    parts : tuple of (str, str, str)
        Each part of the fingerprint, as it was then and as it is now.
    score, max_score : float
        On record.
    """

    differences: tuple[str, ...]
    why: tuple[str, ...]
    parts: tuple[tuple[str, str, str], ...]
    score: float
    max_score: float


def forecast(  # noqa: PLR0913 - what a person may ask for
    course: Course,
    assignment: str,
    students: tuple[str, ...] = (),
    *,
    workers: int | None = None,
    dask: str = "",
    force: bool = False,
    announce: Callable[[Survey], None] | None = None,
    tell: Tell | None = None,
) -> Forecast:
    """Grade what would be graded now, and say whose points it would move and why; write nothing.

    Raises
    ------
    UsageError, AuthorError, GraderError
        As `fairmark.batch.grade_assignment`.
    """
    found = survey_assignment(course, assignment, students, force=force)
    if announce is not None:
        announce(found)
    moves: list[Move] = []
    fresh: list[SubmissionResult] = []
    failures: list[Failure] = []
    still = len(found.unchanged)
    for student, outcome in _run(course, assignment, found, workers, dask):
        if tell is not None:
            tell(student, outcome)
        if isinstance(outcome, Failure):
            failures.append(outcome)
            continue
        old = read_result(course, student, assignment)
        moved = find_moves(course, old, outcome, found.ground.cells)
        moves += moved
        still += old is not None and not moved
        if old is None:
            fresh.append(outcome)
    kept = mark_kept(tuple(moves), read_marks(course, assignment)) if moves else ()
    return Forecast(
        tuple(sorted(kept, key=lambda move: (move.student, move.notebook, move.id))),
        tuple(sorted(fresh, key=lambda result: result.submission.student)),
        still,
        tuple(failures),
    )


def _run(
    course: Course, assignment: str, found: Survey, workers: int | None, dask: str
) -> list[tuple[str, SubmissionResult | Failure]]:
    if not found.todo:
        return []
    outcomes: list[tuple[str, SubmissionResult | Failure]] = []
    with open_session(
        course, assignment, workers=1 if len(found.todo) == 1 else workers, dask=dask
    ) as session:
        for student, written in session.run(found):
            if isinstance(written, Exception):
                outcomes.append((student, Failure(student, f"{type(written).__name__}: {written}")))
            else:
                outcomes.append((student, from_document(written.document)))
    return outcomes


def verify(course: Course, student: str, assignment: str) -> Verification:
    """Grade a submission again and compare with the result on record; write nothing.

    Raises
    ------
    UsageError
        Where there is no such submission, or it was not graded yet.
    GraderError
        Where it cannot be graded now.
    """
    found = survey_assignment(course, assignment, (student,), force=True)
    old = read_result(course, student, assignment)
    if old is None:
        raise UsageError(
            f"{student!r} has no grade for {assignment!r} yet: there is nothing to compare with."
        )
    ((_, new),) = _run(course, assignment, found, 1, "")
    if isinstance(new, Failure):
        raise GraderError(f"It cannot be graded now: {new.message}")
    return compare_results(old, new)


def compare_results(old: SubmissionResult, new: SubmissionResult) -> Verification:
    """Compare two results of one submission; times do not count."""
    before, after = ({(item.notebook, item.id): item for item in each.items} for each in (old, new))
    differences = [
        words for key in {**before, **after} for words in _differences(before.get(key), after.get(key))
    ]
    if old.status != new.status:
        differences.append(f"the state was {old.status!r} and is now {new.status!r}")
    return Verification(
        tuple(differences),
        tuple(find_reasons(old, new)) if differences or old.fingerprint != new.fingerprint else (),
        tuple(
            (
                field.name,
                getattr(old.fingerprint, field.name, "not noted"),
                getattr(new.fingerprint, field.name, "not noted"),
            )
            for field in fields(Fingerprint)
        ),
        old.score,
        old.max_score,
    )


def _differences(before: Item | None, after: Item | None) -> tuple[str, ...]:
    if before is None or after is None:
        item = before or after
        assert item is not None  # noqa: S101 - one of both is there; for the type checker
        return (f"{item.id}: this question {'is new' if before is None else 'is gone'}",)
    if replace(before, duration_s=0.0) == replace(after, duration_s=0.0):
        return ()
    if before.score != after.score:
        return (f"{before.id}: {before.score:g} points then, {after.score:g} now",)
    return (f"{before.id}: the same {before.score:g} points, with other words or details",)
