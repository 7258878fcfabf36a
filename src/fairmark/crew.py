"""Who grades: this process, several processes of this machine, or a Dask cluster; nothing is written here."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
import sys
import time
from collections import deque
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from fairmark.errors import GraderError, UsageError
from fairmark.hall import Hall, read_limits
from fairmark.interrupts import kept_from_children
from fairmark.worker import (
    close_rooms,
    grade,
    grade_bytes,
    grade_in,
    import_parts,
    start_process,
    write_brief,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fairmark.course import Assignment, Course, Parcel, Submission
    from fairmark.hall import Pair
    from fairmark.worker import Written

    _Submit = Callable[[Parcel], Future[Written]]
    _Employ = Callable[[], tuple[Executor, _Submit]]

_ATTEMPTS = 3
_END_SECONDS = 5.0
_GRACE_SECONDS = 120.0  # for rooms that have to be started again, and for slow machines
_CONNECT_SECONDS = 15


@dataclass(slots=True)
class _Job:
    """A submission that is being graded."""

    submission: Submission
    parcel: Parcel
    attempts: int = 0
    executor: Executor | None = None  # that it was handed to


class Crew:
    """Workers that grade one assignment's submissions; to be closed.

    Parameters
    ----------
    employ : callable
        Makes an executor, and the function that is handed to it for a parcel: at the start, and again after a
        worker was lost with all that the executor had to do.
    workers : int
        How many there are.
    leave : callable, optional
        What is to be done when all is graded.
    longest : float, optional
        Seconds that no submission can take: where all workers together finish none for so long, they hang.
    """

    def __init__(
        self,
        employ: _Employ,
        workers: int,
        leave: Callable[[], None] | None = None,
        longest: float | None = None,
    ) -> None:
        self._employ = employ
        self._leave = leave
        self._longest = longest
        self._executor: Executor | None = None
        self._submit: _Submit | None = None
        self.workers = workers

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(at_once=kind is not None)

    def start(self) -> None:
        """Start the workers; otherwise they are started when the first submission comes."""
        if self._submit is None:
            self._executor, self._submit = self._employ()

    def grade(
        self,
        submissions: Iterable[Submission],
        read: Callable[[Submission], Parcel],
        meanwhile: Callable[[], None] | None = None,
    ) -> Iterator[tuple[Submission, Parcel, Written | Exception]]:
        """Grade submissions; yield each with what came of it, in the order in which they are finished.

        A submission whose worker was killed, or hangs, is graded again by another; the exception that is
        yielded after `_ATTEMPTS` is our failure.

        Parameters
        ----------
        submissions : iterable of Submission
            Taken one by one: no more is in memory than the workers are at.
        read : callable
            Reads what was handed in.
        meanwhile : callable, optional
            Called once when the first workers have something to do, which takes them longest; where there is
            one alone, before that.
        """
        waiting = deque[_Job]()
        coming = (_Job(submission, read(submission)) for submission in submissions)
        running: dict[Future[Written], _Job] = {}
        ahead = self.workers + 1 if self.workers > 1 else 1
        # A single worker may be this process, which has its rooms to wait for.
        if meanwhile is not None and self.workers == 1:
            meanwhile()
            meanwhile = None
        while True:
            while len(running) < ahead:
                job = waiting.popleft() if waiting else next(coming, None)
                if job is None:
                    break
                running[self._hand_over(job)] = job
            if not running:
                return
            if meanwhile is not None:
                meanwhile()
                meanwhile = None
            done, _ = wait(running, self._longest, return_when=FIRST_COMPLETED)
            if not done:
                self._lose()  # which ends what these futures stand for, too
            for future in done:
                job = running.pop(future)
                written = self._result(future, job)
                if written is None:
                    waiting.append(job)
                else:
                    yield job.submission, job.parcel, written

    def _result(self, future: Future[Written], job: _Job) -> Written | Exception | None:
        """Return what came of a job; None where its worker was lost and another is to do it."""
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            return future.result()
        if not isinstance(error, (BrokenExecutor, CancelledError)) and type(error).__name__ != "KilledWorker":
            if isinstance(error, Exception):
                return error
            raise error
        if job.executor is self._executor:  # not that which has taken the place of the lost one
            self._lose()
        if job.attempts < _ATTEMPTS:
            return None
        return GraderError(f"its worker was lost {_ATTEMPTS} times ({type(error).__name__})")

    def _hand_over(self, job: _Job) -> Future[Written]:
        job.attempts += 1
        for _ in range(_ATTEMPTS):
            self.start()
            assert self._submit is not None  # noqa: S101 - for the type checker
            job.executor = self._executor
            with suppress(BrokenExecutor):
                return self._submit(job.parcel)
            self._lose()
        raise GraderError("no worker can be started")

    def _lose(self) -> None:
        """Give up the executor of a worker that was lost, with all of its workers."""
        executor, self._executor, self._submit = self._executor, None, None
        if executor is not None:
            executor.shutdown(wait=False)

    def close(self, *, at_once: bool = False) -> None:
        """End the workers and their rooms, if need be in the middle of what they are at."""
        executor, self._executor, self._submit = self._executor, None, None
        if executor is not None:
            executor.shutdown(wait=not at_once)  # Dask's takes nothing else
        if self._leave is not None:
            self._leave()


# ---------------------------------------------------------------------------------------------------------


def in_this_process(course: Course, assignment: Assignment, pair: Pair) -> Crew:
    """Return a crew of one, that grades a submission in the moment in which it is handed over."""

    def employ() -> tuple[Executor, _Submit]:
        here = _Here(Hall(course, assignment, pair))
        return here, here.grade

    return Crew(employ, 1, pair.close)


class _Here(Executor):
    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    def grade(self, parcel: Parcel) -> Future[Written]:
        future: Future[Written] = Future()
        try:
            future.set_result(grade_in(self.hall, parcel))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        self.hall.close()


def in_processes(course: Course, assignment: Assignment, pair: Pair, workers: int) -> Crew:
    """Return a crew of worker processes on this machine.

    They are started afresh, not forked: what this process has imported and holds open is not theirs. Their
    zygotes are split off those of this process.
    """
    brief = pickle.dumps(write_brief(course, assignment))

    def employ() -> tuple[Executor, _Submit]:
        pool = _Processes(workers, pair)
        return pool, lambda parcel: pool.submit(grade_bytes, brief, parcel)

    return Crew(employ, workers, pair.close, _longest(course, assignment))


def _longest(course: Course, assignment: Assignment) -> float:
    """Return seconds that no submission can take, since all that takes long has a limit of its own."""
    return _ATTEMPTS * (len(assignment.notebooks) * read_limits(course).submission_seconds + _GRACE_SECONDS)


class _Processes(ProcessPoolExecutor):
    def __init__(self, workers: int, pair: Pair) -> None:
        context = multiprocessing.get_context("spawn")
        ours, self._seats = zip(*(socket.socketpair() for _ in range(workers)), strict=True)
        with kept_from_children():  # it starts a process, too, which then lets Ctrl-C through again
            numbers = context.SimpleQueue()
        for number in range(workers):
            numbers.put(number)
        super().__init__(
            workers, context, initializer=start_process, initargs=(os.getpid(), self._seats, numbers)
        )
        try:
            with kept_from_children(), _nobodys_program():
                for _ in range(workers):  # each of them starts a process
                    self.submit(import_parts)
            pair.share(ours)
        except BaseException:
            self.shutdown(wait=False)
            for seat in ours:
                seat.close()
            raise

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """End the processes: where nobody waits, in the middle of what they are at; else kill what hangs."""
        processes = list((self._processes or {}).values())
        super().shutdown(wait=False, cancel_futures=cancel_futures or not wait)
        for seat in self._seats:
            seat.close()
        until = time.monotonic() + (_END_SECONDS if wait else 0)
        for process in processes:
            process.join(max(0, until - time.monotonic()))
            process.kill()


@contextmanager
def _nobodys_program() -> Iterator[None]:
    """Start processes in the block that do not import the program that this one runs, which may be anybody's.

    A server that grades, or nbgrader's own command, would take seconds to import.
    """
    before, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def on_cluster(course: Course, assignment: Assignment, address: str) -> Crew:
    """Return a crew of all workers of a Dask cluster, which need not see the course folder.

    Parameters
    ----------
    course : Course
    assignment : Assignment
    address : str
        Of the cluster's scheduler, such as ``tcp://10.0.0.5:8786``.

    Raises
    ------
    UsageError
        Where Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("A cluster needs Dask: pip install 'fairmark[dask]'") from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"No Dask scheduler answers at {address}: {error}") from None
    brief = write_brief(course, assignment, elsewhere=True)
    threads = sum(client.nthreads().values())
    if not threads:
        client.close()
        raise UsageError(f"The Dask cluster at {address} has no workers.")

    def employ() -> tuple[Executor, _Submit]:
        executor = client.get_executor(pure=False, retries=_ATTEMPTS)
        sent = client.scatter(brief, broadcast=True, hash=False)
        return executor, lambda parcel: executor.submit(grade, sent, parcel)

    def leave() -> None:
        with suppress(Exception):  # a cluster that is gone has no rooms
            client.run(close_rooms)
        client.close()

    return Crew(employ, threads, leave)
