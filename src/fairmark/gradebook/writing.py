"""Writes results into the gradebook: one transaction a submission; what people marked is kept."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nbgrader import api
from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from fairmark.errors import UsageError
from fairmark.gradebook.opening import make_gradebook, try_for_a_while
from fairmark.ledger import write_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection

    from fairmark.course import Course
    from fairmark.results import SubmissionResult


class Writer:
    """Holds the gradebook open for many results.

    Parameters
    ----------
    course : Course
    """

    def __init__(self, course: Course) -> None:
        self.course = course
        self._book: api.Gradebook | None = None

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
            The gradebook knows its assignment: see `fairmark.gradebook.assignments`.
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
                self._book = make_gradebook(self.course)
            try:
                with self._book.engine.begin() as connection:
                    _write(connection, self.course, result, untouched)
            except SQLAlchemyError:
                self.close()  # the connection may be of no use any more
                raise

        try_for_a_while(self.course, write)


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
    _write_penalties(connection, place, course, result.submission.student, seconds)


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
    connection: Connection, place: dict[str, str], course: Course, student: str, seconds: float
) -> None:
    """Do what nbgrader's own preprocessor does, within this transaction."""
    rows = connection.execute(_READ_SCORES, place) if seconds > 0 else ()
    scores = {row.id: row.score for row in rows}
    policy = _read_policy(course) if seconds > 0 else None
    changes = []
    for part, before in connection.execute(_READ_PENALTIES, place):
        penalty = None
        if policy is not None:
            score = scores.get(part, 0.0)
            penalty = policy.late_submission_penalty(student, score, seconds)
            penalty = penalty if penalty is None else min(max(penalty, 0), score)
        if penalty != before:
            changes.append({"row": part, "penalty": penalty})
    _for_each(connection, _SET_PENALTY, changes)


def _read_policy(course: Course) -> Any:
    """Return the course's plugin for what is late, which nbgrader takes a moment to import."""
    from nbgrader.preprocessors import AssignLatePenalties  # noqa: PLC0415

    late = AssignLatePenalties(config=course.config)
    late.init_plugin()
    return late.plugin_inst
