"""The grader's side of a room: start a zygote, open rooms from it, talk with a deadline, stop, tell why."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any

from fairmark.errors import RoomLost, SandboxError
from fairmark.rooms import watch
from fairmark.rooms.cgroup import Fence, find_ground
from fairmark.rooms.launch import launch
from fairmark.rooms.limits import Evidence, limit_of, tell_stop
from fairmark.rooms.policy import FULL
from fairmark.rooms.wire import Channel, WireError, pack_frame, unpack_head

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairmark.packages import Package
    from fairmark.rooms.policy import Policy

_START_SECONDS = 60.0
_OPEN_SECONDS = 20.0
_CLOSE_SECONDS = 30.0
_END_SECONDS = 5.0
_INTERRUPT_SECONDS = 2.0
_ASLEEP_SECONDS = 5.0  # no wait ends so late, however busy the machine is, unless by Ctrl-Z or the like
_BUS_ERROR = 128 + signal.SIGBUS


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Zygote:
    """A sandboxed process from which rooms are forked; started at once, ready when `wait` has come back.

    Parameters
    ----------
    policy : Policy
        What its rooms see and may use.
    level : str
        How far they are kept from the machine: one of `fairmark.rooms.policy.LEVELS`, or ``none``.
    control : socket, optional
        Of a zygote that was split off from another's (see `split`); then none is started.

    Raises
    ------
    SandboxError
        Where it does not start; the message holds what it said.
    """

    def __init__(self, policy: Policy, level: str = FULL, control: socket.socket | None = None) -> None:
        self.policy = policy
        self.level = level
        self.numbers = itertools.count(1)
        self.ground = find_ground()
        self.fences: dict[int, Fence] = {}  # of the open rooms that have one
        self.fenced = False  # whether the last room that was opened has one
        self.faults: tuple[str, ...] = ()  # of what it should import
        self.needed: tuple[str, ...] = ()  # of what it should do without
        self.said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self.folder = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = control is not None
        if control is not None:
            self.control = control
        else:
            self._start()

    def _start(self) -> None:
        policy = self.policy
        self.control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            start = launch(policy, self.level, inside.fileno())
        except BaseException:
            for each in (self.said, self.control, inside):
                each.close()
            raise
        self.folder = start.folder
        self.process = subprocess.Popen(  # noqa: S603 - the command is ours
            start.command,
            env=start.environment,
            pass_fds=(inside.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=self.said,
            cwd="/",
            start_new_session=True,  # Ctrl-C is the grader's to hear: see `kill`
        )
        inside.close()
        setup = {
            "role": policy.role,
            "limits": asdict(policy.limits),
            "preload": policy.preload,
            "path": start.path,
            "without": policy.without,
            "seen": start.seen,
            "level": self.level,
            "user": start.user,
            "own_user": bool(start.user),
        }
        with contextlib.suppress(OSError):  # it has ended at once: `wait` tells why
            self.control.send(json.dumps(setup).encode())

    def wait(self) -> None:
        """Come back when rooms can be opened.

        Raises
        ------
        SandboxError
            Where it did not start; the message holds what it said, and it is closed.
        """
        if self.ready:
            return
        try:
            told = self._hear(_START_SECONDS)
        except SandboxError:
            self.close()
            raise
        except OSError as error:
            said = self._words()
            self.close()
            raise SandboxError(f"the sandbox did not start: {error}\n{said}") from None
        self.faults, self.needed = tuple(told["faults"]), tuple(told["needed"])
        self.ready = True

    def is_alive(self) -> bool:
        """Tell whether rooms can still be opened."""
        try:
            self.control.settimeout(0)
            return bool(self.control.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                self.control.settimeout(_OPEN_SECONDS)

    def split(self) -> socket.socket:
        """Let it fork another like itself, with all that it has imported; return how to control that one.

        Rooms of both can be open at the same time, so their folders must be their own: this is for the full
        level alone. The other one ends with this one, or when its control is closed everywhere.
        """
        control, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with inside:
            try:
                self._order("split", 0, {}, inside.fileno())
                self._hear(_OPEN_SECONDS, 0)
            except SandboxError:
                control.close()
                raise
        return control

    def _words(self) -> str:
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
        self.said.seek(0)
        return self.said.read(8000).decode(errors="replace").strip()

    def _hear(self, seconds: float, number: int | None = None) -> dict[str, Any]:
        """Return the next answer; with a room's `number` the next one that is about this room."""
        until = time.monotonic() + seconds
        while True:
            self.control.settimeout(max(until - time.monotonic(), 0.001))
            try:
                data = self.control.recv(2**16)
            except TimeoutError:
                raise SandboxError(f"the sandbox did not answer within {seconds:.0f} s") from None
            except ConnectionError:  # it was killed with a question of ours unread
                data = b""
            if not data:
                status = self.process.poll() if self.process is not None else "unknown"
                raise SandboxError(f"the sandbox ended (exit status {status}): {self._words()}")
            answer: dict[str, Any] = json.loads(data)
            if number is None or answer.get("room") == number:
                return answer

    def _order(self, order: str, number: int, setup: dict[str, Any], *descriptors: int) -> None:
        message = json.dumps({"order": order, "room": number, "setup": setup}).encode()
        try:
            socket.send_fds(self.control, [message], list(descriptors))
        except OSError as error:
            raise SandboxError(f"the sandbox is gone: {error}; {self._words()}") from None

    def open_room(
        self, files: dict[str, dict[str, bytes]], seed: int, without: tuple[Package, ...] = ()
    ) -> Room:
        """Fork a room: see `begin_room` and `Opening.wait`."""
        return self.begin_room(files, seed, without).wait()

    def begin_room(
        self, files: dict[str, dict[str, bytes]], seed: int, without: tuple[Package, ...] = ()
    ) -> Opening:
        """Ask for a room, and do not wait for it. Nothing else may be asked of the zygote meanwhile.

        Parameters
        ----------
        files : dict
            ``work``: the files beside the notebook; ``trusted``: the instructor's (examiner's room).
        seed : int
            Of the room's random generators.
        without : tuple of Package
            What does not exist in the room.

        Raises
        ------
        SandboxError
            Where the zygote is gone.
        """
        number = next(self.numbers)
        outside, inside = socket.socketpair()
        with inside, contextlib.ExitStack() as opened:
            setup = {
                "seed": seed,
                "without": [module for package in without for module in package.modules],
                "covered": [path for package in without for path in package.paths],
            }
            self._order("open", number, setup, inside.fileno(), *self._fence(number, opened))
        return Opening(self, number, files, outside)

    def finish_room(self, number: int, files: dict[str, dict[str, bytes]], outside: socket.socket) -> Room:
        """Wait for a room and lay its files into it: see `Opening.wait`."""
        answer = self._hear(_OPEN_SECONDS, number)
        if "error" in answer:
            outside.close()
            self._tear_down(number)
            raise SandboxError(f"a room could not be furnished:\n{answer['error']}")
        self.fenced = number in self.fences and self.fences[number].holds()
        if not self.fenced:
            self._tear_down(number)  # it could not get in: the watcher has to do
        room = Room(self, number, Channel(outside))
        try:
            room.send(pack_frame(["files"], files), time.monotonic() + _OPEN_SECONDS)
            message, *_ = room.receive(time.monotonic() + _OPEN_SECONDS)
        except RoomLost as lost:
            raise SandboxError(f"a room ended while it was opened ({lost.reason}): {self._tail()}") from None
        except TimeoutError:
            room.close()
            raise SandboxError(f"a room did not open within {_OPEN_SECONDS:.0f} s: {self._tail()}") from None
        if message[0] != "ready":
            room.close()
            raise SandboxError(f"a room could not be set up:\n{message[-1]}")
        return room

    def _fence(self, number: int, opened: contextlib.ExitStack) -> tuple[int, ...]:
        """Make the cgroup of a room, where that can be had; return what its first process enters it by."""
        fence = self.ground.enclose(self.policy.limits.memory) if self.ground else None
        if fence is None:
            return ()
        try:
            gate = fence.open_gate()
        except OSError:
            fence.remove()
            return ()
        for descriptor in gate:
            opened.callback(os.close, descriptor)
        self.fences[number] = fence
        return gate

    def _tear_down(self, number: int) -> None:
        fence = self.fences.pop(number, None)
        if fence is not None:
            fence.remove()

    def _tail(self) -> str:
        self.said.seek(0, os.SEEK_END)
        self.said.seek(max(0, self.said.tell() - 3000))
        return self.said.read().decode(errors="replace")

    def interrupt(self, number: int) -> None:
        """Send an interrupt to what runs in a room."""
        self._order("interrupt", number, {})

    def ask_wait(self, number: int, since: float) -> float:
        """Return for how many seconds a room could run and had no processor, since a moment."""
        self._order("wait", number, {"since": since})
        return float(self._hear(_CLOSE_SECONDS, number)["waited"])

    def look_at_room(self, number: int) -> Evidence:
        """Return what was seen of a room since the last look."""
        self._order("look", number, {})
        return Evidence.read(self._hear(_CLOSE_SECONDS, number))

    def close_room(self, number: int, *, lost: bool = False) -> dict[str, Any]:
        """End a room and everything in it; return why and how it ended."""
        self._order("close", number, {"lost": lost})
        try:
            return self._hear(_CLOSE_SECONDS, number)
        except SandboxError:
            self.kill()  # the next submission gets another
            raise
        finally:
            self._tear_down(number)

    def kill(self) -> None:
        """End the zygote and all of its rooms, whatever it is at."""
        self.control.close()
        if self.process is not None and self.process.poll() is None:
            # Not the first process alone: bubblewrap that loses its parent while it starts waits for ever.
            # And first they stop, so that none of them can start another meanwhile.
            stopped: set[int] = set()
            while found := {self.process.pid, *watch.below(self.process.pid)} - stopped:
                _signal(found, signal.SIGSTOP)
                watch.wait_until_still(found)
                stopped |= found
            _signal(stopped, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """End the zygote and all of its rooms; one that is still starting is not waited for."""
        self.control.close()
        if self.process is not None:
            try:
                self.process.wait(_END_SECONDS if self.ready else 0)
            except subprocess.TimeoutExpired:
                self.kill()
        for number in list(self.fences):
            self._tear_down(number)
        self.said.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Zygote:
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Opening:
    """A room that was asked for.

    Parameters
    ----------
    zygote : Zygote
    number : int
        The room's.
    files : dict
        What will lie in it.
    outside : socket
        Our end of the connection to its shell.
    """

    zygote: Zygote
    number: int
    files: dict[str, dict[str, bytes]]
    outside: socket.socket

    def wait(self) -> Room:
        """Return the room when it is furnished.

        Raises
        ------
        SandboxError
            Where it cannot be furnished.
        """
        return self.zygote.finish_room(self.number, self.files, self.outside)


class Room:
    """One open room.

    Parameters
    ----------
    zygote : Zygote
        Where it was forked.
    number : int
        Its number there.
    channel : Channel
        The connection to its shell.
    """

    def __init__(self, zygote: Zygote, number: int, channel: Channel) -> None:
        self.zygote = zygote
        self.number = number
        self.channel = channel
        self.open = True

    def send(self, frame: bytes, deadline: float) -> None:
        """Send a frame.

        Raises
        ------
        RoomLost, TimeoutError
            Where the room is gone, or does not listen until `deadline`.
        """
        try:
            self.channel.send(frame, deadline)
        except TimeoutError:
            raise
        except OSError:
            raise self._lost() from None

    def forward(self, head: bytes, body: bytes, deadline: float) -> None:
        """Send a frame on as it came from another room: see `send`."""
        try:
            self.channel.forward(head, body, deadline)
        except TimeoutError:
            raise
        except OSError:
            raise self._lost() from None

    def receive(self, deadline: float) -> tuple[list[Any], Any, bytes, bytes]:
        """Return the next frame: envelope, tree, head and body.

        Raises
        ------
        RoomLost, TimeoutError
            Where the room is gone or sends no frame, or nothing comes until `deadline`.
        SandboxError
            Where this process itself was stopped meanwhile: then nobody knows how long the room has taken.
        """
        began = time.monotonic()
        try:
            head, body = self.channel.receive(deadline)
            message, tree = unpack_head(head)
        except TimeoutError:
            late = time.monotonic() - deadline
            if began < deadline and late > _ASLEEP_SECONDS:
                raise SandboxError(f"the grader itself was stopped for {late:.0f} s or more") from None
            raise
        except (EOFError, OSError):
            raise self._lost() from None
        except WireError:
            self.close()
            raise self.loss("protocol") from None
        return message, tree, head, body

    def loss(self, reason: str) -> RoomLost:
        """Return what to raise where the room was stopped, or ended, for `reason`."""
        return RoomLost(reason, tell_stop(reason, self.zygote.policy.limits), limit_of(reason))

    def _lost(self) -> RoomLost:
        """End the room and return why it was lost."""
        ended = self.end(lost=True)
        if ended["reason"] in ("memory", "cpu", "disk", "shared_memory", "files"):
            return self.loss(str(ended["reason"]))
        # A process that touches shared memory which is not there ends without an exception.
        full = Evidence.read(ended).full
        if ended.get("status") == _BUS_ERROR and full & {"shared_memory", "disk"}:
            told = self.loss("shared_memory" if "shared_memory" in full else "disk")
            return RoomLost("crash", str(told), told.limit)
        return self.loss("crash")

    def look(self) -> Evidence:
        """Return what was seen of the room since the last look; nothing where it cannot be looked at."""
        try:
            return self.zygote.look_at_room(self.number) if self.open else Evidence()
        except SandboxError:
            return Evidence()

    def waited(self, since: float) -> float:
        """Return for how many seconds since a moment of `time.monotonic` it could not have a processor."""
        try:
            return self.zygote.ask_wait(self.number, since) if self.open else 0.0
        except SandboxError:
            return 0.0

    def interrupt(self) -> float:
        """Interrupt what runs; return how many seconds it has to stop."""
        self.zygote.interrupt(self.number)
        return _INTERRUPT_SECONDS

    def close(self) -> str:
        """End the room and everything in it; return why it ended."""
        return str(self.end().get("reason", ""))

    def end(self, *, lost: bool = False) -> dict[str, Any]:
        """End the room and everything in it; return what the zygote tells of its end.

        `lost` says that it seems to have ended by itself.
        """
        if not self.open:
            return {"reason": "closed"}
        self.open = False
        self.channel.close()
        return self.zygote.close_room(self.number, lost=lost)

    def __enter__(self) -> Room:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
