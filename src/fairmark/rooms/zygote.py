"""Runs inside bubblewrap: imports what rooms need once, then forks a locked-down room for each notebook.

The zygote never runs a student's code. It takes orders over one socket (JSON in packets): ``open`` (with
the room's own socket and, where there is one, the way into its cgroup), ``interrupt``, ``look``, ``wait``
(for how long did the room get no processor?), ``close``, and ``split`` (fork another zygote, for another
worker); and it watches how much memory the open rooms use.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairmark.rooms import confined, desk, linux, shell, watch

_HOME = os.environ.get("HOME", "/home/student")
_TEMPORARY = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - the room's private one
_WATCH_SECONDS = 0.1
_PATIENCE_SECONDS = 2.0  # what has stood back gets no processor for a while where others are busy
_FEW, _MANY = 2, 8  # threads that run at a time
_PRESSED_LOOKS = 5
_NOTIFIERS = 4
# The room's private disks, and the limit that each stands for.
_SHARED_MEMORY = "/dev/shm"  # noqa: S108
_DISKS = {_TEMPORARY: "disk", _SHARED_MEMORY: "shared_memory", _HOME: "disk"}
_FULL = "bubblewrap"  # the level with namespaces of its own for each room
_WALK_SECONDS = 1.0
_PACES = 2_000  # so often is kept how long a room had waited for a processor
_NAMESPACES = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWNET
)


@dataclass
class _Room:
    """An open room, as the zygote sees it."""

    keeper: int  # ends when the room has ended; where the room has namespaces of its own, this is `init`
    init: int  # the room's process number 1; killing it ends everything inside
    disks: dict[str, str]  # where its disks can be looked at, each with its limit
    held: tuple[int, ...]  # what keeps them there till the room is closed, though it may have ended
    events: int | None = None  # counts what the kernel has ended in its cgroup for want of memory
    reason: str = ""
    stored: int = 0  # on folders that have no size of their own
    walked: float = 0.0
    most: watch.Use = field(default_factory=watch.Use)  # since the last look
    full: set[str] = field(default_factory=set)
    shell: int | None = None
    crowded: bool = False  # by threads of its own: these, and not others, take its processors
    pressed: int = 0  # looks in a row at which more than a few ran that do not stand back
    paces: list[tuple[float, float]] = field(default_factory=list)  # moments, and the waits until then

    def note_pace(self) -> float:
        """Return how long its shell has waited for a processor until now, and keep it."""
        self.shell = self.shell or watch.eldest_child(self.init)
        waited = watch.read_wait(self.shell) if self.shell else 0.0
        self.paces.append((time.monotonic(), waited))
        if len(self.paces) > _PACES:
            del self.paces[1:-1:2]
        return waited

    def waited_since(self, moment: float) -> float:
        """Return the seconds that its shell has waited for a processor since a moment, because of others."""
        if self.crowded:
            return 0.0
        waited = self.note_pace()
        before = [each for when, each in self.paces if when <= moment]
        return max(waited - (before or [0.0])[-1], 0.0)

    def note(self, use: watch.Use) -> None:
        """Keep the most of each number."""
        self.most.processes = max(self.most.processes, use.processes)
        self.most.tasks = max(self.most.tasks, use.tasks)

    def share(self, use: watch.Use) -> None:
        """Let others go before what runs here; before the shell, too, where new ones come again and again."""
        self.crowded = self.crowded or use.running > _MANY
        self.pressed = self.pressed + 1 if use.eager > _FEW else 0
        if self.pressed:
            watch.stand_back(self.init, self.shell if self.pressed < _PRESSED_LOOKS else None)

    def printed(self) -> int:
        """Return the bytes that C code and child processes have written to its outputs."""
        size = 0
        for descriptor in (1, 2):
            with contextlib.suppress(OSError):
                size += 512 * Path(f"/proc/{self.init}/fd/{descriptor}").stat().st_blocks
        return size

    def release(self) -> None:
        """Close what is held open for it."""
        for descriptor in self.held:
            os.close(descriptor)
        if self.events is not None:
            os.close(self.events)

    def end(self, reason: str) -> None:
        """End everything in it."""
        self.reason = reason
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.init, signal.SIGKILL)


# --- in the fork: from a copy of the zygote to a locked room ----------------------------------------------


def _map_user(uid: int, gid: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _lay_over(folder: str, options: str, seen: list[str]) -> None:
    """Mount an empty disk over a folder; what of `seen` lies in there stays."""
    kept = [path for path in seen if Path(path).is_relative_to(folder)]
    descriptors = [os.open(path, os.O_PATH) for path in kept]
    linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
    for path, descriptor in zip(kept, descriptors, strict=True):
        Path(path).mkdir(parents=True)
        linux.mount(f"/proc/self/fd/{descriptor}", path, "", linux.MS_BIND | linux.MS_REC)
        os.close(descriptor)


def _furnish(limits: dict[str, Any], seen: list[str]) -> None:
    """Give the room its private disks, its own process table, and no way to get more."""
    linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    for folder, limit in _DISKS.items():
        _lay_over(folder, f"size={limits[limit]},nr_inodes={limits['files']},mode=0700", seen)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    socket.sethostname("room")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    # They count as the grader's, too, who has few: whoever else runs as this user would have none left.
    with contextlib.suppress(OSError):
        Path("/proc/sys/user/max_inotify_instances").write_text(str(_NOTIFIERS))


def _cover(paths: list[str]) -> None:
    """Lay something empty over each path: what an assignment forbids does not exist in the room."""
    for path in paths:
        if Path(path).is_dir():
            flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_RDONLY
            linux.mount("tmpfs", path, "tmpfs", flags, "size=4k,nr_inodes=1,mode=0555")
        elif Path(path).exists():
            linux.mount("/dev/null", path, "", linux.MS_BIND)


def _limit(limits: dict[str, Any], running: int) -> None:
    seconds = int(limits["cpu_seconds"]) + 5
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, limits["file_size"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, limits["processes"] + running),
        # Address space, not memory: twice the room's memory, so that a single huge allocation is a
        # MemoryError in the student's cell. The sum over processes is watched by the zygote.
        (resource.RLIMIT_AS, 2 * limits["memory"] + 2**31),
    ):
        resource.setrlimit(name, (value, value))


def _close_all_but(descriptor: int) -> int:
    """Close every descriptor; return where `descriptor` is now."""
    os.dup2(descriptor, 3)
    os.closerange(4, 2**16)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.closerange(4, 2**10)
    for stream in (1, 2):  # what C code and child processes print is read from here by the shell
        store = os.memfd_create(f"output{stream}")
        os.dup2(store, stream, inheritable=True)
    os.closerange(4, 2**10)
    return 3


def _be_init(child: int) -> int:
    """Reap until `child` ends; pass interrupts on to it. Return the exit status."""
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGINT))
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return 0
        except InterruptedError:
            continue
        if pid == child:
            return status


def _exit_code(status: int) -> int:
    """Return the code of a process that has ended, as a shell tells it: 128 and the signal that ended it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _live(setup: dict[str, Any], descriptor: int) -> None:
    """Be the room: its first process and, below it, the shell. Never returns."""
    full = setup["level"] == _FULL
    if full:
        _furnish(setup["limits"], setup["seen"])
        _cover(setup["covered"])
    else:
        os.setpgid(0, 0)
    Path(desk.WORK).mkdir(exist_ok=True)
    os.chdir(desk.WORK)
    own = _close_all_but(descriptor)
    _limit(setup["limits"], setup["running"])
    linux.drop_privileges(bounding=full)
    if setup["level"] != "none":
        linux.forbid_calls()
        if not full:
            confined.lock(setup, list(_DISKS), setup["guarded"])
    child = os.fork()
    if child:
        os.close(own)
        os._exit(_exit_code(_be_init(child)))
    if full:
        os.setsid()
        linux.keep_session()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    desk.serve(socket.socket(fileno=own), setup)
    os._exit(0)


def _enter(gate: int | None) -> None:
    """Go into the room's cgroup; the grader looks whether it worked."""
    if gate is not None:
        with contextlib.suppress(OSError):
            os.write(gate, b"0")


def _begin(setup: dict[str, Any], descriptor: int, report: int, gate: int | None, ids: Any) -> None:
    """Be process 1 of a room; `ids` are user and group of one with namespaces of its own. Never returns."""
    try:
        linux.end_with_parent(signal.SIGKILL)
        if ids is not None:
            os.setsid()
            _map_user(*ids)
        _enter(gate)
        _live(setup, descriptor)
    except BaseException:  # noqa: BLE001 - the fork must never get back into the zygote's loop
        os.write(report, traceback.format_exc().encode()[-4000:])
    os._exit(70)


def _keep(setup: dict[str, Any], descriptor: int, report: int, gate: int | None) -> None:
    """Start process 1 of a room without namespaces, and clear away what it leaves. Never returns."""
    try:
        linux.end_with_parent(signal.SIGKILL)
        os.setsid()
        linux.adopt_orphans()
        setup["guarded"] = [1, os.getpid(), -os.getpid(), os.getppid(), -os.getpgid(os.getppid())]
        init = os.fork()
        if init == 0:
            _begin(setup, descriptor, report, gate, None)
        os.close(descriptor)
        os.write(report, f"init {init}\n".encode())
        os.close(report)
        ended = 0
        while ended != init:
            ended, status = os.wait()
        confined.clear(init, list(_DISKS))
        os._exit(_exit_code(status))
    except BaseException:  # noqa: BLE001
        for channel in (report, 2):  # told to whom opens the room, later to whom reads what zygotes say
            with contextlib.suppress(OSError):
                os.write(channel, traceback.format_exc().encode()[-4000:])
    os._exit(71)


def _read_init(told: bytes) -> int | None:
    """Return the number of a room's process 1, as its keeper tells it."""
    found = re.search(rb"^init (\d+)$", told, re.MULTILINE)
    return int(found[1]) if found else None


def _hold_disks(init: int) -> tuple[dict[str, str], tuple[int, ...]]:
    """Return where the private disks of a room can be looked at, and what holds them there."""
    disks: dict[str, str] = {}
    held: list[int] = []
    for folder, limit in _DISKS.items():
        with contextlib.suppress(OSError):  # it has ended already
            held.append(os.open(f"/proc/{init}/root{folder}", os.O_PATH | os.O_DIRECTORY))
            disks[f"/proc/self/fd/{held[-1]}"] = limit
    return disks, tuple(held)


# --- the zygote itself ------------------------------------------------------------------------------------


class Zygote:
    """Takes orders, forks rooms, watches them."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.rooms: dict[int, _Room] = {}
        self.setup = json.loads(control.recv(2**16))

    def prepare(self) -> None:
        """Import what the rooms will need; what fails is told, not fatal."""
        gc.disable()  # thousands of classes and functions come that stay
        faults = []
        sys.path[:0] = self.setup["path"]
        needed = [name for name in self.setup["without"] if name in sys.modules]
        if needed:  # the author is told so; till then a room without them could not even be built
            self.setup["without"] = []
        shell.do_without(self.setup["without"])
        shell.warm(self.setup["role"])
        for statement in self.setup["preload"]:
            try:
                exec(statement, {})  # noqa: S102 - the instructor's own import statements
            except BaseException as error:  # noqa: BLE001 - an import that fails is told where it is used
                faults.append(f"{statement}: {type(error).__name__}: {error}")
        shell.rehearse(self.setup["role"])
        gc.freeze()  # not collected before: what there is of rubbish is little, and to find it takes a while
        gc.enable()
        needed += [name for name in self.setup["without"] if name in sys.modules]
        self.answer({"ready": True, "faults": faults[:50], "needed": needed})

    def answer(self, message: dict[str, Any]) -> None:
        """Send one packet."""
        self.control.send(json.dumps(message).encode())

    def run(self) -> None:
        """Serve until the grader is gone."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        watched = time.monotonic()
        while True:
            if poll.poll(_WATCH_SECONDS * 1000 if self.rooms else None):
                data, descriptors, *_ = socket.recv_fds(self.control, 2**16, 3)
                if not data:
                    break
                self._obey(json.loads(data), descriptors)
            if self.rooms and time.monotonic() - watched >= _WATCH_SECONDS:
                self._watch()
                watched = time.monotonic()
        for number in list(self.rooms):
            self._close(number)

    def _obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        number = order["room"]
        if order["order"] == "split":
            self._split(*descriptors)
        elif order["order"] == "open":
            self.answer(self._open(number, order["setup"], *descriptors))
        elif order["order"] == "interrupt" and number in self.rooms:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.rooms[number].init, signal.SIGINT)
        elif order["order"] == "wait":
            room = self.rooms.get(number)
            waited = room.waited_since(order["setup"]["since"]) if room is not None else 0.0
            self.answer({"room": number, "waited": waited})
        elif order["order"] == "look":
            self.answer(self._look(number))
        elif order["order"] == "close":
            self.answer(self._close(number, patience=_PATIENCE_SECONDS if order["setup"].get("lost") else 0))

    def _split(self, descriptor: int) -> None:
        """Fork another zygote that is controlled over `descriptor`; it ends with this one."""
        if os.fork():
            os.close(descriptor)
            self.answer({"room": 0})
            return
        linux.end_with_parent(signal.SIGKILL)
        self.control.close()
        self.control = socket.socket(fileno=descriptor)
        for room in self.rooms.values():
            room.release()
        self.rooms.clear()
        self.run()
        os._exit(0)

    def _open(
        self,
        number: int,
        setup: dict[str, Any],
        descriptor: int,
        gate: int | None = None,
        events: int | None = None,
    ) -> dict[str, Any]:
        if self.rooms and self.setup["level"] != _FULL:
            for each in (descriptor, gate, events):
                if each is not None:
                    os.close(each)
            return {"room": number, "error": "at this level of the sandbox one room at a time can be open"}
        setup["running"] = 0 if self.setup["level"] == _FULL else watch.count_tasks(os.getuid())
        reading, writing = os.pipe()
        told = b""
        try:
            keeper = self._fork({**self.setup, **setup}, descriptor, (reading, writing), gate)
        except OSError as error:  # there are no namespaces to be had
            keeper, told = 0, str(error).encode()
        os.close(writing)
        os.close(descriptor)
        if gate is not None:
            os.close(gate)
        while part := os.read(reading, 4096):  # both sides close it when the room is furnished
            told += part
        os.close(reading)
        full = self.setup["level"] == _FULL
        init = keeper if full else _read_init(told)
        if not init or b"Traceback" in told:
            if keeper:
                os.waitpid(keeper, 0)
            if events is not None:
                os.close(events)
            return {"room": number, "error": told.decode(errors="replace")}
        disks, held = _hold_disks(init) if full else (_DISKS, ())
        self.rooms[number] = _Room(keeper, init, disks, held, events=events)
        return {"room": number}

    def _fork(self, setup: dict[str, Any], descriptor: int, report: tuple[int, int], gate: int | None) -> int:
        """Fork process 1 of a room with namespaces of its own, or what keeps one without."""
        ids = os.getuid(), os.getgid()
        full = setup["level"] == _FULL
        child = linux.fork_into(_NAMESPACES) if full else os.fork()
        if child == 0:
            os.close(report[0])
            self.control.close()
            if full:
                _begin(setup, descriptor, report[1], gate, ids)
            _keep(setup, descriptor, report[1], gate)
        return child

    def _close(self, number: int, patience: float = 0) -> dict[str, Any]:
        """End a room; one that is ending by itself gets a moment for it, so that it is known how."""
        room = self.rooms.pop(number, None)
        if room is None:
            return {"room": number, "reason": "gone"}
        until = time.monotonic() + patience
        while not (ended := os.waitpid(room.keeper, os.WNOHANG))[0] and time.monotonic() < until:
            time.sleep(0.002)
        status = ended[1]
        if not ended[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(room.init, signal.SIGKILL)
            _, status = os.waitpid(room.keeper, 0)
        if room.held:
            room.full |= watch.look_at_disks(room.disks, self.setup["limits"]["files"])[1]
        if watch.ran_out(room.events):
            room.reason = "memory"
        room.release()
        return {
            "room": number,
            "reason": room.reason or ("ended" if ended[0] else "closed"),
            "status": _exit_code(status),
            "full": sorted(room.full),
        }

    def _watch(self) -> None:
        """Note what rooms use; end those that use more memory or processor time than they may."""
        limits = self.setup["limits"]
        uses = watch.measure({room.keeper for room in self.rooms.values()})
        for room in self.rooms.values():
            room.note_pace()
            use = uses.get(room.keeper)
            if use is None:
                continue
            room.note(use)
            room.share(use)
            stored = self._look_at_disks(room)
            most = limits["memory"] - stored - room.printed()
            # The kernel counts resident pages with a tolerance: half of the memory is far from the limit.
            if watch.ran_out(room.events) or (use.memory > most / 2 and watch.weigh(room.keeper) > most):
                room.end("memory")
            elif use.cpu > limits["cpu_seconds"]:
                room.end("cpu")

    def _look_at_disks(self, room: _Room) -> int:
        """Return the bytes that lie on a room's disks, in memory; end it where folders hold too much."""
        limits, level = self.setup["limits"], self.setup["level"]
        if level.startswith(_FULL):
            stored, full = watch.look_at_disks(room.disks, limits["files"])
            room.full |= full
            if level != _FULL and "files" in full:  # the disks of all rooms together hold more than one may
                room.end("files")
            return stored
        if time.monotonic() - room.walked >= _WALK_SECONDS:
            room.stored, full = watch.add_up_folders(room.disks, limits, room.keeper)
            room.walked = time.monotonic()
            for limit in sorted(full):
                room.end(limit)
        return room.stored

    def _look(self, number: int) -> dict[str, Any]:
        """Tell what was seen of a room since the last look."""
        self._watch()
        room = self.rooms.get(number)
        if room is None:
            return {"room": number}
        told = {
            "room": number,
            "processes": room.most.processes,
            "tasks": room.most.tasks,
            "full": sorted(room.full),
            "largest": watch.largest_file(room.disks),
        }
        room.most, room.full = watch.Use(), set()
        return told


def _leave_root(user: int, seen: list[str]) -> None:
    """Go on as an unprivileged user, who can still read what rooms have to see.

    A home folder is often closed to others; the interpreter in there is laid open in a view of our own.
    """
    above = {folder for path in seen for folder in Path(path).parents}
    closed = sorted((str(folder) for folder in above if not _may_enter(folder, user)), key=len)
    if closed:
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
        while closed:
            _lay_over(closed[0], "mode=0755", seen)
            closed = [folder for folder in closed if not Path(folder).is_relative_to(closed[0])]
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    linux.be_observable()
    linux.end_with_parent(signal.SIGKILL)


def _may_enter(folder: Path, user: int) -> bool:
    status = folder.stat()
    return bool(status.st_mode & 1) or status.st_uid == user


def main() -> None:
    """Start from the command line that `bubblewrap.zygote_command` makes."""
    linux.end_with_parent(signal.SIGKILL)
    ctypes.CDLL(None)  # loaded before the first fork
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's to handle
    zygote = Zygote(socket.socket(fileno=int(sys.argv[1])))
    if zygote.setup["user"]:
        _leave_root(zygote.setup["user"], zygote.setup["seen"])
    if zygote.setup["level"] in ("landlock", "none") and not zygote.setup["user"]:
        del _DISKS[_SHARED_MEMORY]  # it is shared with everything else that its user runs
    zygote.prepare()
    zygote.run()


if __name__ == "__main__":
    main()
