"""Furnishes a room where namespaces cannot be had: Landlock, seccomp, one process group, emptied folders.

Used at the levels below full isolation. All rooms of a zygote then see the same folders, one after the other,
and the same process numbers; what a room may reach is said by rules of the kernel that it cannot shed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import signal
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmark.rooms import linux, watch

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FACTS = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/sys/kernel/osrelease")
# nbgrader's default exchange, with everybody's submissions, and settings that may hold a password.
_SECRETS = ("/usr/local/share/nbgrader", "/usr/local/etc")
_END_SECONDS = 20.0  # less than the grader waits for: then it ends the zygote
_ATTEMPTS = 5


# The numbers of calls on x86_64 and aarch64.
_NAMESPACES = 0x7E020000  # the flags of clone
_ENOSYS = 38
# Whatever reaches other processes of the same user, leaves the group by which a room is ended, or makes what
# outlives it.
_ALWAYS = [
    *map(linux.Rule, [(112, 157), (109, 154)]),  # setsid, setpgid
    *map(linux.Rule, [(161, 51), (431, 431), (433, 433), (442, 442)]),  # chroot, fsconfig, fspick, …
    *map(linux.Rule, [(240, 180), (241, 181)]),  # mq_open, mq_unlink
    *map(linux.Rule, [(253, -1), (294, 26)]),  # inotify_init: a user may have few, and files tell of others
    *map(linux.Rule, [(144, 119), (142, 118), (314, 274), (251, 30)]),  # sched_set…, ioprio_set
    linux.Rule((302, 261), 0, (0,), inverted=True),  # prlimit64 of another process
    linux.Rule((203, 122), 0, (0,), inverted=True),  # sched_setaffinity
    linux.Rule((141, 140), 0, (0,), inverted=True),  # setpriority of a group or a user
    linux.Rule((56, 220), 0, (_NAMESPACES,), bits=True),  # clone
    linux.Rule((435, 435), error=_ENOSYS),  # clone3, whose flags cannot be seen: libraries fall back on clone
]
# Without namespaces: no sockets but pairs, and no open files in them, where nobody would see them.
_ALONE = [*map(linux.Rule, [(41, 198), (300, 262), (46, 211), (307, 269)])]
# Landlock does not keep from these, and a room that has no user of its own could lock the owner out of their
# files. They seem to work, because copying a file would fail otherwise.
_SHARED = [
    linux.Rule(numbers, error=0)
    for numbers in (
        *((90, -1), (91, 52), (268, 53), (452, 452)),  # chmod
        *((92, -1), (93, 55), (94, -1), (260, 54)),  # chown
        *((188, 5), (189, 6), (190, 7), (463, 463), (197, 14), (198, 15), (199, 16), (466, 466)),  # xattr
        *((132, -1), (235, -1), (280, 88), (261, -1)),  # utime
    )
]


def _guard(numbers: list[int]) -> list[linux.Rule]:
    """Return the rules that keep signals from these processes, where Landlock does not know how to."""
    values = tuple(numbers)
    return [
        *(linux.Rule(call, 0, values) for call in ((62, 129), (200, 130), (234, 131))),  # kill, tkill, tgkill
        *map(linux.Rule, [(129, 138), (297, 240), (424, 424), (434, 434)]),  # …sigqueueinfo, pidfd_…
        linux.Rule((72, 25), 1, (8, 15)),  # fcntl F_SETOWN
        linux.Rule((16, 29), 1, (0x8901, 0x8902)),  # ioctl FIOSETOWN, SIOCSPGRP
    ]


def lock(setup: dict[str, Any], folders: list[str], guarded: list[int]) -> None:
    """Give up, for good, everything that a room has no use for.

    Parameters
    ----------
    setup : dict
        The room's: ``level``, ``seen``, ``covered``, ``own_user``.
    folders : list of str
        What it may write in.
    guarded : list of int
        Processes, and groups as negative numbers, that it must not send a signal to.
    """
    alone = setup["level"] == "landlock"  # nothing else keeps it from the machine
    shared = alone and not setup["own_user"]
    old = linux.landlock_version() < linux.LANDLOCK_SIGNALS
    if shared and old:
        raise OSError(0, "this kernel's Landlock cannot keep signals from your own processes; Linux 6.12 can")
    readable = [*_SYSTEM, *_SYSTEM_FILES, *setup["seen"], *(_FACTS if alone else ("/proc",))]
    readable = [path for path in readable if Path(path).exists()]
    devices = [path for path in _DEVICES if Path(path).exists()]
    linux.confine(list(_without(readable, [*setup["covered"], *_SECRETS])), [*folders, *devices])
    rules = [*_ALWAYS, *(_ALONE if alone else ()), *(_SHARED if shared else ())]
    linux.refuse_calls([*rules, *(_guard([-1, *guarded]) if old else ())])


def _without(paths: list[str], covered: list[str]) -> Iterator[str]:
    """Yield the paths, and what lies in them in their place where something in there is covered.

    A folder that holds something covered is yielded with a trailing slash: it may be listed, but not read.
    """
    for path in paths:
        if any(each == path or Path(path).is_relative_to(each) for each in covered):
            continue
        inside = [each for each in covered if Path(each).is_relative_to(os.path.realpath(path))]
        if not inside:
            yield path
            continue
        if os.path.realpath(path) != path:  # a link, whose target is among the paths itself
            continue
        yield f"{path}/"
        yield from _without([entry.path for entry in os.scandir(path)], inside)


def clear(group: int, folders: list[str]) -> None:
    """End every process of a room, and empty its folders; what comes in between is tried again."""
    for attempt in range(_ATTEMPTS):
        try:
            end_all(group)
            for folder in folders:
                empty(folder)
        except OSError:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            return


def end_all(group: int) -> None:
    """End every process of a room; called by its keeper, to which all that are left fall.

    None can leave the group where `lock` was called: one call ends them all, and none can be born meanwhile.
    """
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
        for pid in watch.below(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def empty(folder: str) -> None:
    """Remove what the room's user has left in a folder, however deep, closed or oddly named.

    No process of the room works in it any more; others' files, in ``/dev/shm``, stay.
    """
    token, numbers = secrets.token_hex(8), itertools.count()
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while names := _own(top):
            for name in names:
                if not _is_folder(name, top):
                    os.unlink(name, dir_fd=top)
                    continue
                os.chmod(name, 0o700, dir_fd=top)
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
                try:
                    for child in os.listdir(inner):  # noqa: PTH208
                        if _is_folder(child, inner):  # a folder that cannot be written cannot be moved
                            os.chmod(child, 0o700, dir_fd=inner)
                        os.rename(child, f"{token}{next(numbers)}", src_dir_fd=inner, dst_dir_fd=top)
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _own(folder: int) -> list[str]:
    """Return the names in a folder that belong to this user."""
    names = os.listdir(folder)
    found = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid == os.geteuid():
                found.append(name)
    return found


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
