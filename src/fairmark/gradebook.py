"""Writes results into nbgrader's gradebook: one transaction a submission; what people marked is kept."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbgrader import api
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import is_grade, is_locked, is_solution, is_task
from sqlalchemy import and_, bindparam, case, func, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, InterfaceError, InternalError, OperationalError, SQLAlchemyError

from fairmark.errors import GraderError, UsageError
from fairmark.exporters.standing import CellMark, Marks, Person
from fairmark.ledger import prepare_ledger, write_entry
from fairmark.results import CellMarks, NotebookMarks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from sqlalchemy.engine import Connection

    from fairmark.course import Assignment, Course, SourceNotebook
    from fairmark.results import SubmissionResult


# How long a gradebook that is busy, or whose server is gone, is tried again.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Score:
    """One student's line in the table of an assignment.

    Parameters
    ----------
    student : str
    score, max_score : float
        In points, with manual marks and extra credit, before the penalty.
    late_penalty : float
        To be taken off.
    needs_review : bool
        A person has still to look at something.
    timestamp : datetime or None
        When it was handed in, in UTC.
    """

    student: str
    score: float
    max_score: float
    late_penalty: float
    needs_review: bool
    timestamp: datetime | None


def ensure_assignment(course: Course, assignment: Assignment) -> None:
    """Bring the gradebook's idea of an assignment in step with its source; nothing is written when it is.

    Raises
    ------
    UsageError
        Where cells or notebooks came or went although submissions are in the gradebook already.
    GraderError
        Where the gradebook cannot be used.
    """
    _try_for_a_while(course, lambda: _ensure(course, assignment))


def _ensure(course: Course, assignment: Assignment) -> None:
    with _making(course) as book:
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


class Writer:
    """Holds the gradebook open for many results.

    Parameters
    ----------
    course : Course
    """

    def __init__(self, course: Course) -> None:
        self.course = course
        self._book: api.Gradebook | None = None
        self._late = AssignLatePenalties(config=course.config)
        self._late.init_plugin()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the gradebook."""
        if self._book is not None:
            with suppress(SQLAlchemyError):
                self._book.close()
            self._book = None

    def save(self, result: SubmissionResult, untouched: Mapping[str, Collection[str]]) -> None:
        """Write what grading one submission found, in one transaction.

        Each item gives its cell's automatic score. An item that `needs_review` is marked for a person; its
        automatic score stays empty while its status is ``skipped`` or ``error``. Cells without an item are
        left as they are. Manual scores, comments and extra credit always stay; as nbgrader does, a cell with
        a manual score is marked for a second look, except a quiz question.

        A gradebook that is busy, or whose server is gone, is tried again for a while.

        Parameters
        ----------
        result : SubmissionResult
            The gradebook knows its assignment: see `ensure_assignment`.
        untouched : mapping of str to collection of str
            The names of the answer cells that nobody touched, by notebook: they get the comment "No
            response.", and all others of these notebooks lose it. See `fairmark.assembly.find_untouched`.

        Raises
        ------
        UsageError
            Where the gradebook does not know a graded cell, or the student in a course that adds none.
        GraderError
            Where the gradebook cannot be written; nothing of the submission is in it then.
        """

        def write() -> None:
            if self._book is None:
                self._book = _making(self.course)
            try:
                with self._book.engine.begin() as connection:
                    _write(connection, self.course, self._late, result, untouched)
            except SQLAlchemyError:
                self.close()  # the connection may be of no use any more
                raise

        _try_for_a_while(self.course, write)


def read_scores(course: Course, assignment_id: str) -> tuple[Score, ...]:
    """Return one line per student who is in the gradebook for an assignment, sorted by student.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    row = api.SubmittedAssignment
    query = (
        select(
            row.student_id,
            row.score,
            row.max_score,
            row.late_submission_penalty,
            row.needs_manual_grade,
            row.timestamp,
        )
        .join(api.Assignment, api.Assignment.id == row.assignment_id)
        .where(api.Assignment.name == assignment_id)
        .order_by(row.student_id)
    )
    with _open(course) as book:
        return tuple(
            Score(student, score, most, penalty, bool(review), time and time.replace(tzinfo=UTC))
            for student, score, most, penalty, review, time in book.db.execute(query)
        )


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
    with _open(course) as book:
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


def set_due_date(course: Course, assignment_id: str, due: datetime) -> None:
    """Set when an assignment is due, so that nbgrader knows what is late.

    Parameters
    ----------
    course : Course
    assignment_id : str
    due : datetime
        With a time zone.
    """
    with _open(course) as gradebook:
        gradebook.update_or_create_assignment(assignment_id, duedate=due.astimezone(UTC).replace(tzinfo=None))


def read_marks(course: Course, assignment_id: str) -> dict[tuple[str, str], NotebookMarks]:
    """Return what the gradebook says about each student's notebooks, by student and notebook.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    place, grade, comment = api.SubmittedNotebook, api.Grade, api.Comment
    score = case((grade.manual_score.isnot(None), grade.manual_score), else_=grade.auto_score)
    with _open(course) as book:
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
    with _open(course) as book:
        return tuple(book.db.scalars(select(api.Student.id).order_by(api.Student.id)))


def read_due_date(course: Course, assignment_id: str) -> datetime | None:
    """Return when an assignment is due, in UTC; None where the gradebook names no time.

    Where students have an extension, the longest counts: before it ends nobody is told an answer.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    with _open(course) as book:
        row = api.SubmittedAssignment
        due = book.db.scalar(select(api.Assignment.duedate).where(api.Assignment.name == assignment_id))
        extensions = book.db.scalars(
            select(row.extension)
            .join(api.Assignment, api.Assignment.id == row.assignment_id)
            .where(api.Assignment.name == assignment_id, row.extension.isnot(None))
        )
        return due.replace(tzinfo=UTC) + max(extensions, default=timedelta(0)) if due else None


# ---------------------------------------------------------------------------------------------------------
# The gradebook as a file


@contextmanager
def _open(course: Course) -> Iterator[api.Gradebook]:
    """Open the gradebook, which is made where there is none; what is not committed is as if never written."""
    with _telling(course), _making(course) as book:
        yield book


@contextmanager
def _telling(course: Course) -> Iterator[None]:
    """Tell what is wrong with the gradebook in our own words."""
    try:
        yield
    except (SQLAlchemyError, api.InvalidEntry) as error:
        cause = str(getattr(error, "orig", None) or error).split("\n", 1)[0]
        raise GraderError(
            f"The gradebook {_without_password(course.db_url)} cannot be used: {cause}. Close other programs "
            "that write into it; after an update of nbgrader, run: nbgrader db upgrade"
        ) from error


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string()
    except SQLAlchemyError:
        return url.split("://", 1)[0]


def _try_for_a_while(course: Course, act: Callable[[], None]) -> None:
    """Do what writes into the gradebook; while others keep it from that, try again from the start."""
    end = time.monotonic() + PATIENCE_SECONDS
    pauses = (0.05 * 2**number for number in count())
    while True:
        try:
            with _telling(course):
                act()
        except GraderError as error:
            pause = min(next(pauses), 2.0)
            if not _may_pass(error.__cause__) or time.monotonic() + pause > end:
                raise
            time.sleep(pause)
        else:
            return


def _may_pass(error: BaseException | None) -> bool:
    """Tell whether trying again may help: a lock, a lost connection, a row that another grader just added."""
    lasting = ("no such", "disk", "readonly")  # no table, a full disk, a file that may not be written
    busy = isinstance(error, OperationalError) and not any(word in str(error) for word in lasting)
    return busy or isinstance(error, (InterfaceError, InternalError, IntegrityError, api.InvalidEntry))


def _making(course: Course) -> api.Gradebook:
    with _finding_alembic():
        try:
            book = api.Gradebook(course.db_url, course.directory.course_id)
        except FileNotFoundError as error:
            raise UsageError("nbgrader needs the command alembic to make a gradebook; install it.") from error
    prepare_ledger(book.engine)
    return book


@contextmanager
def _finding_alembic() -> Iterator[None]:
    """Let nbgrader find the command alembic, which lies beside the interpreter, also where PATH lacks it."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = os.pathsep.join(filter(None, (before, str(Path(sys.executable).parent))))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = before


# ---------------------------------------------------------------------------------------------------------
# Assignments


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


# ---------------------------------------------------------------------------------------------------------
# Submissions, without nbgrader's objects: each of them would ask for its neighbours by a query of its own.
# No key of nbgrader's finds all grades of a notebook, but one finds that of a cell in a notebook: queries go
# from the assignment's cells to the grades, so that they take no longer when there are more submissions.

_ASSIGNMENT: Any = api.Assignment.__table__
_NOTEBOOK: Any = api.Notebook.__table__
_CELL: Any = api.BaseCell.__table__
_STUDENT: Any = api.Student.__table__
_WORK: Any = api.SubmittedAssignment.__table__
_PART: Any = api.SubmittedNotebook.__table__
_GRADE: Any = api.Grade.__table__
_COMMENT: Any = api.Comment.__table__

_PARTS = _NOTEBOOK.join(
    _PART, and_(_PART.c.notebook_id == _NOTEBOOK.c.id, _PART.c.assignment_id == bindparam("submission"))
)
_CELLS = _PARTS.join(_CELL, _CELL.c.notebook_id == _NOTEBOOK.c.id)
_GRADES = _CELLS.join(_GRADE, and_(_GRADE.c.cell_id == _CELL.c.id, _GRADE.c.notebook_id == _PART.c.id))
_COMMENTS = _CELLS.join(
    _COMMENT, and_(_COMMENT.c.cell_id == _CELL.c.id, _COMMENT.c.notebook_id == _PART.c.id)
)
_HERE = _NOTEBOOK.c.assignment_id == bindparam("assignment")

_FIND = (
    select(_ASSIGNMENT.c.id, _STUDENT.c.id.label("student"), _WORK.c.id.label("submission"))
    .select_from(
        _ASSIGNMENT.outerjoin(_STUDENT, _STUDENT.c.id == bindparam("student")).outerjoin(
            _WORK, and_(_WORK.c.assignment_id == _ASSIGNMENT.c.id, _WORK.c.student_id == _STUDENT.c.id)
        )
    )
    .where(_ASSIGNMENT.c.name == bindparam("assignment"))
)
_READ_CELLS = (
    select(_NOTEBOOK.c.id.label("notebook"), _CELL.c.id, _CELL.c.type)
    .select_from(_NOTEBOOK.outerjoin(_CELL, _CELL.c.notebook_id == _NOTEBOOK.c.id))
    .where(_HERE)
)
_READ_TIMES = (
    select(_WORK.c.timestamp, _WORK.c.extension, _ASSIGNMENT.c.duedate)
    .join(_ASSIGNMENT, _ASSIGNMENT.c.id == _WORK.c.assignment_id)
    .where(_WORK.c.id == bindparam("submission"))
)
_READ_GRADES = (
    select(
        _GRADE.c.id,
        _GRADE.c.auto_score,
        _GRADE.c.manual_score,
        _GRADE.c.needs_manual_grade,
        _NOTEBOOK.c.name.label("notebook"),
        _CELL.c.name,
        _CELL.c.type,
    )
    .select_from(_GRADES)
    .where(_HERE)
    .with_for_update(of=_GRADE)
)
_READ_COMMENTS = (
    select(_COMMENT.c.id, _COMMENT.c.auto_comment, _NOTEBOOK.c.name.label("notebook"), _CELL.c.name)
    .select_from(_COMMENTS)
    .where(_HERE)
)
_READ_PENALTIES = select(_PART.c.id, _PART.c.late_submission_penalty).where(
    _PART.c.notebook_id.in_(select(_NOTEBOOK.c.id).where(_HERE)),
    _PART.c.assignment_id == bindparam("submission"),
)
_READ_SCORES = (
    select(_PART.c.id, func.sum(api.Grade.score).label("score"))
    .select_from(_GRADES)
    .where(_HERE)
    .group_by(_PART.c.id)
)
_ROW: Any = bindparam("row")
_SET_TIME = update(_WORK).where(_WORK.c.id == _ROW).values(timestamp=bindparam("time"))
_SET_GRADE = (
    update(_GRADE)
    .where(_GRADE.c.id == _ROW)
    .values(auto_score=bindparam("score"), needs_manual_grade=bindparam("review"))
)
_SET_COMMENT = update(_COMMENT).where(_COMMENT.c.id == _ROW).values(auto_comment=bindparam("words"))
_SET_PENALTY = update(_PART).where(_PART.c.id == _ROW).values(late_submission_penalty=bindparam("penalty"))


def _write(
    connection: Connection,
    course: Course,
    late: AssignLatePenalties,
    result: SubmissionResult,
    untouched: Mapping[str, Collection[str]],
) -> None:
    """Write a submission within a transaction."""
    place = _find_submission(connection, course, result)
    # The first thing that is written keeps others from writing: what is read from here on stays true.
    write_entry(connection, place["submission"], result.fingerprint.digest if result.fingerprint else "")
    _write_grades(connection, place, result)
    _write_comments(connection, place, untouched)
    seconds = _write_time(connection, place, result.submission.submitted_at)
    _write_penalties(connection, place, late, result.submission.student, seconds)


def _find_submission(connection: Connection, course: Course, result: SubmissionResult) -> dict[str, str]:
    """Return the ids of assignment and submission; the submission is added where there is none."""
    name, student = result.assignment.id, result.submission.student
    found = connection.execute(_FIND, {"assignment": name, "student": student}).first()
    if found is None:
        raise UsageError(f"The gradebook has no assignment {name!r}.")
    if found.student is None:
        _add_student(connection, course, student)
    submission = found.submission or _add_submission(connection, found.id, student)
    return {"assignment": found.id, "submission": submission}


def _add_student(connection: Connection, course: Course, name: str) -> None:
    if not course.config.get("Autograde", {}).get("create_student", True):
        raise UsageError(
            f"The gradebook has no student {name!r}, and this course adds none by itself "
            "(c.Autograde.create_student)."
        )
    connection.execute(_STUDENT.insert(), {"id": name})


def _add_submission(connection: Connection, assignment: str, student: str) -> str:
    """Mirror the assignment's notebooks and cells, as nbgrader does; return the new row's id."""
    submission: str = api.new_uuid()
    connection.execute(_WORK.insert(), {"id": submission, "assignment_id": assignment, "student_id": student})
    cells = connection.execute(_READ_CELLS, {"assignment": assignment}).all()
    parts = {cell.notebook: api.new_uuid() for cell in cells}
    _for_each(
        connection,
        _PART.insert(),
        [{"id": part, "notebook_id": name, "assignment_id": submission} for name, part in parts.items()],
    )
    for insert, kinds in (
        (_GRADE.insert(), ("GradeCell", "TaskCell")),
        (_COMMENT.insert(), ("SolutionCell", "TaskCell")),
    ):
        rows = [
            {"cell_id": cell.id, "notebook_id": parts[cell.notebook]} for cell in cells if cell.type in kinds
        ]
        _for_each(connection, insert, rows)
    return submission


def _for_each(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
    """Execute a statement for some rows; without any it would be executed once, with nothing."""
    if rows:
        connection.execute(statement, rows)


def _write_grades(connection: Connection, place: dict[str, str], result: SubmissionResult) -> None:
    rows = connection.execute(_READ_GRADES, place).all()
    items = {(item.notebook, item.id): item for item in result.items}
    strange = items.keys() - {(row.notebook, row.name) for row in rows}
    if strange:
        names = ", ".join(sorted(name for _, name in strange))
        raise UsageError(f"The gradebook does not know these cells of {result.assignment.id!r}: {names}.")
    changes = []
    for row in rows:
        item = items.get((row.notebook, row.name))
        if item is None or (item.needs_review and row.type == "TaskCell"):
            continue  # nbgrader never touches the marks of a task
        score = None if item.needs_review and item.status in ("skipped", "error") else item.score
        review = item.needs_review or (row.manual_score is not None and item.kind != "quiz")
        if (score, review) != (row.auto_score, row.needs_manual_grade):
            changes.append({"row": row.id, "score": score, "review": review})
    _for_each(connection, _SET_GRADE, changes)


def _write_comments(
    connection: Connection, place: dict[str, str], untouched: Mapping[str, Collection[str]]
) -> None:
    changes = []
    for row in connection.execute(_READ_COMMENTS, place):
        words = "No response." if row.name in untouched.get(row.notebook, ()) else None
        if row.notebook in untouched and words != row.auto_comment:
            changes.append({"row": row.id, "words": words})
    _for_each(connection, _SET_COMMENT, changes)


def _write_time(connection: Connection, place: dict[str, str], submitted_at: str | None) -> float:
    """Write when it was handed in, where that is known; return by how many seconds it was late."""
    times = connection.execute(_READ_TIMES, place).one()
    moment: datetime | None = times.timestamp
    if submitted_at:
        moment = datetime.fromisoformat(submitted_at)
        # nbgrader keeps times in UTC without saying so.
        moment = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if moment != times.timestamp:
        connection.execute(_SET_TIME, {"row": place["submission"], "time": moment})
    if moment is None or times.duedate is None:
        return 0.0
    due: datetime = times.duedate + (times.extension or timedelta(0))
    return max(0.0, (moment - due).total_seconds())


def _write_penalties(
    connection: Connection, place: dict[str, str], late: AssignLatePenalties, student: str, seconds: float
) -> None:
    """Do what nbgrader's own preprocessor does, within this transaction."""
    rows = connection.execute(_READ_SCORES, place) if seconds > 0 else ()
    scores = {row.id: row.score for row in rows}
    changes = []
    for part, before in connection.execute(_READ_PENALTIES, place):
        penalty = None
        if seconds > 0:
            score = scores.get(part, 0.0)
            penalty = late.plugin_inst.late_submission_penalty(student, score, seconds)
            penalty = penalty if penalty is None else min(max(penalty, 0), score)
        if penalty != before:
            changes.append({"row": part, "penalty": penalty})
    _for_each(connection, _SET_PENALTY, changes)
