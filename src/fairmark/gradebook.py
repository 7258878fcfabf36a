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

import nbformat
from nbgrader import api
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import compute_checksum, is_grade, is_locked, is_solution, is_task
from sqlalchemy import case, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, InterfaceError, InternalError, OperationalError, SQLAlchemyError

from fairmark.errors import GraderError, UsageError
from fairmark.exporters.standing import CellMark, Marks, Person
from fairmark.ledger import prepare_ledger, write_entry
from fairmark.results import CellMarks, NotebookMarks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nbformat import NotebookNode

    from fairmark.course import Assignment, Course, SourceNotebook
    from fairmark.results import Item, SubmissionResult


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


def save_result(course: Course, assignment: Assignment, result: SubmissionResult) -> None:
    """Write what grading one submission found: see `Writer.save`."""
    with Writer(course) as writer:
        writer.save(assignment, result, course.autograded(result.submission.student, assignment.id))


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

    def save(self, assignment: Assignment, result: SubmissionResult, folder: Path) -> None:
        """Write what grading one submission found, in one transaction.

        Each item gives its cell's automatic score. An item that `needs_review` is marked for a person; its
        automatic score stays empty while its status is ``skipped`` or ``error``. Cells without an item are
        left as they are. Manual scores, comments and extra credit always stay; as nbgrader does, a cell with
        a manual score is marked for a second look, except a quiz question.

        A gradebook that is busy, or whose server is gone, is tried again for a while.

        Parameters
        ----------
        assignment : Assignment
            The gradebook knows it: see `ensure_assignment`.
        result : SubmissionResult
        folder : Path
            Where the graded notebooks lie: cells in them that nobody touched get the comment "No response.".

        Raises
        ------
        UsageError
            Where the gradebook does not know a graded cell, or the student in a course that adds none.
        GraderError
            Where the gradebook cannot be written; nothing of the submission is in it then.
        """
        untouched = _find_untouched(assignment, folder)

        def write() -> None:
            if self._book is None:
                self._book = _making(self.course)
            try:
                self._write(self._book, assignment, result, untouched)
            except BaseException:
                self.close()  # whatever was not committed is as if never written
                raise

        _try_for_a_while(self.course, write)

    def _write(
        self,
        book: api.Gradebook,
        assignment: Assignment,
        result: SubmissionResult,
        untouched: Mapping[str, Mapping[str, bool]],
    ) -> None:
        items = {(item.notebook, item.id): item for item in result.items}
        with book.db.no_autoflush:
            submission = _find_submission(self.course, book, result)
            # The first thing that is written keeps others from writing: what is read from here on stays true.
            digest = result.fingerprint.digest if result.fingerprint else ""
            write_entry(book.db.connection(), submission.id, digest)
            book.db.flush()  # the time of the hand-in, which would be forgotten with all that was read
            book.db.expire_all()
            book.db.scalars(_grades_of(submission).with_for_update(of=api.Grade)).all()
            names = {
                (notebook.name, grade.name) for notebook in submission.notebooks for grade in notebook.grades
            }
            if items.keys() - names:
                strange = ", ".join(sorted(name for _, name in items.keys() - names))
                raise UsageError(f"The gradebook does not know these cells of {assignment.id!r}: {strange}.")
            for notebook in submission.notebooks:
                _write_grades(notebook, items)
                _write_comments(notebook, untouched.get(notebook.name, {}))
            book.db.flush()
            for notebook in submission.notebooks:
                _write_penalty(book, self._late, submission, notebook)
            book.db.commit()
            book.db.remove()  # nothing is kept in memory from one submission to the next


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
# Submissions


def _find_submission(
    course: Course, book: api.Gradebook, result: SubmissionResult
) -> api.SubmittedAssignment:
    """Return the submission's row; it is added where there is none."""
    try:
        assignment = book.find_assignment(result.assignment.id)
    except api.MissingEntry as error:
        raise UsageError(f"The gradebook has no assignment {result.assignment.id!r}.") from error
    student = book.db.get(api.Student, result.submission.student)
    if student is None:
        student = _new_student(course, result.submission.student)
        book.db.add(student)
    row = api.SubmittedAssignment
    known = select(row).where(row.assignment_id == assignment.id, row.student_id == student.id)
    submission = book.db.scalar(known)
    if submission is None:
        submission = _new_submission(assignment, student)
        book.db.add(submission)
        book.db.flush()
    if result.submission.submitted_at:
        moment = datetime.fromisoformat(result.submission.submitted_at)
        # nbgrader keeps times in UTC without saying so.
        submission.timestamp = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return submission


def _grades_of(submission: api.SubmittedAssignment) -> Any:
    notebook = api.SubmittedNotebook
    return (
        select(api.Grade)
        .join(notebook, api.Grade.notebook_id == notebook.id)
        .where(notebook.assignment_id == submission.id)
    )


def _new_student(course: Course, name: str) -> api.Student:
    if not course.config.get("Autograde", {}).get("create_student", True):
        raise UsageError(
            f"The gradebook has no student {name!r}, and this course adds none by itself "
            "(c.Autograde.create_student)."
        )
    return api.Student(id=name)


def _new_submission(assignment: api.Assignment, student: api.Student) -> api.SubmittedAssignment:
    """Mirror the assignment's notebooks and cells, as nbgrader does."""
    submission = api.SubmittedAssignment(assignment=assignment, student=student)
    for notebook in assignment.notebooks:
        row = api.SubmittedNotebook(notebook=notebook, assignment=submission)
        row.grades = [api.Grade(cell_id=cell.id) for cell in (*notebook.grade_cells, *notebook.task_cells)]
        row.comments = [
            api.Comment(cell_id=cell.id) for cell in (*notebook.solution_cells, *notebook.task_cells)
        ]
    return submission


def _write_grades(notebook: api.SubmittedNotebook, items: Mapping[tuple[str, str], Item]) -> None:
    for grade in notebook.grades:
        item = items.get((notebook.name, grade.name))
        if item is None or (item.needs_review and isinstance(grade.cell, api.TaskCell)):
            # nbgrader never touches the marks of a task.
            continue
        undecided = item.needs_review and item.status in ("skipped", "error")
        grade.auto_score = None if undecided else item.score
        marked = grade.manual_score is not None and item.kind != "quiz"
        grade.needs_manual_grade = item.needs_review or marked


def _write_penalty(
    book: api.Gradebook,
    late: AssignLatePenalties,
    submission: api.SubmittedAssignment,
    notebook: api.SubmittedNotebook,
) -> None:
    """Do what nbgrader's own preprocessor does, within this transaction."""
    notebook.late_submission_penalty = None
    seconds = submission.total_seconds_late
    if seconds > 0:
        book.db.refresh(notebook, ["score"])
        penalty = late.plugin_inst.late_submission_penalty(submission.student_id, notebook.score, seconds)
        if penalty is not None:
            notebook.late_submission_penalty = min(max(penalty, 0), notebook.score)


def _find_untouched(assignment: Assignment, folder: Path) -> dict[str, dict[str, bool]]:
    """Tell of each graded notebook's answer cells whether they are still as they were released."""
    found = {}
    for notebook in assignment.notebooks:
        path = folder / f"{notebook.name}.ipynb"
        if path.is_file():
            graded = nbformat.read(path, as_version=nbformat.NO_CONVERT)
            found[notebook.name] = {
                cell.metadata.nbgrader.grade_id: _is_untouched(cell)
                for cell in graded.cells
                if is_solution(cell) or is_task(cell)
            }
    return found


def _write_comments(notebook: api.SubmittedNotebook, untouched: Mapping[str, bool]) -> None:
    for comment in notebook.comments:
        if comment.name in untouched:
            comment.auto_comment = "No response." if untouched[comment.name] else None


def _is_untouched(cell: NotebookNode) -> bool:
    if is_task(cell):
        return False
    return not cell.source.strip() or cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
