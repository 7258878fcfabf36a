"""Brings the gradebook's idea of an assignment in step with its source, and keeps when it is due."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nbgrader import api
from nbgrader.utils import is_grade, is_locked, is_solution, is_task
from sqlalchemy import select

from fairmark.errors import UsageError
from fairmark.gradebook.opening import make_gradebook, open_gradebook, taking_turns, try_for_a_while

if TYPE_CHECKING:
    from fairmark.course import Assignment, Course, SourceNotebook


def ensure_assignment(course: Course, assignment: Assignment) -> None:
    """Bring the gradebook's idea of an assignment in step with its source; nothing is written when it is.

    Raises
    ------
    UsageError
        Where cells or notebooks came or went although submissions are in the gradebook already.
    GraderError
        Where the gradebook cannot be used.
    """
    try_for_a_while(course, lambda: _ensure(course, assignment))


def _ensure(course: Course, assignment: Assignment) -> None:
    with taking_turns(course):
        _bring_in_step(course, assignment)


def _bring_in_step(course: Course, assignment: Assignment) -> None:
    with make_gradebook(course) as book:
        row = book.update_or_create_assignment(assignment.id)
        known = {notebook.name: notebook for notebook in row.notebooks}
        wanted = {notebook.name for notebook in assignment.notebooks}
        if known and row.submissions and known.keys() != wanted:
            differing = ", ".join(sorted(known.keys() ^ wanted))
            raise UsageError(_refuse(assignment, f"these notebooks came or went: {differing}"))
        changed = [
            notebook
            for notebook in assignment.notebooks
            if notebook.name not in known or _recall(known[notebook.name]) != _describe(notebook)
        ]
        for name in known.keys() - wanted:
            book.remove_notebook(name, assignment.id)
    for notebook in changed:
        _save_cells(course, assignment, notebook)


def _recall(row: api.Notebook) -> dict[str, Any]:
    """Return what the gradebook knows about a notebook, in the shape of `_describe`."""
    return {
        "kernelspec": json.loads(row.kernelspec or "{}"),
        "solutions": {cell.name for cell in row.solution_cells},
        "tasks": {cell.name for cell in row.task_cells},
        "graded": {cell.name: float(cell.max_score) for cell in (*row.grade_cells, *row.task_cells)},
        "sources": {
            cell.name: (cell.cell_type, bool(cell.locked), cell.source, cell.checksum)
            for cell in row.source_cells
        },
    }


def _describe(notebook: SourceNotebook) -> dict[str, Any]:
    """Return what the gradebook should know about a notebook."""
    cells = notebook.released.cells
    known = [
        cell for cell in cells if is_grade(cell) or is_solution(cell) or is_locked(cell) or is_task(cell)
    ]
    return {
        "kernelspec": notebook.released.metadata.get("kernelspec", {}),
        "solutions": {cell.metadata.nbgrader.grade_id for cell in cells if is_solution(cell)},
        "tasks": {cell.metadata.nbgrader.grade_id for cell in cells if is_task(cell)},
        "graded": {
            cell.metadata.nbgrader.grade_id: float(cell.metadata.nbgrader.points)
            for cell in cells
            if is_grade(cell) or is_task(cell)
        },
        "sources": {
            cell.metadata.nbgrader.grade_id: (
                cell.cell_type,
                bool(is_locked(cell)),
                cell.source,
                cell.metadata.nbgrader.get("checksum"),
            )
            for cell in known
        },
    }


def _save_cells(course: Course, assignment: Assignment, notebook: SourceNotebook) -> None:
    """Let nbgrader itself write a notebook's cells."""
    from nbgrader.preprocessors import SaveCells  # noqa: PLC0415 - takes a moment, and is needed once

    place = {"notebook": notebook.name, "assignment": assignment.id, "db_url": course.db_url}
    try:
        SaveCells(config=course.config)(deepcopy(notebook.released), {"nbgrader": place})
    except RuntimeError as error:
        raise UsageError(
            _refuse(assignment, f"cells of the notebook {notebook.name!r} came or went")
        ) from error


def _refuse(assignment: Assignment, why: str) -> str:
    return (
        f"The gradebook already holds submissions of {assignment.id!r}, and {why}. nbgrader cannot change "
        "that any more: undo it, or remove the assignment with its marks from the gradebook "
        f"(nbgrader db assignment remove {assignment.id} --force) and grade all again."
    )


def set_due_date(course: Course, assignment_id: str, due: datetime) -> None:
    """Set when an assignment is due, so that nbgrader knows what is late.

    Parameters
    ----------
    course : Course
    assignment_id : str
    due : datetime
        With a time zone.
    """
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_assignment(assignment_id, duedate=due.astimezone(UTC).replace(tzinfo=None))


def read_due_date(course: Course, assignment_id: str) -> datetime | None:
    """Return when an assignment is due, in UTC; None where the gradebook names no time.

    Where students have an extension, the longest counts: before it ends nobody is told an answer.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    with open_gradebook(course) as book:
        row = api.SubmittedAssignment
        due = book.db.scalar(select(api.Assignment.duedate).where(api.Assignment.name == assignment_id))
        extensions = book.db.scalars(
            select(row.extension)
            .join(api.Assignment, api.Assignment.id == row.assignment_id)
            .where(api.Assignment.name == assignment_id, row.extension.isnot(None))
        )
        return due.replace(tzinfo=UTC) + max(extensions, default=timedelta(0)) if due else None
