"""Many submissions to results: what has to be graded is graded by a crew, and written here and nowhere else.

A broken submission is a result like any other, told by name; a failure of ours is told, gives nobody a zero,
and does not stop the others.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairmark.autograded import draft_submission, read_result, sweep_drafts
from fairmark.errors import FairmarkError, GraderError, SandboxError
from fairmark.fingerprint import take_fingerprint
from fairmark.intake import read_parcel
from fairmark.interrupts import heard_later
from fairmark.moves import find_moves, record_moves
from fairmark.survey import keep_source, survey_assignment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fairmark.course import Assignment, Course
    from fairmark.crew import Crew
    from fairmark.gradebook.writing import Writer
    from fairmark.results import SubmissionResult
    from fairmark.survey import Survey
    from fairmark.worker import Written

    Tell = Callable[[str, "SubmissionResult | Failure"], None]

_GONE = "what was handed in has been removed while it was graded; its marks stay as they were"


@dataclass(frozen=True, slots=True)
class Failure:
    """A submission that could not be graded by our fault, and what happened."""

    student: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What grading an assignment gave.

    Parameters
    ----------
    assignment : str
    results : tuple of SubmissionResult
        Of all submissions asked for, also of those that were not graded again; sorted by student.
    failures : tuple of Failure
    unchanged : frozenset of str
        The students who were not graded again, because nothing changed.
    """

    assignment: str
    results: tuple[SubmissionResult, ...]
    failures: tuple[Failure, ...]
    unchanged: frozenset[str] = frozenset()


def grade_assignment(  # noqa: PLR0913 - what a person may ask for
    course: Course,
    assignment_id: str,
    students: tuple[str, ...] = (),
    *,
    workers: int | None = None,
    dask: str = "",
    force: bool = False,
    announce: Callable[[Survey], None] | None = None,
    tell: Tell | None = None,
) -> Batch:
    """Grade an assignment's submissions into gradebook, notebooks and result documents.

    A submission whose grade would come out the same as it stands in the gradebook is not graded again.
    Whenever grading is interrupted, by whatever, starting again finishes it.

    Parameters
    ----------
    course : Course
    assignment_id : str
    students : tuple of str, optional
        Only these.
    workers : int, optional
        Processes that grade at the same time; default: one a core.
    dask : str, optional
        The address of a Dask scheduler, whose workers grade instead.
    force : bool
        Grade everything again.
    announce : callable, optional
        Is told what there is to do before it begins.
    tell : callable, optional
        Is told each submission's student and outcome as soon as it is written.

    Raises
    ------
    UsageError, AuthorError
        Where there is no such assignment or student, or the assignment has faults.
    SandboxError
        Where no room can be built on this machine: then nothing is written.
    """
    found = survey_assignment(course, assignment_id, students, force=force)
    if announce is not None:
        announce(found)
    sweep_drafts(course, assignment_id, (result.submission.student for result in found.unchanged))
    outcomes: list[SubmissionResult | Failure] = []
    if found.todo:
        workers = min(workers or _cores(), len(found.todo))
        with open_session(course, assignment_id, workers=workers, dask=dask) as session:
            for student, outcome in session.grade(found):
                outcomes.append(outcome)
                if tell is not None:
                    tell(student, outcome)
    results = [outcome for outcome in outcomes if not isinstance(outcome, Failure)]
    return Batch(
        assignment_id,
        tuple(sorted((*results, *found.unchanged), key=lambda result: result.submission.student)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Failure)),
        frozenset(result.submission.student for result in found.unchanged),
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def open_session(
    course: Course, assignment_id: str, *, workers: int | None = None, dask: str = ""
) -> Session:
    """Read an assignment and employ who grades it, as `grade_assignment` does; the session is to be closed.

    Raises
    ------
    UsageError, AuthorError
        Where there is no such assignment or cluster, or the assignment has faults.
    """
    # Each of them imports what takes a second, and nothing of it is needed where nothing has to be graded.
    from fairmark.hall import Pair, read_needs  # noqa: PLC0415

    pair = Pair(course, read_needs(course, course.list_source(assignment_id)))
    if not dask:
        pair.start()  # and while its zygotes import what they need:
    try:
        with heard_later():
            from fairmark.authoring import read_assignment  # noqa: PLC0415
            from fairmark.crew import in_processes, in_this_process, on_cluster  # noqa: PLC0415

        assignment = read_assignment(course, assignment_id)
        workers = workers or _cores()
        if dask:
            crew = on_cluster(course, assignment, dask)
        elif workers == 1:
            crew = in_this_process(course, assignment, pair)
        else:
            crew = in_processes(course, assignment, pair, workers)
    except BaseException:
        pair.close()
        raise
    return Session(course, assignment, crew)


class Session:
    """An assignment that is being graded: its workers, and the gradebook that only this process writes.

    Parameters
    ----------
    course : Course
    assignment : Assignment
    crew : Crew
        Ended with the session.
    """

    def __init__(self, course: Course, assignment: Assignment, crew: Crew) -> None:
        self.course = course
        self.assignment = assignment
        self.crew = crew
        self._writer: Writer | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(at_once=kind is not None)

    def close(self, *, at_once: bool = False) -> None:
        """End the workers, if need be in the middle of what they are at, and close the gradebook."""
        self.crew.close(at_once=at_once)
        if self._writer is not None:
            self._writer.close()

    def grade(self, found: Survey) -> Iterator[tuple[str, SubmissionResult | Failure]]:
        """Grade what has to be graded; yield each student's outcome when it is written.

        Raises
        ------
        SandboxError
            Where not even the first room can be built.
        """
        proved = False
        for submission, written in self.run(found, _import_gradebook):
            if isinstance(written, SandboxError) and not proved:
                raise written
            proved = True
            yield submission, self._settle(submission, written, found.ground.cells)
        keep_source(self.course, self.assignment.id, found.ground)

    def run(
        self, found: Survey, meanwhile: Callable[[], None] | None = None
    ) -> Iterator[tuple[str, Written | Exception]]:
        """Grade what has to be graded and write nothing; yield what came of each student's submission.

        `meanwhile` is called once while the workers start.
        """
        outcomes = self.crew.grade(
            found.todo,
            lambda submission: read_parcel(self.course, self.assignment, submission),
            meanwhile,
        )
        for submission, parcel, written in outcomes:
            if isinstance(written, Exception):
                yield submission.student, written
            elif not os.path.lexists(submission.folder):  # it was looked for in vain, or was cut off
                yield submission.student, GraderError(_GONE)
            else:
                yield submission.student, written.stamped(take_fingerprint(found.ground, parcel))

    def _settle(
        self, student: str, written: Written | Exception, cells: Mapping[str, str]
    ) -> SubmissionResult | Failure:
        """Write one graded submission, or return what failed."""
        try:
            if isinstance(written, Exception):
                raise written
            if self._writer is None:
                self._writer = _open_gradebook(self.course, self.assignment)
            before = read_result(self.course, student, self.assignment.id)
            result = write_outcome(self.course, written, self._writer)
            record_moves(self.course, self.assignment.id, find_moves(self.course, before, result, cells))
        except (FairmarkError, OSError) as error:
            return Failure(student, f"{type(error).__name__}: {error}")
        except Exception:  # noqa: BLE001 - a fault of ours in one submission must not stop the others
            return Failure(student, traceback.format_exc(limit=-4))
        return result


def _import_gradebook() -> None:
    """Import nbgrader, which takes seconds, while the workers start.

    An interrupt is heard after that: some module on the way may swallow the exception that it raises.
    """
    with heard_later():
        from sqlalchemy.orm import configure_mappers  # noqa: PLC0415

        import fairmark.gradebook.assignments  # noqa: PLC0415
        import fairmark.gradebook.writing  # noqa: F401, PLC0415

        configure_mappers()  # the first look into the gradebook would do it


def _open_gradebook(course: Course, assignment: Assignment) -> Writer:
    from fairmark.gradebook.assignments import ensure_assignment  # noqa: PLC0415 - imports nbgrader
    from fairmark.gradebook.writing import Writer  # noqa: PLC0415 - imports nbgrader

    ensure_assignment(course, assignment)
    return Writer(course)


def write_outcome(course: Course, written: Written, writer: Writer) -> SubmissionResult:
    """Write one graded submission: first into the gradebook, then its folder; each whole or not at all.

    Raises
    ------
    GraderError, UsageError, OSError
        Where it cannot be written. What was there before stays, or is written again when grading is started
        again.
    """
    result = written.result
    with draft_submission(course, result, written.notebooks, dict(written.files)):
        writer.save(result, written.untouched)
    return result
