"""Remembers what was seen and when: one line of JSON for each new sight, only ever appended."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import json
import os
import types
import typing
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from fairmark.errors import UsageError
from fairmark.repository import records
from fairmark.repository.records import Finding, Fork, Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from fairmark.repository.records import Task

SCHEMA = "fairmark/sighting/v1"
_BYTES = "latin-1"


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """What one look at one student's work found.

    Parameters
    ----------
    at : float
        Seconds since 1970.
    student : str
    address, root : str
        Of upstream: how it was reached, and its first commit (empty where it did not answer).
    path : str
        Of the asked page.
    fork : Fork
    works : tuple of Work
        Every head that was taken for the student's.
    verdicts : mapping of str to str
        What the rules said then, by rule, for people that read the file.
    """

    at: float
    student: str
    address: str
    root: str
    path: str
    fork: Fork
    works: tuple[Work, ...]
    verdicts: dict[str, str] = dataclasses.field(default_factory=dict)


class Ledger:
    """A file of sightings.

    Parameters
    ----------
    path : Path
        Need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: tuple[int, ...] = ()
        self._lines: dict[str, list[str]] = {}
        self._waits = True

    @contextlib.contextmanager
    def waiting_once(self) -> Iterator[None]:
        """Write what is appended in the block at once, and wait a single time, at its end, for the disk."""
        self._waits = False
        try:
            yield
        finally:
            self._waits = True
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(self.path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def read(self, student: str | None = None) -> tuple[Sighting, ...]:
        """Return what was seen, of all students or of one, the oldest first.

        A line that was cut off while it was written is passed over: the ones before it still count. The file
        is read again only where it was changed.

        Raises
        ------
        UsageError
            Where the file is no ledger at all.
        """
        try:
            state = _state_of(self.path.stat())
            if state != self._state:
                self._lines, self._state = self._sort_lines(self.path.read_text(encoding="utf-8")), state
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The ledger {self.path} cannot be read: {error}") from error
        names = self._lines if student is None else [student]
        lines = (json.loads(line) for name in names for line in self._lines.get(name, ()))
        return tuple(sorted((_read(Sighting, line) for line in lines), key=lambda sighting: sighting.at))

    def _sort_lines(self, text: str) -> dict[str, list[str]]:
        """Return the lines by student."""
        found: dict[str, list[str]] = {}
        broken = False
        for line in text.split("\n"):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                known = str(entry["schema"]) == SCHEMA
            except (ValueError, TypeError, KeyError):
                known = False
            if known:
                found.setdefault(entry["student"], []).append(line)
            else:
                broken = True
        if broken and not found:
            raise UsageError(f"{self.path} is no ledger of sightings. Name another file.")
        return found

    def append(self, sightings: Iterable[Sighting]) -> None:
        """Write sightings to the disk, each as one line; nothing that stands there is ever changed."""
        lines = [
            (each.student, json.dumps({"schema": SCHEMA, **_plain(each)}, ensure_ascii=True, sort_keys=True))
            for each in sightings
        ]
        text = "".join(f"{line}\n" for _, line in lines)
        if not text:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            status = os.fstat(descriptor)
            size, known = status.st_size, _state_of(status) == self._state
            if (
                size and os.pread(descriptor, 1, size - 1) != b"\n"
            ):  # the last writer was stopped within a line
                text = "\n" + text
            data = text.encode()
            while data:
                data = data[os.write(descriptor, data) :]
            if self._waits:
                os.fsync(descriptor)
            if known:
                for student, line in lines:
                    self._lines.setdefault(student, []).append(line)
                self._state = _state_of(os.fstat(descriptor))
        finally:
            os.close(descriptor)


def _state_of(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def is_news(sighting: Sighting, before: Sequence[Sighting]) -> bool:
    """Tell whether a sighting holds anything that the last one did not."""
    if not before:
        return True
    return bool(_substance(sighting) != _substance(before[-1]))


def _substance(sighting: Sighting) -> Any:
    works = sorted(
        json.dumps(_plain(dataclasses.replace(work, seen_at=0.0)), sort_keys=True) for work in sighting.works
    )
    return _plain(sighting.fork), works


def concerns(sighting: Sighting, task: Task, address: str, root: str) -> bool:
    """Tell whether a sighting is of this task: the same original, wherever it lies now, and the same page."""
    same = sighting.address == address or bool(root and sighting.root == root)
    return same and sighting.path in task.paths


def verdicts_of(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the verdicts by rule."""
    return {finding.rule: finding.verdict for finding in findings}


def _plain(value: Any) -> Any:
    """Return a record as data that JSON holds; bytes become text, one character a byte."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode(_BYTES)
    return value


def _read(kind: Any, value: Any) -> Any:
    """Build a record again from what `_plain` made of it."""
    origin = get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        return None if value is None else _read(kinds[0], value)
    if origin is tuple:
        return tuple(_read(get_args(kind)[0], each) for each in value)
    if kind is bytes:
        return value.encode(_BYTES)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints_of(kind)
        return kind(**{name: _read(hints[name], each) for name, each in value.items() if name in hints})
    return value


@functools.cache
def _hints_of(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, vars(records) | {"Fork": Fork, "Work": Work})
