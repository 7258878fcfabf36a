"""Where an assignment is graded: its two zygotes, what their rooms need, and how workers share them."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fairmark.errors import AuthorError, Fault, SandboxError
from fairmark.names import find_imports
from fairmark.packages import find_package
from fairmark.rooms.levels import open_zygotes, start_zygotes
from fairmark.rooms.policy import FULL, Limits, Mount, Policy
from fairmark.rooms.room import Zygote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairmark.course import Assignment, Course, Source, SourceNotebook
    from fairmark.packages import Package

_COURSE_INSIDE = "/course"
_SEAT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What the rooms of an assignment need, as its notebooks say.

    Parameters
    ----------
    preload, preload_tests : tuple of str
        Import statements for the student's and for the examiner's zygote. A student's holds no test.
    forbidden : tuple of (str, str)
        Notebooks, as messages name them, each with a package that it has to be solved without.
    """

    preload: tuple[str, ...]
    preload_tests: tuple[str, ...]
    forbidden: tuple[tuple[str, str], ...]


def read_needs(course: Course, source: Source) -> Needs:
    """Return what the notebooks of an assignment need, as they lie there; nothing heavy is imported for it.

    What is wrong with them is not told here.
    """
    notebooks = []
    for path in source.notebooks:
        with suppress(OSError, ValueError):
            notebooks.append((course.relative(path), json.loads(path.read_bytes())))
    return _find_needs(notebooks)


def needs_of(course: Course, assignment: Assignment) -> Needs:
    """Return what the notebooks of an assignment need."""
    return _find_needs((course.relative(notebook.path), notebook.node) for notebook in assignment.notebooks)


def _find_needs(notebooks: Iterable[tuple[str, Any]]) -> Needs:
    seen: dict[bool, dict[str, None]] = {False: {}, True: {}}
    forbidden: dict[tuple[str, str], None] = {}
    for name, node in notebooks:
        settings = _part(_part(_part(node, dict).get("metadata"), dict).get("fairmark"), dict)
        packages = _part(settings.get("forbidden"), (list, tuple))
        forbidden.update(((name, each), None) for each in packages if isinstance(each, str))
        for cell in _part(_part(node, dict).get("cells"), list):
            metadata = _part(_part(cell, dict).get("metadata"), dict)
            if _part(cell, dict).get("cell_type") == "code":
                is_test = bool(_part(metadata.get("nbgrader"), dict).get("grade"))
                text = cell.get("source")
                statements = find_imports("".join(text) if isinstance(text, list) else str(text))
                seen[is_test].update(dict.fromkeys(statements))
    return Needs(tuple(seen[False]), tuple(seen[False] | seen[True]), tuple(forbidden))


def _part(value: Any, kind: Any) -> Any:
    """Return a part of a notebook that nobody has looked at yet, or an empty one where it is none."""
    return value if isinstance(value, kind) else {} if kind is dict else ()


def find_packages(notebook: SourceNotebook) -> tuple[Package, ...]:
    """Return the packages that a notebook has to be solved without, as far as they are installed."""
    found = (find_package(name) for name in notebook.forbidden)
    return tuple(package for package in found if package is not None)


class Pair:
    """The two zygotes of one assignment, started when first needed, and again where one has ended.

    Parameters
    ----------
    course : Course
    needs : Needs
    seat : socket, optional
        Over which another process hands over what it has split off its own zygotes: see `Pair.share`.
    """

    def __init__(self, course: Course, needs: Needs, seat: socket.socket | None = None) -> None:
        self.course = course
        self.needs = needs
        self.level = ""  # of the sandbox; known when its zygotes were started
        self._seat = seat
        self._started: tuple[Zygote, ...] = ()
        self._zygotes: tuple[Zygote, ...] = ()

    def start(self) -> None:
        """Start the zygotes without waiting for them: they take longest at the beginning."""
        if not self._started and not self._zygotes:
            self._started = start_zygotes(self._policies(), self.course.sandbox)

    def open(self) -> tuple[Zygote, Zygote]:
        """Return the student's and the examiner's zygote.

        Raises
        ------
        SandboxError
            Where the sandbox does not start.
        AuthorError
            Where a notebook forbids a package that the room itself needs.
        """
        if not all(zygote.is_alive() for zygote in self._zygotes):
            self.close()  # the machine has ended one: the next submission must not pay for it
        if not self._zygotes and self._seat is not None:
            self._zygotes = self._take_seat(self._seat)
        if not self._zygotes:
            started, self._started = self._started, ()
            self._zygotes = open_zygotes(self._policies(), self.course.sandbox, started)
            self._refuse_needed(self._zygotes[0].needed)
        student, examiner = self._zygotes
        self.level = student.level
        return student, examiner

    def _policies(self) -> tuple[Policy, Policy]:
        limits = read_limits(self.course)
        secret = (str(self.course.root),)
        trusted = self.course.root / "autograder"
        mounts = (Mount(str(trusted), f"{_COURSE_INSIDE}/autograder"),) if trusted.is_dir() else ()
        packages = (find_package(name) for _, name in self.needs.forbidden)
        without = {module for package in packages if package is not None for module in package.modules}
        preload, preload_tests = self.needs.preload, self.needs.preload_tests
        return (
            Policy("student", limits, preload=preload, secret=secret, without=tuple(sorted(without))),
            Policy("examiner", limits, mounts, preload_tests, (_COURSE_INSIDE,), secret),
        )

    def _refuse_needed(self, needed: tuple[str, ...]) -> None:
        """Raise where a notebook forbids what the student's room itself is made of."""
        faults = tuple(
            Fault(
                file,
                "",
                f"it forbids {name!r}, but fairmark's own room needs it to run a notebook; take it "
                "out of the list.",
            )
            for file, name in self.needs.forbidden
            if set(getattr(find_package(name), "modules", ())) & set(needed)
        )
        if faults:
            self.close()
            raise AuthorError(faults)

    def share(self, seats: Sequence[socket.socket]) -> None:
        """Hand over zygotes to other processes, split off from those of this one.

        What was imported once is not imported again, and lies in memory once. At the lower levels of the
        sandbox, where rooms share folders, nothing is handed over: each process starts its own.

        Parameters
        ----------
        seats : sequence of socket
            Each the other end of what a `Pair` of another process got as its `seat`; closed afterwards.
        """
        zygotes = self.open()
        for seat in seats:
            with seat:
                split: list[socket.socket] = []
                if self.level == FULL:
                    with suppress(SandboxError):  # a zygote has just been killed: each starts its own
                        split += [zygote.split() for zygote in zygotes]
                with suppress(OSError):  # a worker that is lost already is noticed where it is waited for
                    socket.send_fds(seat, [self.level.encode()], [control.fileno() for control in split])
                for control in split:
                    control.close()

    def _take_seat(self, seat: socket.socket) -> tuple[Zygote, ...]:
        """Return the zygotes that another process hands over; none where it does not."""
        self._seat = None
        with seat:
            seat.settimeout(_SEAT_SECONDS)
            try:
                _, descriptors, *_ = socket.recv_fds(seat, 100, 2)
            except OSError:
                return ()
        controls = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        pairs = zip(self._policies(), controls, strict=True) if controls else ()
        return tuple(Zygote(policy, FULL, control) for policy, control in pairs)

    def close(self) -> None:
        """End the zygotes and every room in them, all at the same time."""
        zygotes = *self._started, *self._zygotes
        for zygote in zygotes:
            zygote.control.close()
        for zygote in zygotes:
            zygote.close()
        self._started = self._zygotes = ()


class Hall:
    """Where the submissions to one assignment are graded; to be closed.

    Parameters
    ----------
    course : Course
    assignment : Assignment
    pair : Pair, optional
        Its zygotes, where they were started before the assignment was read.
    """

    def __init__(self, course: Course, assignment: Assignment, pair: Pair | None = None) -> None:
        self.course = course
        self.assignment = assignment
        self.secret = course.secret()
        self.pair = pair or Pair(course, needs_of(course, assignment))

    @property
    def level(self) -> str:
        """The level of the sandbox; known when its zygotes were started."""
        return self.pair.level

    def zygotes(self) -> tuple[Zygote, Zygote]:
        """Return the student's and the examiner's zygote: see `Pair.open`."""
        return self.pair.open()

    def close(self) -> None:
        """End the zygotes and every room in them."""
        self.pair.close()

    def __enter__(self) -> Hall:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_limits(course: Course) -> Limits:
    """Return the limits, with nbgrader's own setting for the time of a cell."""
    settings = [course.config.get(name, {}).get("timeout") for name in ("Execute", "ExecutePreprocessor")]
    seconds = next((seconds for setting in settings if (seconds := _read_seconds(setting)) > 0), 0.0)
    limits = Limits()
    if not seconds:
        return limits
    return replace(
        limits,
        cell_seconds=seconds,
        submission_seconds=max(limits.submission_seconds, 10.0 * seconds),
        cpu_seconds=max(limits.cpu_seconds, 10.0 * seconds),
    )


def _read_seconds(setting: object) -> float:
    """Read a time as traitlets has it: what was typed after a command is text. 0 stands for none."""
    try:
        return float(setting) if isinstance(setting, int | float | str) else 0.0
    except ValueError:
        return 0.0
