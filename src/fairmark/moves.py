"""Whose points a second grading changed, by how much, and why; and the log of it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairmark.fingerprint import SOURCE_CHANGED, explain, explain_source
from fairmark.results import Move
from fairmark.survey import read_sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairmark.course import Course
    from fairmark.results import Item, NotebookMarks, SubmissionResult

_LEAST = 1e-6  # points
_MOST_CELLS = 5
UNKNOWN = "it was graded before this was noted"
SAME = "nothing that a grade rests on changed: something in the work or in a test is left to chance"


def find_moves(
    course: Course, old: SubmissionResult | None, new: SubmissionResult, cells: Mapping[str, str]
) -> tuple[Move, ...]:
    """Return the questions whose automatic points differ; nothing where there was no grade before.

    Parameters
    ----------
    course : Course
        Knows how the assignment's cells were when it was graded before.
    old, new : SubmissionResult
        Of the same submission.
    cells : mapping of str to str
        Digests of the assignment's cells as they are now: `Ground.cells`.
    """
    if old is None:
        return ()
    before, after = ({(item.notebook, item.id): item for item in each.items} for each in (old, new))
    moved = [key for key in {**before, **after} if _differ(before.get(key), after.get(key))]
    if not moved:
        return ()
    why = find_reasons(old, new)
    changed = _changed_cells(course, old, cells) if SOURCE_CHANGED in why else ()
    student, at = new.submission.student, datetime.now(UTC).isoformat(timespec="seconds")
    return tuple(
        Move(
            student=student,
            notebook=notebook,
            id=name,
            before=_points(before.get((notebook, name))),
            after=_points(after.get((notebook, name))),
            max_score=(after.get((notebook, name)) or before[notebook, name]).max_score,
            why=_name_cells(why, changed, name),
            at=at,
        )
        for notebook, name in moved
    )


def find_reasons(old: SubmissionResult, new: SubmissionResult) -> tuple[str, ...]:
    """Say what two gradings of a submission rest on differently."""
    if old.fingerprint is None or new.fingerprint is None:
        return (UNKNOWN,)
    return explain(old.fingerprint, new.fingerprint) or (SAME,)


def _points(item: Item | None) -> float:
    return item.score if item is not None else 0.0


def _differ(before: Item | None, after: Item | None) -> bool:
    if before is None or after is None:
        return _points(before) != _points(after)
    return abs(before.score - after.score) > _LEAST or abs(before.max_score - after.max_score) > _LEAST


def _changed_cells(course: Course, old: SubmissionResult, now: Mapping[str, str]) -> tuple[str, ...]:
    """Name the instructor's cells that differ, where it is still known what they were."""
    then = read_sources(course, old.assignment.id).get(old.fingerprint.source if old.fingerprint else "")
    return explain_source(then, now) if then is not None else ()


def _name_cells(why: tuple[str, ...], cells: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Say of a changed source whether it is this question's own cell that changed, or which others."""
    if not cells:
        return why
    if any(cell.endswith(f", {name}") for cell in cells):
        told = "this question's cell changed"
    else:
        more = f" and {len(cells) - _MOST_CELLS} more" if len(cells) > _MOST_CELLS else ""
        told = f"other cells changed: {'; '.join(cells[:_MOST_CELLS])}{more}"
    return tuple(told if words == SOURCE_CHANGED else words for words in why)


def mark_kept(moves: tuple[Move, ...], marks: Mapping[tuple[str, str], NotebookMarks]) -> tuple[Move, ...]:
    """Note at which moves a person's score stands, so that the student's points stay as they are."""
    manual = {
        (student, notebook, cell.id)
        for (student, notebook), each in marks.items()
        for cell in each.cells
        if cell.manual
    }
    return tuple(replace(move, kept=(move.student, move.notebook, move.id) in manual) for move in moves)


# --- the log -----------------------------------------------------------------------------------------------


def record_moves(course: Course, assignment: str, moves: tuple[Move, ...]) -> None:
    """Add to the log who moved and why; nothing is ever taken out of it."""
    if not moves:
        return
    path = _log(course, assignment)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = "".join(json.dumps(asdict(move)) + "\n" for move in moves)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(lines)  # at once, so that two graders' lines do not mix


def read_moves(course: Course, assignment: str) -> tuple[Move, ...]:
    """Return the log of an assignment, the oldest first; a line that was cut off is left out."""
    try:
        lines = _log(course, assignment).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    moves = []
    for line in lines:
        try:
            document = json.loads(line)
            moves.append(Move(**{**document, "why": tuple(document["why"])}))
        except (ValueError, TypeError, KeyError):
            continue
    return tuple(moves)


def _log(course: Course, assignment: str) -> Path:
    return course.root / ".fairmark" / "moves" / f"{assignment}.jsonl"
