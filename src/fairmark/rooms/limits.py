"""Which limit a room has met, from what its keepers saw of it, and the sentence that tells a student so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from fairmark.results import Limit
from fairmark.rooms.policy import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fairmark.rooms.policy import Limits

MAX_ANSWER = 64 * MIB


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of a room from outside since it was last looked at.

    Parameters
    ----------
    processes, tasks : int
        The most processes, and the most processes and threads together, at one time.
    largest : int
        Bytes of the largest file on its disks.
    full : frozenset of str
        Which of ``disk``, ``shared_memory`` and ``files`` were used up.
    """

    processes: int = 0
    tasks: int = 0
    largest: int = 0
    full: frozenset[str] = frozenset()

    @classmethod
    def read(cls, told: dict[str, Any]) -> Evidence:
        """Read what a zygote tells."""
        return cls(
            processes=told.get("processes", 0),
            tasks=told.get("tasks", 0),
            largest=told.get("largest", 0),
            full=frozenset(told.get("full", ())),
        )


def _mib(size: int) -> str:
    return f"{size / MIB:.3g} MiB" if size < 1000 * MIB else f"{size // MIB} MiB"


def tell_stop(reason: str, limits: Limits) -> str:
    """Return the sentence for the student that says why a room, or a cell, was stopped."""
    words = {
        "timeout": f"stopped after {limits.cell_seconds:.0f} s: it takes too long, or never ends",
        "submission_time": "stopped because all cells together took more than "
        f"{limits.submission_seconds:.0f} s",
        "cpu": f"stopped because its processes together computed for more than {limits.cpu_seconds:.0f} s",
        "memory": f"stopped because it used more than {_mib(limits.memory)} of memory",
        "output": f"stopped because it gave a test more than {_mib(MAX_ANSWER)}",
        "protocol": "stopped because it disturbed the connection to the grader",
        "disk": f"the Python process ended when its disk was full, which holds {_mib(limits.disk)}",
        "files": f"the Python process ended when it had made more than {limits.files} files and folders",
        "shared_memory": "the Python process ended when the shared memory (/dev/shm) was full, which holds "
        f"{_mib(limits.shared_memory)}",
    }
    return words.get(
        reason, "the Python process ended unexpectedly (a crash, or a call that ends the process)"
    )


def limit_of(reason: str) -> Limit:
    """Return the limit for which a room was stopped; "" where it was none."""
    names = {"timeout": "cell_time", "output": "answer_size"}
    name = names.get(reason, reason)
    return cast("Limit", name if name in get_args(Limit) else "")


def tell_limit(limit: Limit, limits: Limits) -> str:
    """Return the sentence for the student whose cell met `limit` and was not stopped by it."""
    both = f"a room may have {limits.processes} processes and threads at a time"
    words: dict[str, str] = {
        "memory": f"there was not enough memory: a room has {_mib(limits.memory)}",
        "processes": f"no further process could be started: {both}",
        "threads": f"no further thread could be started: {both}",
        "file_size": f"a file became too large: one file may have {_mib(limits.file_size)}",
        "disk": f"the disk was full: it holds {_mib(limits.disk)}",
        "files": f"there were too many files: a disk holds {limits.files} files and folders",
        "shared_memory": f"the shared memory (/dev/shm) was full: it holds {_mib(limits.shared_memory)}",
        "open_files": f"too many files were open: a process may have {limits.open_files} at a time",
        "output_size": f"the rest of the output was left out: a cell may show {_mib(limits.output)}",
        "outputs": f"the rest of the output was left out: a cell may show {limits.outputs} outputs",
        "notebook_output": "the rest of the output was left out: all cells together may show "
        f"{_mib(limits.notebook_output)}",
    }
    return words.get(limit) or tell_stop(limit, limits)


_NUMBER = re.compile(r"\[Errno (\d+)\]")
_ENOMEM, _EAGAIN, _EMFILE, _EFBIG, _ENOSPC = 12, 11, 24, 27, 28
_NEARLY = 0.9


def find_limit(name: str, words: str, look: Callable[[], Evidence], limits: Limits) -> Limit:
    """Return the limit behind an exception in the student's room.

    The exception, which the student's code may have made up, only says what to look for: what was seen from
    outside decides. A refused allocation, or a file that could not be opened, leaves no trace that could be
    seen; there the exception has to do. Nothing but the words for the student depends on it.

    Parameters
    ----------
    name, words : str
        The exception's class and message.
    look : callable
        Returns the evidence; it is asked only where the exception may come from a limit.
    """
    match = _NUMBER.match(words)
    number = int(match[1]) if match else 0
    if name.endswith("MemoryError") or number == _ENOMEM:
        return "memory"
    if number == _ENOSPC:
        full = look().full
        return next((limit_of(each) for each in ("shared_memory", "disk", "files") if each in full), "")
    if number == _EFBIG:
        return "file_size" if look().largest >= limits.file_size else ""
    if number == _EMFILE:
        return "open_files"
    if number == _EAGAIN or "can't start new thread" in words:
        seen = look()
        if seen.tasks >= _NEARLY * limits.processes:
            return "processes" if 2 * seen.processes > seen.tasks else "threads"
    return ""


def last_error(outputs: Iterable[Any]) -> tuple[str, str]:
    """Return class and message of the last exception among a cell's outputs, as the room tells them."""
    return next(iter([*find_errors(outputs)][::-1]), ("", ""))


def find_errors(outputs: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield class and message of each exception among a cell's outputs; what is no text counts as empty."""
    for output in outputs:
        if isinstance(output, dict) and as_text(output.get("output_type")) == "error":
            yield as_text(output.get("ename"))[:200], as_text(output.get("evalue"))[:5000]


def as_text(value: object) -> str:
    """Return what a room sent where a text belongs; nothing where it is none, such as an endless number."""
    return value if isinstance(value, str) else ""
