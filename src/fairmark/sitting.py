"""One notebook's pair of rooms: runs the student's cells in one, the tests in the other, and carries words.

The grader only carries frames between the rooms; it decodes nothing but outputs and scores, and believes
nothing that the student's room says. A room that is lost costs what ran in it: a fresh one takes its place,
with the cells before the loss run again.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from fairmark.errors import GraderError, RoomLost, SandboxError
from fairmark.rooms.clock import Clock
from fairmark.rooms.limits import (
    MAX_ANSWER,
    as_text,
    find_limit,
    last_error,
    limit_of,
    tell_limit,
    tell_stop,
)
from fairmark.rooms.wire import WireError, pack_frame, unpack_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairmark.packages import Package
    from fairmark.results import Limit
    from fairmark.rooms.policy import Limits
    from fairmark.rooms.room import Opening, Room, Zygote

_ATTEMPTS = 3
_MAX_FILES = 1_000
_MAX_FILES_BYTES = 32 * 2**20
_MAX_NAME = 200
_EXAMINER_GRACE_SECONDS = 10.0
# What a function has used up of these stays used up after it has come back.
_LASTING = frozenset({"processes", "threads", "disk", "files", "shared_memory", "open_files"})


@dataclass(frozen=True, slots=True)
class CellRun:
    """What came of running one cell.

    Parameters
    ----------
    good : bool
        No exception was raised and the cell came to its end.
    outputs : tuple of dict
        As the room sent them: not yet checked.
    lost : str
        Why the student's room was stopped while the cell ran, as in `RoomLost.reason`; else empty.
    message : str
        The sentence for the student where a limit was exceeded.
    limit : Limit
        The limit that the student's code met, whether its room was stopped or an exception told it so.
    score : float or None
        What a test cell's last expression says.
    report : object
        The report of a `fairmark.checks.Task`, as plain data.
    ours : str
        Our own or the author's failure, in words; then nothing can be said about the student's work.
    unbound : str
        A name of the instructor's that the cell needs and that is not there.
    """

    good: bool
    outputs: tuple[Any, ...] = ()
    lost: str = ""
    message: str = ""
    limit: Limit = ""
    score: float | None = None
    report: Any = None
    ours: str = ""
    unbound: str = ""


@dataclass(frozen=True, slots=True)
class TestCell:
    """A cell for the examiner's room.

    Parameters
    ----------
    source : str
        The instructor's text.
    students : frozenset of str
        Names that come from the student's room.
    instructors : frozenset of str
        Names that the instructor's cells bind: they never come from the student's room.
    imports : dict of str to str
        Names that the reference solution imports, with the statement that does it.
    quiet : bool
        What it prints may tell the tests' inputs and is left out.
    """

    __test__ = False  # not one of pytest's

    source: str
    students: frozenset[str] = frozenset()
    instructors: frozenset[str] = frozenset()
    imports: dict[str, str] = field(default_factory=dict)
    quiet: bool = False


class Sitting:
    """A student's room and an examiner's room for one notebook.

    Parameters
    ----------
    student, examiner : Zygote
        Where the rooms are forked.
    work, trusted : dict of str to bytes
        The files beside the notebook, and those of them that are the instructor's.
    seeds : tuple of int
        Of the student's and of the examiner's room.
    without : tuple of Package
        What does not exist in the student's room.
    inquire : callable, optional
        Answers what a test asks of the grader itself: gets topic and question, both plain data that the
        test has sent, and returns plain data or raises `GraderError`.
    """

    def __init__(  # noqa: PLR0913 - two rooms, and what lies in them
        self,
        student: Zygote,
        examiner: Zygote,
        *,
        work: Mapping[str, bytes],
        trusted: Mapping[str, bytes],
        seeds: tuple[int, int],
        without: tuple[Package, ...] = (),
        inquire: Callable[[str, Any], Any] | None = None,
    ) -> None:
        self._zygotes = student, examiner
        self._files = (
            {"work": dict(work), "trusted": dict[str, bytes]()},
            {"work": dict(work), "trusted": dict(trusted)},
        )
        self._seeds = seeds
        self._without = without
        self.inquire = inquire or _know_nothing
        self._student: Room | None = None
        self._examiner: Room | None = None
        self._coming: Opening | None = None  # the examiner's first room, while the first cells run
        self._done: list[str] = []
        self._trusted_done: list[TestCell] = []
        # Whether files of the student's lie in the examiner's room: what a test reads there may never end.
        self._holds_files = bool(work.keys() - trusted.keys())
        self._shaken = ""  # why the examiner's room may lack what earlier cells of the instructor's made
        self._ends = time.monotonic() + self.limits.submission_seconds
        self.losses: list[str] = []

    @property
    def limits(self) -> Limits:
        """What each room may use."""
        return self._zygotes[0].policy.limits

    def close(self) -> None:
        """End both rooms."""
        if self._coming is not None:
            coming, self._coming = self._coming, None
            with suppress(SandboxError):  # nobody needs it any more
                self._examiner = coming.wait()
        for room in (self._student, self._examiner):
            if room is not None:
                room.close()

    def __enter__(self) -> Sitting:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def clock(self, *rooms: Room | None) -> Clock:
        """Return the time that a cell has from now on in `rooms`."""
        return Clock(self.limits.cell_seconds, self._ends, rooms)

    def _out_of_time(self) -> CellRun | None:
        if time.monotonic() < self._ends:
            return None
        seconds = self.limits.submission_seconds
        words = f"not run: all cells together took more than {seconds:.0f} s"
        return CellRun(good=False, lost="timeout", message=words, limit="submission_time")

    def too_late(self) -> RoomLost:
        """Return what happened to a cell whose time is over: its own, or that of all cells."""
        reason = "submission_time" if time.monotonic() >= self._ends else "timeout"
        return RoomLost("timeout", tell_stop(reason, self.limits), limit_of(reason))

    # --- the student's room ------------------------------------------------------------------------------

    def run_student(self, source: str, *, shared: frozenset[str] = frozenset()) -> CellRun:
        """Run one cell in the student's room.

        Parameters
        ----------
        source : str
        shared : frozenset of str
            For a cell that the examiner's room runs after this: the names from the student's room that it
            uses. What it calls of them is called once, and what that gave is given to the other room.
        """
        late = self._out_of_time()
        if late is not None:
            return late
        room = self._student_room()
        if room is None:
            return CellRun(
                good=False, lost="crash", message="not run: an earlier cell ends every room it runs in"
            )
        run = self._run_there(room, source, shared)
        if self._student is not None:
            self._done.append(source)
        return run

    def _run_there(self, room: Room, source: str, shared: frozenset[str] = frozenset()) -> CellRun:
        clock = self.clock(room)
        try:
            room.send(pack_frame(["run", sorted(shared)], source), clock.deadline)
            return self._explain(room, self._read_run(room, clock))
        except TimeoutError:
            return self._stop_student(room)
        except RoomLost as lost:
            return self._lose_student(lost)
        except WireError as error:
            return CellRun(good=False, message=f"not run: {error}")

    def _explain(self, room: Room, run: CellRun) -> CellRun:
        """Add the limit that a cell's exception comes from, if it comes from one."""
        if run.good:
            return run
        limit = find_limit(*last_error(run.outputs), room.look, self.limits)
        return replace(run, limit=limit, message=tell_limit(limit, self.limits)) if limit else run

    def _read_run(self, room: Room, clock: Clock) -> CellRun:
        message, tree, _, body = clock.receive(room)
        try:
            if message[0] != "ran" or not isinstance(message[1], bool):
                raise WireError("not an answer to this cell")
            outputs = unpack_value(tree, body)["outputs"]
            if not isinstance(outputs, list):
                raise WireError("no list of outputs")
        except (WireError, LookupError, TypeError):
            room.close()
            raise room.loss("protocol") from None
        return CellRun(good=message[1], outputs=tuple(outputs))

    def _stop_student(self, room: Room) -> CellRun:
        """Interrupt a cell that takes too long, as a person would; end the room if it does not listen."""
        late = self.too_late()
        try:
            run = self._read_run(room, Clock(room.interrupt(), math.inf, (room,)))
        except (TimeoutError, RoomLost):
            room.close()
            return self._lose_student(late)
        self.losses.append("timeout")
        return CellRun(
            good=False, outputs=run.outputs, lost="timeout", message=str(late), limit=limit_of_loss(late)
        )

    def _lose_student(self, lost: RoomLost) -> CellRun:
        self._student = None
        self.losses.append(lost.reason)
        return CellRun(good=False, lost=lost.reason, message=str(lost), limit=limit_of_loss(lost))

    def _student_room(self) -> Room | None:
        """Return the student's room; after a loss a fresh one, in which the cells before were run again."""
        for _ in range(_ATTEMPTS):
            if self._student is not None:
                return self._student
            coming = self._zygotes[0].begin_room(self._files[0], self._seeds[0], self._without)
            if not self._trusted_done and self._examiner is None and self._coming is None:
                self._coming = self._zygotes[1].begin_room(self._files[1], self._seeds[1])
            self._student = coming.wait()
            for place, source in enumerate(self._done):
                self._run_there(self._student, source)
                if self._student is None:  # it ends this room as well: go on without it
                    del self._done[place]
                    break
        return self._student

    # --- the examiner's room -----------------------------------------------------------------------------

    def run_test(self, cell: TestCell, *, remember: bool = False) -> CellRun:
        """Run one cell in the examiner's room.

        Parameters
        ----------
        cell : TestCell
        remember : bool
            The cell is one of the instructor's that others build on: run it again in a fresh room.
        """
        late = self._out_of_time()
        if late is not None:
            return late
        student = self._student_room()
        examiner = self._examiner_room()
        run = self._examine(examiner, student, cell, carries=not remember)
        if remember and not run.ours:
            self._trusted_done.append(cell)
        elif remember:
            self._shaken = f"an earlier cell of the instructor's failed: {run.ours}"
        if run.unbound and self._shaken and not run.ours:
            return replace(run, ours=f"the name {run.unbound!r} is missing, because {self._shaken}")
        return run

    def _examiner_room(self) -> Room:
        if self._coming is not None:
            coming, self._coming = self._coming, None  # waited for once, also where it does not come
            self._examiner = coming.wait()
        if self._examiner is None:
            self._examiner = self._zygotes[1].open_room(self._files[1], self._seeds[1])
            for cell in self._trusted_done:
                self._examine(self._examiner, self._student, cell, carries=False)
        return self._examiner

    def _examine(self, examiner: Room, student: Room | None, cell: TestCell, *, carries: bool) -> CellRun:
        files = self._fetch_files(student, is_test=carries)
        self._holds_files |= bool(files)
        # What the student's room took for its files is not the test's time.
        clock = self.clock(examiner, self._student)
        try:
            question = {
                "source": cell.source,
                "students": cell.students,
                "instructors": cell.instructors,
                "imports": cell.imports,
                "files": files,
                "quiet": cell.quiet,
                "carries": carries,
            }
            examiner.send(pack_frame(["run"], question), clock.deadline)
            return _Conversation(self, examiner, self._student, clock, given=self._holds_files).hold()
        except (TimeoutError, RoomLost) as error:
            examiner.close()
            self._examiner = None
            words = str(error) or str(self.too_late())
            self._shaken = f"an earlier test did not come to its end: {words}"
            return CellRun(good=False, ours=f"the test itself did not come to its end: {words}")

    def _fetch_files(self, student: Room | None, *, is_test: bool) -> dict[str, bytes]:
        """Return the files that the student's cells wrote since the last test."""
        if student is None:
            return {}
        clock = self.clock(student)
        try:
            student.send(pack_frame(["ask", "files"], (is_test,)), clock.deadline)
            message, tree, _, body = clock.receive(student)
            answer = unpack_value(tree, body)
            return _choose_files(answer[0]) if message[:2] == ["answer", True] else {}
        except (WireError, LookupError, TypeError, AttributeError):
            return {}
        except TimeoutError:
            student.close()
            self._lose_student(self.too_late())
        except RoomLost as lost:
            self._lose_student(lost)
        return {}

    def renew_student(self) -> None:
        """Let the next cell have a fresh room: what fills this one must not cost the next question."""
        if self._student is not None:
            self._student.close()
            self._student = None

    def lose_examiner(self) -> None:
        """Note that the examiner's room is gone."""
        self._examiner = None
        self._shaken = "an earlier test ended with its room"

    def lose(self, lost: RoomLost) -> None:
        """Note that the student's room is gone."""
        self._lose_student(lost)


def limit_of_loss(lost: RoomLost) -> Limit:
    """Return the limit that ended a room."""
    return limit_of(lost.limit)


def _know_nothing(topic: str, question: Any) -> Any:  # noqa: ARG001
    raise GraderError(f"nobody here knows about {topic[:40]!r}")


def _choose_files(files: Any) -> dict[str, bytes]:
    """Return those of a student's files that may be laid beside the test: few, small, with harmless names."""
    chosen: dict[str, bytes] = {}
    size = 0
    for name, data in files.items():
        if not isinstance(name, str) or not isinstance(data, bytes) or not _is_harmless(name):
            continue
        size += len(data)
        if len(chosen) >= _MAX_FILES or size > _MAX_FILES_BYTES:
            break
        chosen[name] = data
    return chosen


def _is_harmless(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        0 < len(name) <= _MAX_NAME
        and name.isprintable()
        and path.as_posix() == name
        and not path.is_absolute()
        and ".." not in path.parts
        and len(path.parts) <= 10
    )


class _Conversation:
    """What passes between the two rooms while one test cell runs."""

    def __init__(
        self, sitting: Sitting, examiner: Room, student: Room | None, clock: Clock, *, given: bool
    ) -> None:
        self.sitting = sitting
        self.examiner = examiner
        self.student = student
        self.clock = clock
        self.lost = "" if student is not None else "crash"
        self.words = "" if student is not None else "an earlier cell ends every room it runs in"
        self.limit: Limit = ""
        self.asked = given  # the test has something of the student's: files, or answers to what it asked

    def hold(self) -> CellRun:
        """Carry frames until the test has come to its end."""
        while True:
            try:
                message, tree, head, body = self.clock.receive(self.examiner)
                if message[0] == "ran":
                    return self._read_verdict(message, tree, body)
                self._serve(message, tree, head, body)
            except TimeoutError:
                if not self._interrupt():
                    return self._failed()
            except RoomLost as lost:
                return self._end(lost)

    def _serve(self, message: list[Any], tree: Any, head: bytes, body: bytes) -> None:
        """Answer what the examiner's room asks."""
        if message[0] == "inquire":
            self._inquire(message, tree, body)
            return
        if message[0] not in ("ask", "called"):
            raise GraderError(f"the examiner's room said {message[0]!r}")
        answer = self._carry(head, body)
        if answer is None:
            self.examiner.send(pack_frame(["stopped", self.words]), self.clock.soon())
        else:
            self.examiner.forward(*answer, self.clock.soon())

    def _failed(self) -> CellRun:
        return CellRun(good=False, lost=self.lost, message=self.words, limit=self.limit)

    def _inquire(self, message: list[Any], tree: Any, body: bytes) -> None:
        """Answer what a test asks of the grader itself; the time that takes is not the test's."""
        began = time.monotonic()
        try:
            told = (True, self.sitting.inquire(str(message[1]), unpack_value(tree, body)))
        except GraderError as error:
            told = (False, str(error))
        self.clock.leave_out(time.monotonic() - began)
        self.examiner.send(pack_frame(["told", told[0]], told[1]), self.clock.soon())

    def _interrupt(self) -> bool:
        """Stop a test that goes on and on over what the student's code gave: an endless generator, say.

        The reference solution passes in time, as the release has proved. A test that got nothing of the
        student's, neither answers nor files, is ours to mend. Tells whether it may still come to its end.
        """
        if not self.asked:
            raise TimeoutError
        if self.words:  # it has been interrupted and does not listen
            self.examiner.close()
            self.sitting.lose_examiner()
            return False
        self._stop(self.sitting.too_late())
        self.clock = Clock(self.examiner.interrupt(), math.inf, (self.examiner,))
        return True

    def _end(self, lost: RoomLost) -> CellRun:
        """Return what the end of the examiner's room says: of the student's work, or of ours."""
        if not self.lost and (lost.reason not in ("memory", "cpu") or not self.asked):
            raise lost
        self.sitting.lose_examiner()
        if self.lost:
            return self._failed()
        self.sitting.losses.append(lost.reason)
        return CellRun(good=False, lost=lost.reason, message=f"the test {lost}", limit=limit_of_loss(lost))

    def _carry(self, head: bytes, body: bytes) -> tuple[bytes, bytes] | None:
        """Carry a question to the student's room; return the answer, or None where there is none."""
        if self.student is None:
            return None
        self.asked = True
        try:
            self.student.forward(head, body, self.clock.deadline)
            message, tree, head, body = self.clock.receive(self.student)
        except TimeoutError:
            self._stop(self.sitting.too_late())
        except RoomLost as lost:
            self._stop(lost)
        else:
            if len(body) > MAX_ANSWER:
                self._stop(self.student.loss("output"))
            elif message[0] in ("answer", "callback") and len(message) == 2:
                if message[:2] == ["answer", False] and not self.limit:
                    self._explain(tree, body)
                return head, body
            else:
                self._stop(self.student.loss("protocol"))
        return None

    def _explain(self, tree: Any, body: bytes) -> None:
        """Note the limit that an exception of the student's code comes from, if it comes from one."""
        assert self.student is not None  # noqa: S101 - for the type checker
        try:
            told = unpack_value(tree, body)
            kind, builtin, words = (as_text(told[key]) for key in ("class", "builtin", "message"))
        except (WireError, LookupError, TypeError):
            return
        name = builtin or kind
        self.limit = find_limit(name, words, self.student.look, self.sitting.limits)

    def _stop(self, lost: RoomLost) -> None:
        assert self.student is not None  # noqa: S101 - for the type checker
        ended = self.student.close()
        if ended in ("memory", "cpu"):
            lost = self.student.loss(ended)
        self.student = None
        self.lost, self.words, self.limit = lost.reason, str(lost), limit_of_loss(lost)
        self.sitting.lose(lost)
        # The test now learns that its question has no answer, and needs a moment to come to its end.
        self.clock = Clock(_EXAMINER_GRACE_SECONDS, math.inf, (self.examiner,))

    def _read_verdict(self, message: list[Any], tree: Any, body: bytes) -> CellRun:
        verdict = unpack_value(tree, body)
        if self.student is not None and self.limit in _LASTING:
            self.sitting.renew_student()
        words = self.words or (tell_limit(self.limit, self.sitting.limits) if self.limit else "")
        return CellRun(
            good=bool(message[1]),
            outputs=tuple(verdict["outputs"]),
            lost=self.lost,
            message=words,
            limit=self.limit,
            score=verdict["score"],
            report=verdict["report"],
            ours=verdict["ours"],
            unbound=verdict["unbound"],
        )
