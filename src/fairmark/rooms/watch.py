"""Adds up what rooms use, as seen from outside of them: memory, processor time, processes, files, disks."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SOCKET_BUFFER = 2 * 212_992  # what Linux lets a process ask for by default
_HIDDEN_SOCKETS = 256  # of a process that does not show its open files: as many as it may have
_TICKS = os.sysconf("SC_CLK_TCK")
_UNKNOWN = 2**50  # bytes: more than anybody may have
_DEEP = 1000  # characters of a path: looking at something deeper takes a time that grows with its square
_LAST = 19  # the niceness of what runs while nobody else wants to
_STILL_SECONDS = 2.0  # that a process may need to stop: one that waits for a disk does not hear
_FULL = 0.02  # a disk is full when less than this part of it is free


@dataclass(slots=True)
class Use:
    """What the processes of one room use at one moment: bytes, seconds, numbers.

    ``running`` are the threads that have, or want, a processor; ``eager`` are those that do not stand back.

    ``memory`` is at least what they use, because pages that several share count for each of them; `weigh`
    tells it exactly, which takes far longer.
    """

    memory: int = 0
    cpu: float = 0.0
    processes: int = 0
    running: int = 0
    eager: int = 0
    tasks: int = 0


def measure(tops: set[int]) -> dict[int, Use]:
    """Return what is used at and below each of the processes `tops`."""
    stats = _read_stats()
    used: dict[int, Use] = {}
    for pid, top in _sort_below(tops, stats).items():
        _add(used.setdefault(top, Use()), pid, stats[pid])
    return used


def _sort_below(tops: set[int], stats: dict[int, list[str]]) -> dict[int, int]:
    """Return the processes at and below `tops`, each with the one of these that it is below."""
    found: dict[int, int] = {}
    for pid in stats:
        above = pid
        while above in stats and above not in tops:
            above = int(stats[above][1])
        if above in tops:
            found[pid] = above
    return found


def _add(use: Use, pid: int, fields: list[str]) -> None:
    """Add one process."""
    use.memory += _resident_size(pid, fields) + _buffer_size(pid, fields)
    use.cpu += sum(map(int, fields[11:15])) / _TICKS  # its own and that of children that it has waited for
    use.processes += 1
    running = _find_running(pid, fields)
    use.running += len(running)
    use.eager += sum(niceness != _LAST for niceness in running)
    use.tasks += int(fields[17])


def _find_running(pid: int, fields: list[str]) -> list[int]:
    """Return the niceness of each thread of `pid` that runs, or would if there were a processor for it."""
    threads = [fields]
    if fields[17] != "1":
        threads = []
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    threads.append((task / "stat").read_text().rpartition(")")[2].split())
    return [int(each[16]) for each in threads if len(each) > 16 and each[0] == "R"]


def stand_back(top: int, spared: int | None) -> None:
    """Let all threads at and below `top` but one run only while nobody else wants to.

    A processor is shared among threads, not among rooms: without this, whoever starts a hundred has it.
    What they start will stand back, too, and there is no way back.
    """
    for pid in _sort_below({top}, _read_stats()):
        with contextlib.suppress(OSError):
            for task in map(int, os.listdir(f"/proc/{pid}/task")):  # noqa: PTH208 - numbers
                if task != spared:
                    with contextlib.suppress(OSError):
                        os.setpriority(os.PRIO_PROCESS, task, _LAST)


def eldest_child(pid: int) -> int | None:
    """Return the child of a process that was started first."""
    children = [(int(each[19]), child) for child, each in _read_stats().items() if int(each[1]) == pid]
    return min(children)[1] if children else None


def wait_until_still(pids: set[int]) -> None:
    """Wait until processes that were told to stop have done so: till then each may start another."""
    until = time.monotonic() + _STILL_SECONDS
    while time.monotonic() < until:
        stats = _read_stats()
        if all(stats[pid][0] in "TtZX" for pid in pids & stats.keys()):
            return
        time.sleep(0.001)


def read_wait(task: int | str) -> float:
    """Return for how many seconds a task could run and had no processor.

    Parameters
    ----------
    task : int or str
        The number of a process, whose first thread it is; or ``thread-self``, for the thread that asks.
    """
    try:
        return int(Path(f"/proc/{task}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, LookupError, ValueError):
        return 0.0


def weigh(top: int) -> int:
    """Return the bytes of the processes at and below `top`, shared pages divided by the number of users."""
    stats = _read_stats()
    return sum(
        _proportional_size(pid, stats[pid]) + _buffer_size(pid, stats[pid])
        for pid in _sort_below({top}, stats)
    )


def _proportional_size(pid: int, fields: list[str]) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # the process has hidden itself, or is gone: its resident pages can always be read
        return _resident_size(pid, fields)
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return _resident_size(pid, fields)


def _resident_size(pid: int, fields: list[str]) -> int:
    """Return the bytes of `pid` in memory; its threads tell them even where the first one has ended."""
    pages = int(fields[21])
    if not pages:
        sizes = [0]
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError, LookupError, ValueError):
                    sizes.append(int((task / "statm").read_text().split()[1]))
        pages = max(sizes)
    return pages * resource.getpagesize()


def _buffer_size(pid: int, fields: list[str]) -> int:
    """Return the bytes that the sockets of `pid` may hold in the kernel."""
    places = [Path(f"/proc/{pid}")]
    if not int(fields[20]):  # its first thread has ended, and perhaps all of it
        places = []
        with contextlib.suppress(OSError):
            places += Path(f"/proc/{pid}/task").iterdir()
    return max(map(_count_sockets, places), default=0) * _SOCKET_BUFFER


def _count_sockets(place: Path) -> int:
    """Count the sockets that a process or a thread has open, at most, where it does not show them."""
    sockets = 0
    try:
        for entry in (place / "fd").iterdir():
            with contextlib.suppress(OSError):
                sockets += str(entry.readlink()).startswith("socket:")
    except PermissionError:  # it has hidden itself, or is just ending and has no memory any more
        sockets = _HIDDEN_SOCKETS if _has_memory(place) else 0
    except OSError:
        return 0
    return sockets


def ran_out(events: int | None) -> bool:
    """Tell whether the kernel has ended a process because its cgroup was full.

    `events` is the open file that counts this (``memory.events``, ``memory.oom_control``); None where the
    room has no cgroup. Version 2 tells, too, whether it was this cgroup that was full, or the whole machine.
    """
    if events is None:
        return False
    try:
        words = os.pread(events, 4096, 0).decode().split()
    except OSError:
        return False
    counts = dict(zip(words[::2], words[1::2], strict=False))
    return counts.get("oom_kill", "0") != "0" and counts.get("oom") != "0"


def look_at_disks(disks: dict[str, str], files: int) -> tuple[int, set[str]]:
    """Return the bytes on a room's private disks, and which limits are used up.

    Parameters
    ----------
    disks : dict of str to str
        Mount points, each with the limit that it stands for: ``disk`` or ``shared_memory``.
    files : int
        How many files each may hold.
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
        if status.f_files - status.f_ffree >= (1 - _FULL) * files:
            full.add("files")
    return used, full


def _walk(folder: str) -> Iterator[os.stat_result | None]:
    """Yield the status of everything below a folder, however deep; None for a folder that cannot be read."""
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        if len(place) > _DEEP:
            yield None
            continue
        try:
            entries = list(os.scandir(place))
        except OSError:
            yield None
            continue
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                yield entry.stat(follow_symlinks=False)


def largest_file(folders: Iterable[str]) -> int:
    """Return the bytes of the largest file below `folders`."""
    found = (status for folder in folders for status in _walk(folder) if status is not None)
    return max((status.st_size for status in found if stat.S_ISREG(status.st_mode)), default=0)


def add_up_folders(folders: dict[str, str], limits: dict[str, int], top: int) -> tuple[int, set[str]]:
    """Return the bytes in folders that have no limit of their own, and which limits they pass.

    What a process below `top` still holds open counts, although its name may be gone. Where something is
    closed, or too deep to be reached, nobody knows how much it is: that is too much.
    """
    used = 0
    passed: set[str] = set()
    for folder, limit in folders.items():
        size = number = 0
        for status in _walk(folder):
            number += 1
            if number > limits["files"]:
                break
            if status is None:
                passed.add("files")
            elif status.st_uid == os.geteuid():
                size += 512 * status.st_blocks
        if size > limits[limit]:
            passed.add(limit)
        if number > limits["files"]:
            passed.add("files")
        used += size
    hidden = _hidden_size(top, folders, limits["file_size"])
    if hidden > limits["disk"]:
        passed.add("disk")
    return used + hidden, passed


def _hidden_size(top: int, folders: Iterable[str], most: int) -> int:
    """Return the bytes of files without a name that processes below `top` hold.

    A file that is only mapped into memory does not tell its size: it counts as the largest that may be, which
    are `most` bytes. So does a process that hides itself.
    """
    opened: dict[int, int] = {}
    mapped: set[int] = set()
    hidden = 0
    starts = tuple(f"{folder}/" for folder in folders)
    for pid in _sort_below({top}, _read_stats()):
        place = Path(f"/proc/{pid}")
        try:
            opened |= _find_unnamed(place)
            mapped |= _find_mapped(place, starts)
        except PermissionError:
            hidden += _has_memory(place)
        except OSError:  # it is gone
            continue
    return sum(opened.values()) + most * len(mapped - opened.keys()) + (_UNKNOWN if hidden else 0)


def _find_unnamed(place: Path) -> dict[int, int]:
    """Return the inodes, and the bytes, of files without a name that a process has open."""
    found: dict[int, int] = {}
    for entry in (place / "fd").iterdir():
        with contextlib.suppress(OSError):
            status = entry.stat()
            if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                found[status.st_ino] = 512 * status.st_blocks
    return found


def _find_mapped(place: Path, starts: tuple[str, ...]) -> set[int]:
    """Return the inodes of files without a name that a process has in its memory."""
    lines = (line.split(maxsplit=5) for line in (place / "maps").read_text(errors="replace").splitlines())
    return {
        int(parts[4])
        for parts in lines
        if len(parts) > 5 and parts[5].startswith(starts) and parts[5].endswith(" (deleted)")
    }


def _has_memory(place: Path) -> bool:
    """Tell whether a process is neither gone nor just ending."""
    with contextlib.suppress(OSError):
        return not (place / "statm").read_text().startswith("0 ")
    return False


def below(pid: int) -> list[int]:
    """Return the processes below `pid`."""
    return [each for each in _sort_below({pid}, _read_stats()) if each != pid]


def count_tasks(user: int) -> int:
    """Return how many processes and threads of a user there are."""
    number = 0
    for pid, fields in _read_stats().items():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}").stat().st_uid == user:
                number += int(fields[17])
    return number


def _read_stats() -> dict[int, list[str]]:
    """Return the fields of each process's ``stat``, from its state on."""
    stats: dict[int, list[str]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if len(fields) > 21:
                    stats[int(entry.name)] = fields
    return stats
