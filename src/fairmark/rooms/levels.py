"""Which level of the sandbox this machine reaches: found by trying to break out, never by a version."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.errors import RoomLost, SandboxError
from fairmark.interrupts import heard_later
from fairmark.rooms.policy import ALONE, FULL, LEVELS, NONE, SHARED, WARNING
from fairmark.rooms.room import Zygote
from fairmark.rooms.wire import WireError, pack_frame, unpack_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairmark.rooms.policy import Policy

_SECONDS = 60.0  # a busy machine must not be taken for one on which a level does not hold
REMEDIES = {
    FULL: "On Ubuntu: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0. "
    "In a container: start it with --security-opt seccomp=unconfined, or grade outside of it.",
    SHARED: "Install bubblewrap, and use a kernel with Landlock (Linux 5.13 or later).",
    ALONE: "Use a kernel with Landlock: Linux 5.13 or later, 6.12 or later unless you grade as root.",
}

# Each line tries to do something that a room must not allow, and says so where it works.
_BREAK_OUT = """
import ctypes, os, pathlib, resource, socket, subprocess, tempfile
escaped = []
libc = ctypes.CDLL(None, use_errno=True)
def attempt(words, act):
    try:
        if act():
            escaped.append(words)
    except OSError:
        pass
def connect(kind, place):
    with socket.socket(kind) as end:
        end.settimeout(2)
        end.connect(place)
    return True
def look_at(pid):
    return {mark!r} in pathlib.Path(f"/proc/{{pid}}/cmdline").read_text()
def is_another(pid):  # rooms may count their own processes, from 1 on
    try:
        return os.path.exists(f"/proc/{{pid}}") and not look_at(pid)
    except OSError:
        return False
def above():
    pid, found = os.getppid(), {zygotes!r}
    while pid > 1:
        pid = int(pathlib.Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[1])
        found.append(pid)
    return [pid for pid in found if pid > 1]
attempt("reads a file of yours", lambda: pathlib.Path({canary!r}).read_text())
attempt("changes a file of yours", lambda: pathlib.Path({canary!r}).write_text("x"))
attempt("removes a file of yours", lambda: os.unlink({canary!r}) is None)
attempt("lists your home folder", lambda: set(os.listdir({home!r})) & set({own!r}))
attempt("sees your environment", lambda: "FAIRMARK_CANARY" in os.environ)
attempt("reaches a server on this machine", lambda: connect(socket.AF_INET, ("127.0.0.1", {port})))
attempt("reaches a socket of this machine", lambda: connect(socket.AF_UNIX, {named!r}))
attempt("reaches an abstract socket of this machine", lambda: connect(socket.AF_UNIX, {abstract!r}))
attempt("sees processes of this machine", lambda: look_at({victim}))
attempt("limits processes of this machine", lambda: not is_another({victim}) and
        resource.prlimit({victim}, resource.RLIMIT_CORE, (0, 0)) is not None)
attempt("ends processes of this machine", lambda: not is_another({victim}) and os.kill({victim}, 9) is None)
attempt("reaches the keepers of the room", lambda: [os.kill(pid, 0) for pid in above()])
attempt("leaves its process group", lambda: {grouped} and os.setsid() is None)
for place in ("/", "/usr", "/etc", "/dev", {prefix!r}):
    attempt(f"writes to {{place}}", lambda: pathlib.Path(place, "fairmark-canary").write_text("x"))
attempt("changes the kernel's settings", lambda:
        pathlib.Path("/proc/sys/kernel/core_pattern").write_text("core"))
attempt("enters new namespaces", lambda: libc.unshare(0x10000000) == 0)
attempt("becomes root", lambda: os.setuid(0) is None)
attempt("traces another process", lambda: libc.ptrace(16, os.getppid(), 0, 0) == 0)
attempt("makes memory that no process maps", lambda: libc.shmget(0, 4096, 0o1600) >= 0)
pathlib.Path("left").write_text("x")
pathlib.Path(tempfile.gettempdir(), "left").write_text("x")
subprocess.Popen(["sleep", {daemon!r}])
"""
_LOOK = """
import os, tempfile
left = os.path.exists("left") or os.path.exists(os.path.join(tempfile.gettempdir(), "left"))
escaped = ["leaves files for the next room"] if left else []
"""

_found: list[str] = []  # what an earlier search of this process has found


def open_zygote(policy: Policy, level: str | None = None) -> Zygote:
    """Start a zygote at the best level that holds against an attempt to break out: see `open_zygotes`."""
    return open_zygotes((policy,), level)[0]


def start_zygotes(policies: Sequence[Policy], level: str | None = None) -> tuple[Zygote, ...]:
    """Start zygotes at the level that is tried first, to be handed to `open_zygotes`; nothing is waited for.

    Parameters
    ----------
    policies : sequence of Policy
    level : str, optional
        This one and no other.

    Returns
    -------
    tuple of Zygote
        None where they do not start: opening them tells why.
    """
    try:
        return _start(policies, _list_levels(level)[0])
    except (SandboxError, OSError):
        return ()


def open_zygotes(
    policies: Sequence[Policy], level: str | None = None, started: tuple[Zygote, ...] = ()
) -> tuple[Zygote, ...]:
    """Start zygotes at the best level that holds against an attempt to break out of a room of the first.

    Parameters
    ----------
    policies : sequence of Policy
    level : str, optional
        This one and no other; ``none`` is tried for nothing.
    started : tuple of Zygote
        What `start_zygotes` has returned for the same.

    Raises
    ------
    SandboxError
        Where no level holds: the message says of each why, and what to do.
    """
    told = []
    for each in _list_levels(level):
        try:
            ready, started = started, ()
            zygotes = _prove(ready or _start(policies, each))
        except (SandboxError, RoomLost, WireError, OSError) as error:
            told.append(f"{each}: {explain(error)}. {REMEDIES.get(each, '')}")
            _found.clear()
            continue
        if level is None:
            _found[:] = [each]
        return zygotes
    if level is None and len(told) < len(LEVELS):  # what held before holds no longer: look again
        return open_zygotes(policies)
    raise SandboxError(
        "No sandbox holds on this machine, so nothing is graded.\n" + "\n".join(told) + "\n"
        "Grade on another machine, in a virtual machine or in WSL 2. Only if you trust every student with "
        "everything you own: --sandbox none."
    )


def _list_levels(level: str | None) -> tuple[str, ...]:
    """Return what to try, in this order."""
    if sys.platform != "linux":
        raise SandboxError(
            "Student code can be kept from this machine on Linux alone. Grade in a container, or on Windows "
            "in WSL 2."
        )
    if level is not None and level not in (*LEVELS, NONE):
        raise SandboxError(f"There is no level {level!r} of the sandbox: {', '.join((*LEVELS, NONE))}.")
    return (level,) if level is not None else (*_found,) or LEVELS


def explain(error: BaseException) -> str:
    """Return in one line why a level does not hold."""
    lines = [line for line in str(error).strip().split("\n") if line.strip()]
    if lines and lines[0].startswith("No sandbox holds") and len(lines) > 1:  # of one level alone
        return lines[1].partition(": ")[2].partition(". ")[0]
    return (lines[-1] if lines else type(error).__name__).strip().rstrip(".")[:300]


def _start(policies: Sequence[Policy], level: str) -> tuple[Zygote, ...]:
    """Start zygotes at the same time."""
    os.environ["FAIRMARK_CANARY"] = "1"
    zygotes: list[Zygote] = []
    try:
        for policy in policies:
            zygotes.append(Zygote(policy, level))  # noqa: PERF401 - what was started has to be closed
    except BaseException:
        for zygote in zygotes:
            zygote.close()
        raise
    finally:
        os.environ.pop("FAIRMARK_CANARY", None)  # another thread may have started some, too
    return tuple(zygotes)


def _prove(zygotes: tuple[Zygote, ...]) -> tuple[Zygote, ...]:
    """Wait for zygotes and try to break out of a room of the first; all are closed where that works."""
    try:
        zygotes[0].wait()
        escaped = [] if zygotes[0].level == NONE else try_to_break_out(zygotes[0])
        if escaped:
            raise SandboxError(f"student code {', '.join(escaped)}")
        for zygote in zygotes[1:]:
            zygote.wait()
    except BaseException:
        for zygote in zygotes:
            zygote.close()
        raise
    return zygotes


def try_to_break_out(zygote: Zygote) -> list[str]:
    """Run hostile code in a room of a zygote; return what it could do.

    Raises
    ------
    SandboxError, RoomLost, TimeoutError
        Where the room cannot be had, or does not answer.
    """
    mark, daemon = (f"60.{secrets.randbelow(10**9):09}" for _ in range(2))
    with _passing_folder() as folder, contextlib.ExitStack() as opened:
        folder.chmod(0o777)
        canary = folder / "canary"
        canary.write_text("a canary")
        canary.chmod(0o666)
        server = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        named, abstract = str(folder / "socket"), f"\0{mark}"
        for place in (named, abstract):
            listener = opened.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(place)
            listener.listen()
        Path(named).chmod(0o777)
        victim = opened.enter_context(subprocess.Popen(["sleep", mark], cwd="/"))  # noqa: S603, S607
        opened.callback(victim.kill)
        code = _BREAK_OUT.format(
            canary=str(canary),
            home=str(Path.home()),
            own=[entry.name for entry in _files(Path.home())],
            port=server.getsockname()[1],
            named=named,
            abstract=abstract,
            mark=mark,
            victim=victim.pid,
            zygotes=[zygote.process.pid] if zygote.process and zygote.level == ALONE else [],
            grouped=zygote.level != FULL,
            prefix=sys.prefix,
            daemon=daemon,
        )
        escaped = _run(zygote, code) + _run(zygote, _LOOK)
        if not canary.exists() or canary.read_text() != "a canary":
            escaped.append("has changed a file of yours")
        if victim.poll() is not None:
            escaped.append("has ended a process of yours")
        if _is_running(daemon):
            escaped.append("leaves a process behind")
        return escaped


@contextlib.contextmanager
def _passing_folder() -> Iterator[Path]:
    """Make a folder, and remove it; an interrupt waits until the one or the other is done."""
    with heard_later():
        folder = tempfile.TemporaryDirectory(prefix="canary-")
    try:
        yield Path(folder.name)
    finally:
        with heard_later():
            folder.cleanup()


def _is_running(argument: str) -> bool:
    """Tell whether a process with this argument runs on this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument in path.read_text(errors="replace"):
                return True
    return False


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from (entry for entry in entries if entry.is_file())


def _run(zygote: Zygote, code: str) -> list[str]:
    with zygote.open_room({"work": {}, "trusted": {}}, seed=0) as room:
        deadline = time.monotonic() + _SECONDS
        room.send(pack_frame(["run"], code), deadline)
        message, tree, _, body = room.receive(deadline)
        if message[:2] != ["ran", True]:
            words = str(unpack_value(tree, body)["outputs"][:1])[:500]
            raise RoomLost("crash", f"the trial did not run: {words}")
        room.send(pack_frame(["ask", "look_up"], ("escaped",)), deadline)
        message, tree, _, body = room.receive(deadline)
        return [str(words) for words in unpack_value(tree, body)[0]]


def tell(level: str) -> str:
    """Return words for a person about a level."""
    words = {
        FULL: "bubblewrap, and namespaces of its own for each room",
        SHARED: "bubblewrap; Landlock and seccomp around each room",
        ALONE: "Landlock and seccomp around each room, without bubblewrap",
        NONE: WARNING,
    }
    return words[level]
