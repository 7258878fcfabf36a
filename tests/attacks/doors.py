"""The ways by which hand-ins are graded: fairmark's own, nbgrader's with fairmark, and stock nbgrader, contained."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fairmark.rooms import watch
from fairmark.rooms.bubblewrap import interpreter_mounts

Door = Literal["fairmark", "nbgrader", "stock"]
DOORS: tuple[Door, ...] = ("fairmark", "nbgrader", "stock")

_CONTAINED_UID = 64118
_CONTAINED_BYTES = 3 * 2**30


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a door left, as the supervisor saw it.

    Parameters
    ----------
    status : int or None
        Exit status; None where it did not end in time.
    seconds : float
    processes, guests, sockets, files : tuple of str
        Still running afterwards, came to places where nobody may come, still listening, lying about.
    log : str
        What it said.
    """

    status: int | None
    seconds: float
    processes: tuple[str, ...]
    guests: tuple[str, ...]
    sockets: tuple[str, ...]
    files: tuple[str, ...]
    log: str


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def grade(  # noqa: PLR0913 - what one run needs
    door: Door,
    root: Path,
    places: dict[str, str],
    environment: dict[str, str],
    *,
    seconds: float,
    workers: int,
) -> Run:
    """Grade all that was handed in for ``ps1`` through one door, and write the feedback pages.

    Parameters
    ----------
    door : {'fairmark', 'nbgrader', 'stock'}
        Stock nbgrader runs in a container of its own: it would let hostile code do what it likes.
    root : Path
        The course.
    places : dict of str to str
        As in `cases.read_attack`.
    environment : dict of str to str
        More variables for the grader.
    seconds : float
        When to give up.
    workers : int
        Of ``fairmark grade``.
    """
    python = sys.executable
    own = {
        "nbgrader": [python, "-m", "nbgrader", "autograde", "ps1"],
        "stock": [python, "-m", "nbgrader", "autograde", "ps1"],
    }
    command = own.get(door, [python, "-m", "fairmark.cli", "grade", "ps1", "--workers", str(workers)])
    path = os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as folder:
        report = root / "report.json" if door == "stock" else Path(folder, "report.json")
        log = root / "log.txt" if door == "stock" else Path(folder, "log.txt")
        orders = {
            "command": command,
            "cwd": str(root),
            "environment": {
                "PATH": path,
                "PYTHONPATH": str(root),
                "HOME": str(root.parent / "home"),
                **environment,
            },
            "port": int(places["PORT"]),
            "socket": places["SOCKET"],
            "left": places["LEFT"],
            "log": str(log),
            "report": str(report),
            "seconds": seconds,
        }
        supervisor = [python, str(Path(__file__).with_name("supervisor.py"))]
        if door == "stock":
            supervisor = [*_container(root.parent), *supervisor]
        said = _supervise(supervisor, orders, contained=door == "stock")
        words = log.read_text(errors="replace") if log.exists() else ""
        if not report.exists():
            return Run(None, seconds, (), (), (), (), words + said)
        found = json.loads(report.read_text())
        for path_ in (report, log):
            path_.unlink()
    return Run(
        found["status"],
        found["seconds"],
        *(tuple(found[key]) for key in ("processes", "guests", "sockets", "files")),
        words,
    )


def _supervise(command: list[str], orders: dict[str, Any], *, contained: bool) -> str:
    """Let a supervisor follow its orders; return what it said. One that an attack holds up is ended."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=_limit if contained else None,  # noqa: PLW1509 - before there is any thread
    )
    try:
        _, said = process.communicate(json.dumps(orders).encode(), timeout=orders["seconds"] + 60)
    except subprocess.TimeoutExpired:
        for pid in (*watch.below(process.pid), process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _, said = process.communicate()
    return said.decode(errors="replace")


def write_feedback(root: Path) -> str:
    """Write the feedback pages with nbgrader's own command; return what it said where it failed."""
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_feedback", "ps1"],
        cwd=root,
        env={**os.environ, "HOME": str(root.parent / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr[-3000:]


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**29, 2**29))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_CONTAINED_BYTES, _CONTAINED_BYTES))


def _container(folder: Path) -> list[str]:
    """Return the command that contains a stock grader: an unprivileged user, no network, few processes."""
    bubblewrap, prlimit = shutil.which("bwrap"), shutil.which("prlimit")
    if bubblewrap is None or prlimit is None:
        raise RuntimeError("stock nbgrader is only run contained: install bubblewrap and util-linux")
    command: list[str] = []
    if os.geteuid() == 0:  # as root, bubblewrap would be no container
        for place in (folder, *folder.rglob("*")):
            os.chown(place, _CONTAINED_UID, _CONTAINED_UID, follow_symlinks=False)
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise RuntimeError("stock nbgrader is never run as root: install util-linux")
        command += [bubblewrap, "--dev-bind", "/", "/", *_open_interpreter(), "--"]
        command += [setpriv, f"--reuid={_CONTAINED_UID}", f"--regid={_CONTAINED_UID}", "--clear-groups"]
    small = ("--size", str(2**28), "--tmpfs")
    return [
        *command,
        *(prlimit, "--nproc=200"),
        *(bubblewrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *(*small, "/tmp", *small, "/dev/shm", *small, "/var/tmp"),
        *("--bind", str(folder), str(folder), "--"),
    ]


def _open_interpreter() -> list[str]:
    """Return the arguments that let another user reach an interpreter that lies in a closed home folder."""
    arguments: list[str] = []
    for mount in interpreter_mounts():
        above = list(reversed(Path(mount.host).parents))
        closed = next((place for place in above if not place.stat().st_mode & 1), None)
        if closed is not None:
            arguments += ["--tmpfs", str(closed), "--chmod", "0755", str(closed)]
            arguments += [
                word
                for place in above
                if place.is_relative_to(closed) and place != closed
                for word in ("--dir", str(place))
            ]
            arguments += ["--ro-bind", mount.host, mount.inside]
    return arguments
