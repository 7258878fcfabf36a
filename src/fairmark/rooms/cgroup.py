"""Bounds the memory of a whole room with a cgroup of its own, where this machine lets us make one.

The grader makes the cgroup and removes it; the room's first process enters it over an open file that is
closed before any code of a student's runs. Both kinds are served: version 2, where a folder was delegated to
us, and version 1. Where neither can be had, the zygote's watcher (`fairmark.rooms.watch`) alone bounds it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

_NAME = "fairmark-room"
_ESCAPE = re.compile(r"\\([0-7]{3})")
_REMOVE_SECONDS = 1.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Fence:
    """The cgroup of one room.

    Parameters
    ----------
    folder : Path
    events : str
        The file in it that counts how often the kernel has ended a process for want of memory.
    """

    folder: Path
    events: str

    def open_gate(self) -> tuple[int, int]:
        """Return descriptors: a process that writes ``0`` to the first is inside; the second counts the ends.

        Raises
        ------
        OSError
        """
        gate = os.open(self.folder / "cgroup.procs", os.O_WRONLY)
        try:
            return gate, os.open(self.folder / self.events, os.O_RDONLY)
        except OSError:
            os.close(gate)
            raise

    def holds(self) -> bool:
        """Tell whether a process is inside."""
        try:
            return bool((self.folder / "cgroup.procs").read_text())
        except OSError:
            return False

    def remove(self) -> None:
        """Remove it; what runs in there gets a moment to end. What stays is swept by a later grader."""
        until = time.monotonic() + _REMOVE_SECONDS
        while True:
            try:
                self.folder.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > until:
                    return
                time.sleep(0.005)
            else:
                return


@dataclass(frozen=True, slots=True)
class Ground:
    """The cgroup below which we make those of rooms: its folder, and the version of its kind."""

    folder: Path
    version: int

    def enclose(self, memory: int) -> Fence | None:
        """Return a new cgroup that holds at most `memory` bytes, swap included; None where there is none."""
        fence = Fence(
            self.folder / f"{_NAME}-{os.getpid()}-{_started(os.getpid())}-{next(_numbers)}",
            "memory.events" if self.version == 2 else "memory.oom_control",
        )
        try:
            fence.folder.mkdir()
        except OSError:
            return None
        try:
            self._limit(fence, memory)
        except OSError:
            fence.remove()
            return None
        return fence

    def _limit(self, fence: Fence, memory: int) -> None:
        """Write the limits. What a kernel may be built without is left out where it is missing."""
        if self.version == 2:
            needed, wished = "memory.max", {"memory.swap.max": 0, "memory.oom.group": 1}
        else:  # the limit that counts swap, too, cannot be below the other, which therefore comes first
            needed = "memory.limit_in_bytes"
            wished = {"memory.memsw.limit_in_bytes": memory, "memory.swappiness": 0}
        (fence.folder / needed).write_text(str(memory))
        for name, value in wished.items():
            with contextlib.suppress(OSError):
                (fence.folder / name).write_text(str(value))
        if "oom_kill " not in (fence.folder / fence.events).read_text():
            raise OSError("the kernel does not tell whether memory was the reason")

    def sweep(self) -> None:
        """Remove the empty cgroups of graders that were killed."""
        with contextlib.suppress(OSError):
            for folder in self.folder.glob(f"{_NAME}-*"):
                pid, _, started = folder.name.removeprefix(f"{_NAME}-").rpartition("-")[0].partition("-")
                if pid.isdigit() and _started(int(pid)) != started:
                    with contextlib.suppress(OSError):  # something runs in it: it is not ours to end
                        folder.rmdir()


def find_ground() -> Ground | None:
    """Return where cgroups of rooms can be made, those of dead graders swept away; None where nowhere."""
    try:
        candidates = locate_own(
            Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text()
        )
    except OSError:
        return None
    for own in candidates:
        for ground in (own, Ground(own.folder.parent, 2)) if own.version == 2 else (own,):
            if ground is not own and not _is_delegated(ground.folder):
                continue
            ground.sweep()
            if ground.version == 2:  # refused where processes run in it; then its parent may do
                with contextlib.suppress(OSError):
                    (ground.folder / "cgroup.subtree_control").write_text("+memory")
            trial = ground.enclose(2**30)
            if trial is not None:
                trial.remove()
                return ground
    return None


def locate_own(cgroup: str, mountinfo: str) -> list[Ground]:
    """Return the cgroups of this process that may bound memory.

    Parameters
    ----------
    cgroup, mountinfo : str
        The text of these files in ``/proc/self``: cgroups(7) and proc_pid_mountinfo(5) tell their format.
    """
    mounts: list[tuple[int, str, Path]] = []
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        fields, (kind, _, options) = head.split(), [*tail.split(), "", "", ""][:3]
        if len(fields) < 5:
            continue
        root, point = (_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), each) for each in fields[3:5])
        if kind == "cgroup2":
            mounts.append((2, root, Path(point)))
        elif kind == "cgroup" and "memory" in options.split(","):
            mounts.append((1, root, Path(point)))
    found = []
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        path = Path(name)
        version = 2 if number == "0" and not controllers else 1 if "memory" in controllers.split(",") else 0
        for served, top, place in mounts:
            if served == version and path.is_relative_to(top) and ".." not in path.parts:
                found.append(Ground(place / path.relative_to(top), version))
                break
    return found


def _is_delegated(folder: Path) -> bool:
    """Tell whether a cgroup was given to us: it belongs to us, or systemd says so.

    Root could write to any, but a room beside root's own cgroup would pass the limits that this one has.
    """
    try:
        if (folder / "cgroup.procs").stat().st_uid == os.geteuid() != 0:
            return True
    except OSError:
        return False
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False


def _started(pid: int) -> str:
    """Return when a process was started, in ticks since the machine was: no two of a number share it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, LookupError):
        return ""
