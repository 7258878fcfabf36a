"""Looks whether this machine can grade: versions, programs, and a sandbox that is tried, not believed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmark.errors import FairmarkError, RoomLost
from fairmark.rooms.bubblewrap import find_bubblewrap
from fairmark.rooms.policy import Limits, Policy
from fairmark.rooms.room import Zygote
from fairmark.rooms.wire import WireError, pack_frame, unpack_value

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = (
    "nbgrader",
    "nbformat",
    "ipython",
    "numpy",
    "jupyterlab",
    "scikit-image",
    "matplotlib",
    "gitpython",
)
_NEEDED = ("nbgrader", "nbformat", "ipython", "numpy")
_SECONDS = 20.0

# Each line tries to do something that a room must not allow, and says so where it works.
_BREAK_OUT = """
import os, pathlib, socket
escaped = []
def attempt(words, act):
    try:
        if act():
            escaped.append(words)
    except OSError:
        pass
attempt("reads a file of yours", lambda: pathlib.Path({canary!r}).read_text())
attempt("reads your home folder", lambda: set(os.listdir({home!r})) & set({own!r}))
attempt("sees your environment", lambda: "FAIRMARK_CANARY" in os.environ)
attempt("reaches a server on this machine", lambda: socket.create_connection(("127.0.0.1", {port}), 2))
attempt("sees processes of this machine", lambda: os.path.exists("/proc/{pid}/status") and {name!r} in
        pathlib.Path("/proc/{pid}/cmdline").read_text())
for place in ("/", "/usr", "/etc", "/dev", {prefix!r}):
    attempt(f"writes to {{place}}", lambda: pathlib.Path(place, "fairmark-canary").write_text("x"))
attempt("changes the kernel's settings", lambda:
        pathlib.Path("/proc/sys/kernel/core_pattern").write_text("core"))
attempt("enters new namespaces", lambda: __import__("ctypes").CDLL(None).unshare(0x10000000) == 0)
attempt("becomes root", lambda: os.setuid(0) is None)
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `remedy` says what to do where it is not `good`; what is not `needed` may be missing.
    """

    what: str
    good: bool
    found: str
    remedy: str = ""
    needed: bool = True


def examine() -> Iterator[Finding]:
    """Look at this machine; yields each finding as soon as it is known."""
    version = platform.python_version()
    yield Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or later.")
    linux = sys.platform == "linux"
    yield Finding(
        "System",
        linux,
        f"{platform.system()} {platform.release()}",
        "Grade on Linux, in a container, or in WSL 2.",
    )
    yield from _examine_packages()
    yield from _examine_programs()
    if linux:
        yield from _examine_sandbox()


def _examine_packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            version, good = importlib.metadata.version(name), True
        except importlib.metadata.PackageNotFoundError:
            version, good = "not installed", False
        yield Finding(name, good, version, f"pip install {name}", needed=name in _NEEDED)


def _examine_programs() -> Iterator[Finding]:
    git = shutil.which("git")
    yield Finding(
        "git", git is not None, git or "not found", "Install your system's package git.", needed=False
    )
    try:
        yield Finding("bubblewrap", good=True, found=find_bubblewrap())
    except FairmarkError as error:
        yield Finding("bubblewrap", good=False, found="not found", remedy=str(error))


def _examine_sandbox() -> Iterator[Finding]:
    started = time.monotonic()
    remedy = (
        "User namespaces may be forbidden here. On Ubuntu: sudo sysctl -w "
        "kernel.apparmor_restrict_unprivileged_userns=0. In a container: start it with --security-opt "
        "seccomp=unconfined, or grade outside of it."
    )
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            Zygote(Policy("student", Limits(cell_seconds=_SECONDS))) as zygote,
        ):
            seconds = time.monotonic() - started
            escaped = _try_to_break_out(zygote, Path(folder))
    except (FairmarkError, OSError, WireError, TimeoutError) as error:
        yield Finding("sandbox", good=False, found=str(error), remedy=remedy)
        return
    words = ", ".join(escaped) or f"starts in {seconds:.1f} s; tried to break out and could not"
    yield Finding(
        "sandbox", not escaped, words, "Do not grade on this machine, and tell us what you see here."
    )


def _try_to_break_out(zygote: Zygote, folder: Path) -> list[str]:
    """Run hostile code in a room; return what it could do."""
    canary = folder / "canary"
    canary.write_text("a canary")
    folder.chmod(0o755)
    os.environ["FAIRMARK_CANARY"] = "1"
    home = Path.home()
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = _BREAK_OUT.format(
            canary=str(canary),
            home=str(home),
            own=[entry.name for entry in os.scandir(home) if entry.is_file()],
            port=server.getsockname()[1],
            pid=os.getpid(),
            name=Path(sys.argv[0]).name or "python",
            prefix=sys.prefix,
        )
        with zygote.open_room({"work": {}, "trusted": {}}, seed=0) as room:
            deadline = time.monotonic() + _SECONDS
            room.send(pack_frame(["run"], code), deadline)
            message, tree, _, body = room.receive(deadline)
            if message[:2] != ["ran", True]:
                raise RoomLost("crash", f"the trial did not run: {_first_words(unpack_value(tree, body))}")
            room.send(pack_frame(["ask", "look_up"], ("escaped",)), deadline)
            message, tree, _, body = room.receive(deadline)
            return [str(words) for words in unpack_value(tree, body)[0]]


def _first_words(value: Any) -> str:
    return str(value["outputs"][:1])[:500]
