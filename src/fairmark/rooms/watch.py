"""Adds up what rooms use, as seen from outside of them: memory, processor time, processes, files, disks."""

from __future__ import annotations

import contextlib
import os
import resource
from dataclasses import dataclass
from pathlib import Path

_SOCKET_BUFFER = 2 * 212_992  # what Linux lets a process ask for by default
_TICKS = os.sysconf("SC_CLK_TCK")
_FULL = 0.02  # a disk is full when less than this part of it is free


@dataclass(slots=True)
class Use:
    """What the processes of one room use at one moment: bytes, seconds, numbers."""

    memory: int = 0
    cpu: float = 0.0
    processes: int = 0
    tasks: int = 0


def measure(inits: set[int]) -> dict[int, Use]:
    """Return what is used below each of the processes `inits`."""
    stats: dict[int, list[str]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stats[int(entry.name)] = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
    parents = {pid: int(fields[1]) for pid, fields in stats.items() if len(fields) > 17}
    used: dict[int, Use] = {}
    for pid in parents:
        above = pid
        while above and above not in inits:
            above = parents.get(above, 0)
        if above:
            _add(used.setdefault(above, Use()), pid, stats[pid])
    return used


def _add(use: Use, pid: int, fields: list[str]) -> None:
    """Add one process."""
    use.memory += _proportional_size(pid) + _buffer_size(pid)
    use.cpu += sum(map(int, fields[11:15])) / _TICKS  # its own and that of children that it has waited for
    use.processes += 1
    use.tasks += int(fields[17])


def _proportional_size(pid: int) -> int:
    """Return the bytes of `pid`, shared pages divided by the number of their users."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # the process has hidden itself, or is gone: its resident pages can always be read
        return _resident_size(pid)
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return _resident_size(pid)


def _resident_size(pid: int) -> int:
    """Return the bytes of `pid` in memory; its threads tell them even where the first one has ended."""
    sizes = [0]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError, LookupError, ValueError):
                sizes.append(int((task / "statm").read_text().split()[1]))
    return max(sizes) * resource.getpagesize()


def _buffer_size(pid: int) -> int:
    """Return the bytes that the sockets of `pid` may hold in the kernel."""
    sockets = 0
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets += str(entry.readlink()).startswith("socket:")
    return sockets * _SOCKET_BUFFER


def look_at_disks(disks: dict[str, str]) -> tuple[int, set[str]]:
    """Return the bytes on a room's private disks, and which limits are used up.

    Parameters
    ----------
    disks : dict of str to str
        Mount points, each with the limit that it stands for: ``disk`` or ``shared_memory``.
    """
    used = 0
    full: set[str] = set()
    for folder, limit in disks.items():
        try:
            status = os.statvfs(folder)
        except OSError:
            continue
        used += (status.f_blocks - status.f_bfree) * status.f_frsize
        if status.f_bfree <= _FULL * status.f_blocks:
            full.add(limit)
        if status.f_ffree <= _FULL * status.f_files:
            full.add("files")
    return used, full


def largest_file(folders: dict[str, str]) -> int:
    """Return the bytes of the largest file below `folders`."""
    largest = 0
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):
                    largest = max(largest, os.lstat(os.path.join(place, name)).st_size)  # noqa: PTH118 - there may be thousands
    return largest
