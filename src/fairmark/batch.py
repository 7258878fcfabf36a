"""Many submissions to results: one after the other or in several processes; the only writer of results.

A broken submission is a result like any other, told by name; a failure of ours is told, gives nobody a zero,
and does not stop the others.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import traceback
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.authoring import read_assignment
from fairmark.course import Course, open_course
from fairmark.errors import GraderError, SandboxError, UsageError
from fairmark.gradebook import ensure_assignment, save_result
from fairmark.grading import Hall, grade_submission, read_files
from fairmark.intake import collect_files, find_submissions, is_active
from fairmark.results import to_json
from fairmark.rooms.linux import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairmark.course import Assignment, Submission
    from fairmark.results import SubmissionResult

    Tell = Callable[[str, "SubmissionResult | Failure"], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """A submission that could not be graded by our fault, and what happened."""

    student: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What grading an assignment gave."""

    assignment: str
    results: tuple[SubmissionResult, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class _Written:
    """A graded submission on its way from a worker: its result, and its notebooks as text."""

    result: SubmissionResult
    notebooks: dict[str, str]
    files: tuple[tuple[str, bytes], ...]


# One hall a process: starting its zygotes costs more than grading a submission.
_halls: dict[tuple[Path, str, str], Hall] = {}


def _hall(course: Course, assignment: Assignment) -> Hall:
    key = (course.root, assignment.id, assignment.sha256)
    if key not in _halls:
        _halls[key] = Hall(course, assignment)
    return _halls[key]


def _close_halls() -> None:
    for hall in _halls.values():
        hall.close()
    _halls.clear()


def _grade_in_worker(root: Path, assignment_id: str, submission: Submission) -> _Written:
    """Grade one submission in a worker process."""
    known = [hall for (place, name, _), hall in _halls.items() if (place, name) == (root, assignment_id)]
    if known:
        return _grade(known[0], submission)
    course = open_course(root)
    return _grade(_hall(course, read_assignment(course, assignment_id)), submission)


def _grade(hall: Hall, submission: Submission) -> _Written:
    import nbformat  # noqa: PLC0415 - a worker that was not forked has to pay for it itself

    graded = grade_submission(hall, submission)
    handed = collect_files(hall.course, hall.assignment, submission).files
    files = read_files(hall.assignment) | {name: data for name, data in handed if not is_active(name)}
    texts = {
        name: nbformat.writes(node, version=nbformat.NO_CONVERT) for name, node in graded.notebooks.items()
    }
    return _Written(graded.result, texts, tuple(files.items()))


def grade_assignment(
    course: Course,
    assignment_id: str,
    students: tuple[str, ...] = (),
    *,
    workers: int | None = None,
    tell: Tell | None = None,
) -> Batch:
    """Grade an assignment's submissions into gradebook, notebooks and result documents.

    Parameters
    ----------
    course : Course
    assignment_id : str
    students : tuple of str, optional
        Only these.
    workers : int, optional
        Processes that grade at the same time; default: one a core.
    tell : callable, optional
        Is told each submission's student and outcome as soon as it is written.

    Raises
    ------
    UsageError, AuthorError
        Where there is no such assignment or student, or the assignment has faults.
    SandboxError
        Where no room can be built on this machine: then nothing is written.
    """
    assignment = read_assignment(course, assignment_id)
    submissions = find_submissions(course, assignment_id, students)
    missing = sorted(set(students) - {submission.student for submission in submissions})
    if missing:
        raise UsageError(f"Nothing was handed in for {assignment_id!r} by: {', '.join(missing)}.")
    ensure_assignment(course, assignment)
    outcomes: list[SubmissionResult | Failure] = []
    try:
        if submissions:
            _hall(course, assignment).zygotes()  # a machine without a sandbox is told at once
        for submission, future in _grade_all(course, assignment, submissions, workers or os.cpu_count() or 1):
            outcome = _settle(course, assignment, submission, future)
            outcomes.append(outcome)
            if tell is not None:
                tell(submission.student, outcome)
    finally:
        _close_halls()
    results = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    return Batch(
        assignment_id,
        tuple(sorted(results, key=lambda result: result.submission.student)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Failure)),
    )


def _grade_all(
    course: Course, assignment: Assignment, submissions: tuple[Submission, ...], workers: int
) -> Iterator[tuple[Submission, Future[_Written]]]:
    """Yield each submission with its finished future, in the order in which they finish."""
    if workers == 1 or len(submissions) <= 1:
        for submission in submissions:
            future: Future[_Written] = Future()
            try:
                future.set_result(_grade(_hall(course, assignment), submission))
            except Exception as error:  # noqa: BLE001 - told by `_settle`
                future.set_exception(error)
            yield submission, future
        return
    _close_halls()  # its processes must not be shared by forks
    with _pool(min(workers, len(submissions))) as pool:
        futures = {
            pool.submit(_grade_in_worker, course.root, assignment.id, submission): submission
            for submission in submissions
        }
        for future in as_completed(futures):
            yield futures[future], future


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    # A worker whose grader was killed would go on for nobody.
    pool = ProcessPoolExecutor(workers, initializer=end_with_parent, initargs=(signal.SIGKILL,))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():  # or Python would wait for what they are at
            worker.kill()
        raise
    pool.shutdown()


def _settle(
    course: Course, assignment: Assignment, submission: Submission, future: Future[_Written]
) -> SubmissionResult | Failure:
    """Write one finished submission, or return what failed."""
    try:
        written = future.result()
        write_submission(course, written.result, written.notebooks, dict(written.files))
        save_result(course, assignment, written.result)
    except (GraderError, SandboxError, OSError) as error:
        return Failure(submission.student, f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001 - a fault of ours in one submission must not stop the others
        return Failure(submission.student, traceback.format_exc(limit=-4))
    return written.result


def write_submission(
    course: Course, result: SubmissionResult, notebooks: dict[str, str], files: dict[str, bytes]
) -> None:
    """Write the folder ``autograded/<student>/<assignment>``: whole, or not at all.

    Parameters
    ----------
    course : Course
    result : SubmissionResult
    notebooks : dict of str to str
        The graded notebooks' texts by name.
    files : dict of str to bytes
        The files beside them.
    """
    folder = course.autograded(result.submission.student, result.assignment.id)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        draft.chmod(0o755)
        for name, data in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name, text in notebooks.items():
            (draft / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")
        (draft / "result.json").write_text(to_json(result), encoding="utf-8")
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            folder.rename(old / "old")
            draft.rename(folder)
            shutil.rmtree(old)
        else:
            draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
