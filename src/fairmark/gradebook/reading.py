"""Reads what the gradebook says of students and their marks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from nbgrader import api
from sqlalchemy import case, select

from fairmark.exporters.standing import CellMark, Marks, Person
from fairmark.gradebook.opening import open_gradebook
from fairmark.results import CellMarks, NotebookMarks

if TYPE_CHECKING:
    from fairmark.course import Course


def read_hand_ins(course: Course, assignment_id: str) -> tuple[Marks, ...]:
    """Return all that the gradebook has for an assignment's submissions, sorted by student.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    work, part, grade, comment = api.SubmittedAssignment, api.SubmittedNotebook, api.Grade, api.Comment
    of_cells = (
        select(
            part.assignment_id,
            grade.cell_id,
            grade.auto_score,
            grade.manual_score,
            grade.extra_credit,
            grade.needs_manual_grade,
        )
        .join(part, part.id == grade.notebook_id)
        .join(work, work.id == part.assignment_id)
    )
    # A written answer's comment hangs on the cell as a solution, its grade on the same cell as a graded one.
    of_comments = (
        select(part.assignment_id, part.notebook_id, api.BaseCell.name, comment.manual_comment)
        .join(part, part.id == comment.notebook_id)
        .join(work, work.id == part.assignment_id)
        .join(api.BaseCell, api.BaseCell.id == comment.cell_id)
        .where(comment.manual_comment.is_not(None))
    )
    of_students = (
        select(work.id, work.timestamp, work.late_submission_penalty, api.Student)
        .join(api.Student, api.Student.id == work.student_id)
        .order_by(api.Student.id)
    )
    with open_gradebook(course) as book:
        assignment = book.db.scalar(select(api.Assignment).where(api.Assignment.name == assignment_id))
        if assignment is None:
            return ()
        known = {
            cell.id: (notebook, cell.name, float(cell.max_score), cell.cell_type == "markdown")
            for notebook in assignment.notebooks
            for cell in (*notebook.grade_cells, *notebook.task_cells)
        }
        here = work.assignment_id == assignment.id
        comments = {tuple(key): words for *key, words in book.db.execute(of_comments.where(here))}
        marks: dict[str, list[CellMark]] = {}
        for row in book.db.execute(of_cells.where(here)):
            submission, cell, auto, manual, extra, review = row
            notebook, name, most, written = known[cell]
            words = comments.get((submission, notebook.id, name), "")
            mark = CellMark(
                notebook.name, name, most, auto, manual, extra or 0.0, bool(review), words, written
            )
            marks.setdefault(submission, []).append(mark)
        return tuple(
            Marks(
                person=_read_person(who),
                cells=tuple(sorted(marks.get(submission, ()), key=lambda mark: (mark.notebook, mark.cell))),
                late_penalty=float(penalty or 0.0),
                submitted_at=time.replace(tzinfo=UTC).isoformat() if time else None,
            )
            for submission, time, penalty, who in book.db.execute(of_students.where(here))
        )


def _read_person(who: api.Student) -> Person:
    names = (text or "" for text in (who.first_name, who.last_name, who.email, who.lms_user_id))
    first, last, email, lms = names
    return Person(who.id, first, last, email, lms)


def read_marks(course: Course, assignment_id: str) -> dict[tuple[str, str], NotebookMarks]:
    """Return what the gradebook says about each student's notebooks, by student and notebook.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    place, grade, comment = api.SubmittedNotebook, api.Grade, api.Comment
    score = case((grade.manual_score.isnot(None), grade.manual_score), else_=grade.auto_score)
    with open_gradebook(course) as book:
        rows = (
            book.db.execute(
                _of_assignment(select(api.SubmittedAssignment.student_id, *columns), assignment_id, joined)
            )
            for joined, columns in (
                (None, (api.Notebook.name, place.late_submission_penalty)),
                (
                    grade,
                    (
                        api.Notebook.name,
                        api.BaseCell.name,
                        score,
                        grade.manual_score,
                        grade.extra_credit,
                        grade.needs_manual_grade,
                    ),
                ),
                (comment, (api.Notebook.name, api.BaseCell.name, comment.manual_comment)),
            )
        )
        penalties = {(student, notebook): penalty or 0.0 for student, notebook, penalty in next(rows)}
        cells: dict[tuple[str, str], dict[str, CellMarks]] = {key: {} for key in penalties}
        for student, notebook, name, points, manual, extra, waits in next(rows):
            total = None if points is None and extra is None else (points or 0.0) + (extra or 0.0)
            cells[student, notebook][name] = CellMarks(
                name, total, manual is not None, extra or 0.0, "", bool(waits) and manual is None
            )
        for student, notebook, name, words in next(rows):
            if words:
                known = cells[student, notebook].get(name, CellMarks(name))
                cells[student, notebook][name] = replace(known, comment=words)
    return {
        key: NotebookMarks(key[1], penalty, tuple(cells[key].values())) for key, penalty in penalties.items()
    }


def _of_assignment(query: Any, assignment_id: str, joined: Any) -> Any:
    """Narrow a query to the notebooks of one assignment, and to the cells of `joined` (grades, comments)."""
    row = api.SubmittedNotebook
    query = (
        query.select_from(row)
        .join(api.SubmittedAssignment, api.SubmittedAssignment.id == row.assignment_id)
        .join(api.Notebook, api.Notebook.id == row.notebook_id)
        .join(api.Assignment, api.Assignment.id == api.SubmittedAssignment.assignment_id)
        .where(api.Assignment.name == assignment_id)
    )
    if joined is None:
        return query
    return query.join(joined, joined.notebook_id == row.id).join(
        api.BaseCell, api.BaseCell.id == joined.cell_id
    )


def read_students(course: Course) -> tuple[str, ...]:
    """Return all students whom the gradebook knows, sorted.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    with open_gradebook(course) as book:
        return tuple(book.db.scalars(select(api.Student.id).order_by(api.Student.id)))
