"""One worker of a batch: gets bytes, grades them in rooms of its own, gives a document back; writes nothing.

A worker may be this process, one of several on this machine, or one of a cluster that has no course folder.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import pickle
import shutil
import signal
import tempfile
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets.config import Config

from fairmark.assembly import find_untouched
from fairmark.course import Course
from fairmark.errors import RoomLost, SandboxError
from fairmark.grading import grade_parcel, read_files
from fairmark.hall import Hall, Pair, needs_of
from fairmark.intake import is_active
from fairmark.interrupts import hear_nothing
from fairmark.results import from_document, to_document
from fairmark.rooms.linux import end_with_parent
from fairmark.settings import CourseDirectory
from fairmark.startup import skip_slow_imports

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from multiprocessing.queues import SimpleQueue

    from fairmark.course import Assignment, Parcel
    from fairmark.results import Fingerprint, SubmissionResult

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Brief:
    """What a worker has to know to grade an assignment, as plain data and bytes.

    Parameters
    ----------
    key : str
        Differs wherever anything else here does.
    root : str
        The course folder; empty where the worker has to lay out one of its own from `files`.
    settings : str
        The course's configuration as JSON.
    assignment : bytes
        Pickled by the grader, for its own workers alone.
    files : tuple of (str, bytes)
        ``autograder/``, the assignment's files and the secret, for workers that do not see the course folder.
    """

    key: str
    root: str
    settings: str
    assignment: bytes
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A graded submission as documents.

    Parameters
    ----------
    document : dict
        The result, as in ``result.json``.
    notebooks : dict of str to str
        The graded notebooks' texts by name.
    files : tuple of (str, bytes)
        The files beside them.
    untouched : dict of str to tuple of str
        The answer cells that nobody touched, by notebook.
    """

    document: dict[str, Any]
    notebooks: dict[str, str]
    files: tuple[tuple[str, bytes], ...]
    untouched: dict[str, tuple[str, ...]]

    def stamped(self, fingerprint: Fingerprint) -> Written:
        """Return the same with what the grade rests on."""
        return replace(self, document=self.document | {"fingerprint": asdict(fingerprint)})

    @property
    def result(self) -> SubmissionResult:
        """The result as a record."""
        return from_document(self.document)


def write_brief(course: Course, assignment: Assignment, *, elsewhere: bool = False) -> Brief:
    """Put together what workers need.

    Parameters
    ----------
    course : Course
    assignment : Assignment
    elsewhere : bool
        The workers do not see the course folder.
    """
    settings = json.dumps(_plain(course.config))
    pickled = pickle.dumps(assignment)
    if not elsewhere:
        root = str(course.root)
        return Brief(_digest((root, settings, pickled)), root, settings, pickled)
    trusted = course.root / "autograder"
    paths = {path: path.relative_to(course.root) for path in sorted(trusted.rglob("*")) if path.is_file()}
    files = [
        (name.as_posix(), path.read_bytes())
        for path, name in paths.items()
        if "__pycache__" not in name.parts
    ]
    files += [(f"files/{name}", data) for name, data in read_files(assignment).items()]
    files.append((".fairmark/secret", course.secret()))
    return Brief(_digest((settings, pickled, *files)), "", settings, pickled, tuple(files))


def _digest(parts: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return settings without what is no plain data: functions and classes matter to nbgrader alone."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items() if _is_plain(part)}
    return [_plain(part) for part in value if _is_plain(part)] if isinstance(value, list) else value


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, list, dict))


# ---------------------------------------------------------------------------------------------------------
# In the worker

_here = threading.local()  # a cluster's workers are threads: each has rooms of its own
_stands: list[_Stand] = []


class _Stand:
    """The hall of one brief in one thread, and the folder that was laid out for it."""

    def __init__(self, brief: Brief) -> None:
        self.key = brief.key
        self.folder: Path | None = None
        self.hall = self._open(brief)

    def _open(self, brief: Brief) -> Hall:
        assignment: Assignment = pickle.loads(brief.assignment)  # noqa: S301 - written by our own grader
        if not brief.root:
            self.folder = Path(tempfile.mkdtemp(prefix="fairmark-course-"))
            _lay_out(self.folder, brief.files)
            beside = self.folder / "files"
            beside.mkdir(exist_ok=True)
            files = tuple(sorted(path for path in beside.rglob("*") if path.is_file()))
            assignment = replace(assignment, folder=beside, files=files)
        root = Path(brief.root) if brief.root else self.folder
        assert root is not None  # noqa: S101 - for the type checker
        config = Config(json.loads(brief.settings))
        directory = CourseDirectory(root=str(root), config=config)
        directory.root = str(root)
        course = Course(root, config, directory)
        seat = _seats.pop() if _seats else None
        return Hall(course, assignment, Pair(course, needs_of(course, assignment), seat))

    def close(self) -> None:
        self.hall.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _lay_out(folder: Path, files: tuple[tuple[str, bytes], ...]) -> None:
    for name, data in files:
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(data)
    trusted = folder / "autograder"
    for path in (trusted, *trusted.rglob("*")) if trusted.exists() else ():
        path.chmod(0o755 if path.is_dir() else 0o644)  # rooms may be another user's; `folder` is open to none


def grade(brief: Brief, parcel: Parcel) -> Written:
    """Grade one submission in the rooms of this thread.

    Raises
    ------
    GraderError
        Where our own parts fail, also in fresh rooms.
    """
    stand: _Stand | None = getattr(_here, "stand", None)
    if stand is None or stand.key != brief.key or stand not in _stands:
        if stand in _stands:
            _stands.remove(stand)
            stand.close()
        stand = _here.stand = _Stand(brief)
        _stands.append(stand)
    return grade_in(stand.hall, parcel)


def grade_in(hall: Hall, parcel: Parcel) -> Written:
    """Grade one submission in `hall`; a zygote that was killed is replaced and the submission graded anew."""
    import nbformat  # noqa: PLC0415 - costs time, and a worker pays for it while its zygotes start

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            graded = grade_parcel(hall, parcel)
            break
        except (SandboxError, RoomLost):
            hall.close()
            if attempt == _ATTEMPTS:
                raise
    texts = {
        name: nbformat.writes(node, version=nbformat.NO_CONVERT) for name, node in graded.notebooks.items()
    }
    handed = {name: data for name, data in parcel.files if not is_active(name)}
    files = read_files(hall.assignment) | handed
    untouched = {
        name: find_untouched(hall.assignment.notebook(name), node) for name, node in graded.notebooks.items()
    }
    return Written(to_document(graded.result), texts, tuple(files.items()), untouched)


def close_rooms() -> None:
    """End all zygotes of this process."""
    while _stands:
        _stands.pop().close()


atexit.register(close_rooms)


# ---------------------------------------------------------------------------------------------------------
# A process of its own on this machine

_briefs: dict[bytes, Brief] = {}
_seats: list[socket.socket] = []  # over which the grader hands over zygotes: at most one


def start_process(grader: int, seats: Sequence[socket.socket], numbers: SimpleQueue[int]) -> None:
    """Begin as a worker process: it ends with its grader, which alone answers to Ctrl-C.

    Parameters
    ----------
    grader : int
        Its process number.
    seats : sequence of socket
        One for each worker process.
    numbers : queue of int
        Which of them are still free.
    """
    skip_slow_imports()
    end_with_parent(signal.SIGKILL)
    if os.getppid() != grader:  # it has ended before this process could ask to be told
        os._exit(1)
    hear_nothing()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    own = numbers.get()
    for number, seat in enumerate(seats):
        if number == own:
            _seats.append(seat)
        else:
            seat.close()


def import_parts() -> None:
    """Import what grading needs: a process that has nothing to do yet has time for it."""
    import nbformat  # noqa: F401, PLC0415


def grade_bytes(brief: bytes, parcel: Parcel) -> Written:
    """Grade one submission in a process that `start_process` has begun; the brief is pickled."""
    if brief not in _briefs:
        _briefs.clear()
        _briefs[brief] = pickle.loads(brief)  # noqa: S301 - from the grader that has started this process
    return grade(_briefs[brief], parcel)
