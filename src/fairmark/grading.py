"""Grades one submission: quiz cells by their key, code cells in the rooms, each answer to its points."""

from __future__ import annotations

import hashlib
import hmac
import math
import platform
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import fairmark
from fairmark import quiz
from fairmark.assembly import AssembledCell, AssembledNotebook, assemble, to_notebook
from fairmark.errors import GraderError, Ungradable
from fairmark.fingerprint import digest_packages
from fairmark.hall import find_packages
from fairmark.intake import parse_notebook, read_parcel
from fairmark.outputs import clean_outputs, measure
from fairmark.results import (
    AssignmentStamp,
    CheckResult,
    GraderStamp,
    Item,
    SubmissionResult,
    SubmissionStamp,
    read_checks,
)
from fairmark.rooms.limits import find_errors, tell_limit
from fairmark.seating import Role
from fairmark.sitting import CellRun, Sitting, TestCell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbformat import NotebookNode

    from fairmark.course import Assignment, Parcel, SourceNotebook, Submission
    from fairmark.hall import Hall
    from fairmark.results import Kind, QuizAnswer, Status, SubmissionStatus, Visibility
    from fairmark.rooms.policy import Limits

STUDENT_ROOM_TAG = "fairmark:student-room"
_HIDDEN = re.compile(r"BEGIN HIDDEN TESTS")
_LOST_STATUS: dict[str, SubmissionStatus] = {
    "timeout": "timeout",
    "cpu": "timeout",
    "memory": "out_of_memory",
}
_TITLE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class GradedNotebook:
    """One notebook with its outputs, and what its graded cells gave."""

    node: NotebookNode
    items: tuple[Item, ...]
    status: SubmissionStatus
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graded:
    """One submission's result, and its notebooks by name in nbgrader's format."""

    result: SubmissionResult
    notebooks: dict[str, NotebookNode]


# --- one notebook ------------------------------------------------------------------------------------------


def grade_notebook(
    hall: Hall, assembled: AssembledNotebook, student: str, work: dict[str, bytes], trusted: dict[str, bytes]
) -> GradedNotebook:
    """Run and mark one assembled notebook.

    Parameters
    ----------
    hall : Hall
    assembled : AssembledNotebook
    student : str
        Whose work it is; the tests' seed depends on it.
    work, trusted : dict of str to bytes
        The files beside the notebook, and those of them that are the instructor's.

    Raises
    ------
    GraderError
        Where our own parts fail, never because of what the student wrote.
    """
    seed, other = (derive_seed(hall, assembled, student, room) for room in ("examiner", "student"))
    outputs: dict[int, list[dict[str, Any]]] = {}
    items: list[Item] = []
    met: CellRun | None = None  # the latest limit in a cell that the next test may depend on
    with Sitting(
        *hall.zygotes(),
        work=work,
        trusted=trusted,
        seeds=(other, seed),
        without=find_packages(hall.assignment.notebook(assembled.name)),
        inquire=partial(answer_test, hall, student),
    ) as sitting:
        left = sitting.limits.notebook_output
        for place, cell in enumerate(assembled.cells):
            started = time.monotonic()
            run = _run(sitting, cell)
            if run is not None:
                run, outputs[place] = _keep_outputs(run, sitting.limits, left)
                left -= measure(outputs[place])
                if cell.role is Role.TEST:
                    met, run = None, _blame_earlier(run, met)
                elif run.limit:
                    met = run
            item = _mark(assembled.name, cell, run)
            if item is not None:
                items.append(replace(item, duration_s=round(time.monotonic() - started, 3)))
        status = _status(sitting.losses, items)
    return GradedNotebook(to_notebook(assembled, outputs), tuple(items), status, assembled.notes)


def _keep_outputs(run: CellRun, limits: Limits, left: int) -> tuple[CellRun, list[dict[str, Any]]]:
    """Return what is kept of a cell's outputs, and the cell with what had to be left out noted.

    `left` is how many bytes the notebook's cells may still show: it has to fit into memory, and into a file.
    """
    kept, cut = clean_outputs(run.outputs, min(limits.output, max(left, 0)), limits.outputs)
    if cut == "output_size" and left < limits.output:
        cut = "notebook_output"
    if cut:
        words = tell_limit(cut, limits)
        kept.append({"output_type": "stream", "name": "stderr", "text": f"[{words}]\n"})
        if not run.limit and not run.message:
            return replace(run, limit=cut, message=words), kept
    if run.message or run.ours:
        kept.append(_tell(run))
    return run, kept


def _blame_earlier(run: CellRun, met: CellRun | None) -> CellRun:
    """Add the limit that a cell before a failed test has met: what the test needs may be missing."""
    if met is None or run.limit or run.message or run.ours or run.good:
        return run
    return replace(run, limit=met.limit, message=f"In a cell before this test: {met.message}.")


def answer_test(hall: Hall, student: str, topic: str, question: Any) -> Any:
    """Answer what a test asks of the grader: evidence that no room can see, about this student alone.

    Raises
    ------
    GraderError
        Where there is no answer; the message says why.
    """
    if topic == "git":
        from fairmark.repository.exercise import answer_test as answer  # noqa: PLC0415 - needs git
    elif topic == "snapshot":
        from fairmark.quality.asking import answer_snapshot as answer  # noqa: PLC0415 - needs git
    else:
        raise GraderError(f"the grader knows nothing about {topic[:40]!r}")
    return answer(hall.course, hall.assignment.id, student, question)


def derive_seed(hall: Hall, assembled: AssembledNotebook, student: str, room: str) -> int:
    """Return the seed of a room: it can be computed again, and not be known without the course's secret."""
    work = hashlib.sha256(
        "\0".join(cell.source for cell in assembled.cells).encode("utf-8", "replace")
    ).hexdigest()
    text = f"{student}\x00{hall.assignment.id}\x00{assembled.name}\x00{work}\x00{room}"
    return int.from_bytes(hmac.digest(hall.secret, text.encode("utf-8", "replace"), "sha256")[:6])


def _run(sitting: Sitting, cell: AssembledCell) -> CellRun | None:
    """Run a cell where it belongs."""
    if cell.cell_type != "code":
        return None
    if cell.role is Role.TEST:
        if _is_unprotected(cell):
            return sitting.run_student(cell.trusted)
        return sitting.run_test(_test_cell(cell))
    shared = cell.student_names if cell.source == cell.trusted else frozenset[str]()
    run = sitting.run_student(cell.source, shared=shared) if cell.source.strip() else CellRun(good=True)
    if cell.role is Role.INSTRUCTOR and cell.trusted.strip():
        sitting.run_test(_test_cell(cell), remember=True)
    return run


def _test_cell(cell: AssembledCell) -> TestCell:
    quiet = bool(_HIDDEN.search(cell.trusted))
    return TestCell(cell.trusted, cell.student_names, cell.instructor_names, cell.solution_imports, quiet)


def _is_unprotected(cell: AssembledCell) -> bool:
    tags = cell.metadata.get("tags", ())
    return STUDENT_ROOM_TAG in tags


def _tell(run: CellRun) -> dict[str, Any]:
    """Return the output that says which limit was hit, or what of ours failed."""
    name = ("Stopped" if run.lost or not run.limit else "Limit") if run.message else "GraderFailure"
    words = run.message or run.ours
    return {"output_type": "error", "ename": name, "evalue": words, "traceback": [f"{name}: {words}"]}


def _status(losses: list[str], items: Iterable[Item]) -> SubmissionStatus:
    if any(item.status == "error" for item in items):
        return "error"
    return _LOST_STATUS.get(losses[0], "crashed") if losses else "graded"


# --- marks -------------------------------------------------------------------------------------------------


def _mark(notebook: str, cell: AssembledCell, run: CellRun | None) -> Item | None:
    """Return the points of a graded cell; None for a cell that gives none."""
    if cell.role is Role.QUIZ:
        return _mark_quiz(notebook, cell)
    if cell.role is Role.TEST and run is not None:
        return _mark_test(notebook, cell, run)
    return _mark_by_hand(notebook, cell) if _is_graded(cell) else None


def _is_graded(cell: AssembledCell) -> bool:
    settings = cell.metadata.get("nbgrader", {})
    return bool(settings.get("grade") or settings.get("task"))


def _kind(cell: AssembledCell) -> Kind:
    kinds: dict[Role, Kind] = {Role.QUIZ: "quiz", Role.TEST: "code"}
    return kinds.get(cell.role, "written")


def _visibility(cell: AssembledCell) -> Visibility:
    """Return when the author lets a cell's result be shown; what an author may write is checked before."""
    if cell.question is not None:
        return cell.question.visibility
    settings = cell.metadata.get("fairmark")
    visibility: Visibility = (
        settings.get("visibility", "visible") if isinstance(settings, dict) else "visible"
    )
    return visibility


def _mark_quiz(notebook: str, cell: AssembledCell) -> Item:
    question = cell.question
    assert question is not None  # noqa: S101 - every quiz cell has one; for the type checker
    mark = quiz.mark(question, quiz.read_answer(question, cell.source))
    return Item(
        id=cell.grade_id,
        notebook=notebook,
        kind="quiz",
        title=question.title[:_TITLE_CHARACTERS],
        status=mark.status,
        score=mark.score,
        max_score=mark.max_score,
        visibility=_visibility(cell),
        message=" ".join((mark.message, *cell.remarks)).strip(),
        answer=quiz.describe(question, mark),
    )


def _mark_by_hand(notebook: str, cell: AssembledCell) -> Item:
    waits = cell.answered or cell.role is Role.TASK
    return Item(
        id=cell.grade_id,
        notebook=notebook,
        kind="written",
        title=_title(cell),
        status="skipped" if waits else "failed",
        score=0.0,
        max_score=cell.points,
        visibility=_visibility(cell),
        message="A person grades this answer." if waits else "No answer was given.",
        needs_review=waits,
    )


def _mark_test(notebook: str, cell: AssembledCell, run: CellRun) -> Item:
    checks, fault = _read_report(run.report)
    score, odd = _score(run, cell.points)
    fault = fault or odd
    broken = bool(run.ours) or bool(fault) or any(check.status == "error" for check in checks)
    status: Status = "partial"
    if broken:
        status = "error"
    elif score >= cell.points:
        status = "passed"
    elif score == 0:
        status = "failed"
    failed = [check for check in checks if check.status in ("failed", "partial")]
    return Item(
        id=cell.grade_id,
        notebook=notebook,
        kind=_read_kind(run.report),
        title=_report_title(run.report) or _title(cell),
        status=status,
        score=score,
        max_score=cell.points,
        visibility=_visibility(cell),
        message=_message(run, fault, failed, len(checks), cell),
        hint=failed[0].hint if failed else "",
        needs_review=broken,
        checks=checks,
        limit=run.limit,
    )


def _score(run: CellRun, points: float) -> tuple[float, str]:
    """Return the points of a test cell, and the author's fault where its number is no number of points."""
    if run.ours or not run.good:
        return 0.0, ""
    if run.score is None:
        return points, ""
    if math.isnan(run.score) or run.score < 0 or run.score > points * (1 + 1e-9):
        return min(max(run.score, 0.0), points) if not math.isnan(run.score) else 0.0, (
            f"the test gave {run.score:g} points of {points:g}; an author has to look at it"
        )
    return min(run.score, points), ""


def _read_kind(report: Any) -> Kind:
    """Return what a test looked at, as its report says."""
    kind = report.get("kind") if isinstance(report, dict) else None
    return kind if kind in ("git", "environment") else "code"


def _read_report(report: Any) -> tuple[tuple[CheckResult, ...], str]:
    """Return a report's checks, and the author's fault where it is not of the right form."""
    if report is None:
        return (), ""
    try:
        return read_checks(report), ""
    except ValueError as error:
        return (), f"the test's report cannot be read: {error}; an author has to look at it"


def _report_title(report: Any) -> str:
    title = report.get("title") if isinstance(report, dict) else None
    return title[:_TITLE_CHARACTERS] if isinstance(title, str) else ""


def _message(run: CellRun, fault: str, failed: list[CheckResult], number: int, cell: AssembledCell) -> str:
    if run.ours or fault:
        return run.ours or fault
    words = [run.message] if run.message else []
    if not run.good:
        words += [_first_error(run)]
    if failed:
        words.append(f"{len(failed)} of {number} checks failed.")
    if _is_unprotected(cell):
        words.append("This test ran beside the student's code: it is not protected.")
    return " ".join(word for word in words if word)


def _first_error(run: CellRun) -> str:
    name, words = next(find_errors(run.outputs), ("", ""))
    if name == "NotImplementedError":
        return "Not answered yet."
    return f"{name}: {words}"[:500] if words else name


def _title(cell: AssembledCell) -> str:
    """Return a cell's first heading or comment, else its grade_id."""
    for line in cell.trusted.split("\n"):
        text = line.lstrip("# ").strip()
        if line.startswith("#") and text and "HIDDEN TESTS" not in text:
            return text[:_TITLE_CHARACTERS]
    return cell.grade_id


# --- one submission ----------------------------------------------------------------------------------------


def read_files(assignment: Assignment) -> dict[str, bytes]:
    """Return the instructor's files beside the notebooks."""
    folder = assignment.folder.absolute()
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in assignment.files}


def grade_submission(hall: Hall, submission: Submission) -> Graded:
    """Read and grade all notebooks of one submission: see `grade_parcel`."""
    return grade_parcel(hall, read_parcel(hall.course, hall.assignment, submission))


def grade_parcel(hall: Hall, parcel: Parcel) -> Graded:
    """Grade all notebooks of one submission; nothing is read or written outside the rooms.

    What cannot be read is told in the result (status ``ungradable``); it never raises.

    Raises
    ------
    GraderError
        Where our own parts fail.
    """
    submission = parcel.submission
    given = read_files(hall.assignment)
    work = given | dict(parcel.files)
    # A file that students may hand in their own version of is theirs, for the tests too.
    kept = hall.course.kept_from_overwriting(hall.assignment.id)
    trusted = {name: content for name, content in given.items() if name not in kept}
    notes = [*submission.notes, *parcel.notes]
    graded: dict[str, GradedNotebook] = {}
    for source in hall.assignment.notebooks:
        try:
            graded[source.name] = _grade_one(hall, source, parcel, work, trusted)
        except Ungradable as error:
            notes.append(f"{source.name}.ipynb: {error}")
            graded[source.name] = ungradable_notebook(source, str(error))
    return Graded(
        build_result(hall, submission, graded, notes),
        {name: notebook.node for name, notebook in graded.items()},
    )


def _grade_one(
    hall: Hall,
    source: SourceNotebook,
    parcel: Parcel,
    work: dict[str, bytes],
    trusted: dict[str, bytes],
) -> GradedNotebook:
    if source.name in parcel.refused:
        raise Ungradable(parcel.refused[source.name])
    if source.name not in parcel.notebooks:
        raise Ungradable("it was not handed in.")
    handed = parse_notebook(parcel.notebooks[source.name])
    student = parcel.submission.student
    draw = quiz.Draw(hall.secret, student, hall.assignment.id, source.name)
    return grade_notebook(hall, assemble(source, handed, draw), student, work, trusted)


def ungradable_notebook(source: SourceNotebook, reason: str) -> GradedNotebook:
    """Return the result of a notebook that is missing or cannot be read: blank, without points."""
    assembled = assemble(source, None)
    items = tuple(
        Item(
            cell.grade_id,
            assembled.name,
            _kind(cell),
            _title(cell),
            "failed",
            0.0,
            cell.points,
            visibility=_visibility(cell),
            message=reason,
            answer=_describe_blank(cell),
        )
        for cell in assembled.cells
        if _is_graded(cell)
    )
    return GradedNotebook(to_notebook(assembled), items, "ungradable", ())


def _describe_blank(cell: AssembledCell) -> QuizAnswer | None:
    if cell.question is None:
        return None
    return quiz.describe(
        cell.question, quiz.mark(cell.question, quiz.read_answer(cell.question, cell.source))
    )


def build_result(
    hall: Hall, submission: Submission, graded: dict[str, GradedNotebook], notes: Iterable[str]
) -> SubmissionResult:
    """Put a submission's notebooks together into its result."""
    statuses = {notebook.status for notebook in graded.values()}
    # One notebook of several that is missing or broken is told in the notes: the others were graded.
    telling = statuses if statuses == {"ungradable"} else statuses - {"ungradable"}
    order: tuple[SubmissionStatus, ...] = ("error", "out_of_memory", "timeout", "crashed", "ungradable")
    status: SubmissionStatus = next((status for status in order if status in telling), "graded")
    timestamp = submission.timestamp
    return SubmissionResult(
        assignment=AssignmentStamp(hall.assignment.id, hall.assignment.sha256),
        submission=SubmissionStamp(
            submission.student,
            timestamp.isoformat() if timestamp else None,
            str(submission.folder),
            submission.commit,
        ),
        grader=stamp_grader(hall),
        status=status,
        items=tuple(item for notebook in graded.values() for item in notebook.items),
        notes=tuple(
            dict.fromkeys([*notes, *(note for notebook in graded.values() for note in notebook.notes)])
        ),
    )


def stamp_grader(hall: Hall) -> GraderStamp:
    """Return who grades: versions, sandbox, and the seed that all rooms' seeds are derived from."""
    return GraderStamp(
        version=fairmark.__version__,
        python=platform.python_version(),
        packages_sha256=digest_packages(),
        seed=int.from_bytes(hashlib.sha256(hall.secret).digest()[:4]),
        sandbox=hall.level,
        graded_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
