"""Runs git so that nothing hostile can act: clean environment, fixed configuration, limits, a deadline.

git is started by GitPython with lists of arguments alone. What comes from outside stands behind ``--``, or
is a checked object id. No command needs a work tree, and none ever runs inside a folder that was handed in.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # a machine without git is told when git is needed

from git import Git
from git.exc import GitCommandNotFound

from fairmark.errors import GraderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "false",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
    "LC_ALL": "C",
}
# A university's proxy and certificates may be needed to reach any forge; nothing else of the caller's gets
# through.
_KEPT = ("PATH", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_CONFIGURATION = (
    "protocol.version=2",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=20",
    "credential.helper=",
    "transfer.fsckObjects=true",
    "transfer.bundleURI=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "submodule.recurse=false",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.bigFileThreshold=1m",
    "core.packedGitWindowSize=32m",
    "core.packedGitLimit=256m",
    "core.packedRefsTimeout=20000",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
    "index.threads=1",
    "diff.renames=false",
)
_ULIMITS = 'ulimit -v "$1"; ulimit -f "$2"; ulimit -t "$3"; shift 3; exec "$@"'
_WORDS_KEPT = 4000
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one git process may use.

    Parameters
    ----------
    seconds : float
        Wall clock.
    output : int
        Bytes that are read of what it says.
    memory, file_size : int
        Bytes of address space, and of each file that it writes.
    """

    seconds: float = 60.0
    output: int = 64 * 2**20
    memory: int = 1024 * 2**20
    file_size: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Said:
    """How a git process ended: exit status, output, and the end of its complaints.

    `stopped` says which limit ended it: ``time`` or ``output``.
    """

    status: int
    output: bytes
    words: str
    stopped: str = ""

    @property
    def good(self) -> bool:
        """Whether it came to its end by itself and reported success."""
        return self.status == 0 and not self.stopped


def git_command(
    arguments: Sequence[str],
    *,
    transport: str = "",
    bounds: Bounds,
    home: str,
    more: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the whole command: an environment filled anew, the limits, and git with its settings."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= _ENVIRONMENT | {"HOME": home, "XDG_CONFIG_HOME": home}
    environment["GIT_ALLOW_PROTOCOL"] = {"bundle": "file"}.get(transport, transport) or "none"
    environment |= more or {}
    settings = [word for setting in _CONFIGURATION for word in ("-c", setting)]
    limits = [str(bounds.memory // 1024), str(bounds.file_size // 512), str(int(bounds.seconds) + 5)]
    return [
        "env",
        "-i",
        *(f"{name}={value}" for name, value in environment.items()),
        "sh",
        "-c",
        _ULIMITS,
        "sh",
        *limits,
        "git",
        *settings,
        *arguments,
    ]


def run_git(  # noqa: PLR0913 - each is a matter of its own
    folder: Path,
    *arguments: str,
    transport: str = "",
    bounds: Bounds | None = None,
    more: Mapping[str, str] | None = None,
    words: bytes = b"",
    running: Running | None = None,
) -> Said:
    """Run one git command with `folder` as its repository, which has to be one of ours.

    Parameters
    ----------
    folder : Path
    *arguments : str
    transport : str
        The one protocol that it may use.
    bounds : Bounds, optional
    more : mapping of str to str, optional
        Added to its environment.
    words : bytes
        What it reads from its standard input.
    running : Running, optional
        Can end it from another thread.

    Raises
    ------
    GraderError
        Where git cannot be started.
    """
    bounds = bounds or Bounds()
    command = git_command(
        [f"--git-dir={folder}", *arguments], transport=transport, bounds=bounds, home=str(folder), more=more
    )
    with contextlib.ExitStack() as stack:
        istream = None
        if words:
            istream = stack.enter_context(tempfile.TemporaryFile())
            istream.write(words)
            istream.seek(0)
        process = stack.enter_context(started(command, folder, istream=istream, running=running))
        return _listen(process, bounds)


class Running:
    """The processes and connections that threads wait for, so that an interrupt can end them all at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[Any, Callable[[Any], None]] = {}
        self.ended = False

    def add(self, each: Any, end: Callable[[Any], None]) -> None:
        """Note what was started and how it is ended: at once, where all were ended before."""
        with self._lock:
            self._ends[each] = end
            if self.ended:
                end(each)

    def discard(self, each: Any) -> None:
        """Forget what has come to its end."""
        with self._lock:
            self._ends.pop(each, None)

    def end(self) -> None:
        """End all that is under way, and all that is started from now on."""
        with self._lock:
            self.ended = True
            for each, end in self._ends.items():
                end(each)


def make_repository(folder: Path) -> None:
    """Make an empty bare repository, without the hooks and files of any template.

    It is there whole or not at all: several graders that begin together may make the same one.

    Raises
    ------
    GraderError
        Where git refuses.
    """
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}")
    draft.mkdir(parents=True)
    try:
        _fill_repository(draft)
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        # Another grader's repository is as good; a person's folder, or a link to one, is made one.
        if not (folder / "HEAD").exists():
            _fill_repository(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _fill_repository(folder: Path) -> None:
    said = run_git(folder, "init", "--quiet", "--bare", "--template=", "--initial-branch=none")
    if not said.good:
        raise GraderError(f"git could not make the repository {folder}: {said.words}")


@contextlib.contextmanager
def started(
    command: list[str], folder: Path, *, istream: Any = None, running: Running | None = None
) -> Iterator[Any]:
    """Start a process in a session of its own; end it and all of its children in any case."""
    if running is not None and running.ended:
        raise GraderError("git is not started any more: everything was ended")
    try:
        started = Git(str(folder)).execute(command, istream=istream, as_process=True, start_new_session=True)
    except (GitCommandNotFound, OSError) as error:
        raise GraderError(f"git cannot be started: {error}") from error
    process = started.proc
    assert process is not None  # noqa: S101 - for the type checker
    if running is not None:
        running.add(process.pid, end_group)
    try:
        yield process
    finally:
        end_group(process.pid)
        if running is not None:
            running.discard(process.pid)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError, ValueError):
                    stream.close()
        started.proc = None


def end_group(pid: int) -> None:
    """Kill a process and everything that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _listen(process: Any, bounds: Bounds) -> Said:
    """Read what a process says, as far as the bounds go."""
    stopped: list[str] = []
    words = bytearray()

    def stop() -> None:
        stopped.append("time")
        end_group(process.pid)

    def keep_words() -> None:
        while chunk := process.stderr.read1(_CHUNK):
            words.extend(chunk)
            del words[:-_WORDS_KEPT]

    timer = threading.Timer(bounds.seconds, stop)
    timer.daemon = True
    ear = threading.Thread(target=keep_words, daemon=True)
    timer.start()
    ear.start()
    output = bytearray()
    try:
        while chunk := process.stdout.read1(_CHUNK):
            output.extend(chunk)
            if len(output) > bounds.output:
                stopped.append("output")
                end_group(process.pid)
                break
        status = process.wait()
        ear.join(5)
    finally:
        timer.cancel()
    return Said(
        status, bytes(output), words.decode("utf-8", "replace").strip(), stopped[0] if stopped else ""
    )


class ObjectReader:
    """Reads objects by their ids through one ``git cat-file`` process; sizes are asked for first.

    Parameters
    ----------
    folder : Path
        A bare repository of ours.
    """

    def __init__(self, folder: Path, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds(seconds=600)
        self._stack = contextlib.ExitStack()
        self._folder = folder
        self._processes: dict[str, Any] = {}

    def _process(self, mode: str) -> Any:
        if mode not in self._processes:
            command = git_command(
                [f"--git-dir={self._folder}", "cat-file", mode],
                bounds=self._bounds,
                home=str(self._folder),
            )
            process = self._stack.enter_context(started(command, self._folder, istream=subprocess.PIPE))
            self._processes[mode] = process
        return self._processes[mode]

    def head(self, name: str) -> tuple[str, str, int] | None:
        """Return id, type and size of an object, or None where there is none."""
        return self._ask("--batch-check", name)

    def _ask(self, mode: str, name: str) -> tuple[str, str, int] | None:
        if "\n" in name or "\0" in name:
            return None
        process = self._process(mode)
        try:
            process.stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError as error:
            raise GraderError(f"git stopped reading objects: {error}") from error
        parts = line.decode("utf-8", "surrogateescape").rstrip("\n").rsplit(" ", 2)
        if not line:
            raise GraderError("git stopped reading objects")
        if len(parts) != 3 or not parts[2].isdigit():
            return None
        return parts[0], parts[1], int(parts[2])

    def read(self, name: str, most: int) -> tuple[str, bytes] | None:
        """Return type and content of an object; None where there is none of at most `most` bytes."""
        head = self.head(name)
        if head is None or head[2] > most:
            return None
        found = self._ask("--batch", head[0])
        if found is None:
            return None
        data = self._process("--batch").stdout.read(found[2] + 1)
        return found[1], data[:-1]

    def close(self) -> None:
        """End the processes."""
        self._processes.clear()
        self._stack.close()

    def __enter__(self) -> ObjectReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
