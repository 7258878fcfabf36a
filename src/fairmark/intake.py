"""What was handed in, which may be anything: found and read so that nothing of it can do harm."""

from __future__ import annotations

import errno
import fnmatch
import json
import mimetypes
import os
import re
import stat
import unicodedata
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fairmark.course import Collected, Parcel, Submission, split_at
from fairmark.errors import Ungradable
from fairmark.provenance import collected_folder, find_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from nbformat import NotebookNode

    from fairmark.course import Assignment, Course, Source, SourceNotebook

# nbgrader and nbformat cost seconds to import: both are imported where they are needed.

MAX_NOTEBOOK_BYTES = 50 * 2**20
MAX_NOTEBOOK_VALUES = 5_000_000
MAX_OLD_VALUES = (
    200_000  # of a format that nbformat has to convert and check, which takes a hundred times as long
)
_TOO_MUCH = "The notebook holds too much to be read. Clear its outputs and hand it in again."
MAX_FILES = 1_000
MAX_NOTES = 100
MAX_FILES_BYTES = 200 * 2**20
MAX_FOLDER_DEPTH = 20
_MAX_TIME = 200
# A name, and no path: zones are files.
_ZONE = re.compile(r"[A-Za-z][\w+-]*(/[A-Za-z][\w+-]*)*", re.ASCII)


# ---------------------------------------------------------------------------------------------------------
# Submissions


def find_submissions(
    course: Course, assignment_id: str, students: Sequence[str] = ()
) -> tuple[Submission, ...]:
    """Find what was handed in for an assignment, sorted by student.

    Folders that are links are not entered; they are returned without notebooks and with a note, so that
    they can be reported by name.

    Parameters
    ----------
    course : Course
    assignment_id : str
    students : sequence of str, optional
        Only these; a student without a folder is simply not in the result.
    """
    left_out = {name for name in course.directory.student_id_exclude.split(",") if name}
    base, name, rest = split_at(course.submitted("\0", assignment_id))
    found = []
    for entry in os.scandir(base) if base.is_dir() else ():
        match = name.fullmatch(entry.name)
        if match is None or entry.name.startswith("."):
            continue
        student = _printable(match[1])
        if student in left_out or (students and student not in students):
            continue
        submission = _find_submission(student, assignment_id, base / entry.name, rest)
        if submission is not None:
            found.append(submission)
    return tuple(sorted(found, key=lambda submission: submission.student))


def _find_submission(student: str, assignment: str, folder: Path, rest: Path) -> Submission | None:
    """Return what lies in one student's folder, or None where there is none."""
    for part in ("", *rest.parts):
        folder = folder / part
        try:
            mode = folder.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(mode):
            note = "The folder is a link; links are not followed. Hand in the files themselves."
            return Submission(student, assignment, folder, (), notes=(note,))
        if not stat.S_ISDIR(mode):
            return None
    names = []
    notes = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not entry.name.endswith(".ipynb") or entry.name.startswith("."):
            continue
        if entry.is_file(follow_symlinks=False):
            names.append(entry.name.removesuffix(".ipynb"))
        else:
            notes.append(f"{_printable(entry.name)!r} is not an ordinary file; it was left out.")
    timestamp, told = read_timestamp(folder)
    return Submission(student, assignment, folder, tuple(names), timestamp, (*_choose_notes(notes), *told))


def read_timestamp(folder: Path) -> tuple[datetime | None, tuple[str, ...]]:
    """Return when a folder's work was handed in, in UTC, and what has to be said of it.

    ``timestamp.txt`` is a student's file as all others: what cannot be read, or tells no time, is no time.
    """
    try:
        text = _read_file(folder, "timestamp.txt", 2**20, "timestamp.txt").decode().strip()
        if len(text) > _MAX_TIME:
            raise ValueError("too long for a time")
        return parse_time(text), ()
    except Ungradable as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        return None, () if missing else (str(error),)
    except Exception:  # noqa: BLE001 - dateutil raises many kinds
        return None, ("timestamp.txt holds no time; the time of handing in is not known.",)


def parse_time(text: str) -> datetime:
    """Return the time that a text tells, as nbgrader understands it, in UTC.

    Raises
    ------
    ValueError, OverflowError
        Where it tells none.
    """
    from dateutil import parser, tz  # noqa: PLC0415 - as slow as all else here

    # nbgrader takes "+0200" behind a blank for 200 seconds; without the blank it is read rightly.
    text = re.sub(r" ([+-]\d{4})$", r"\1", text)
    day, _, rest = text.partition(" ")
    hour, _, zone = rest.partition(" ")
    if zone and " " not in zone:  # the name of a zone: UTC, or Europe/Berlin
        place = int(zone) if zone.isdecimal() else tz.gettz(zone) if _ZONE.fullmatch(zone) else None
        moment = parser.parse(f"{day} {hour} TZ", tzinfos={"TZ": place})
    else:
        moment = parser.parse(text)
    return cast("datetime", moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))


# Types that a browser only shows or stores. Formgrader serves what lies beside a graded notebook from its own
# address, where a page or a drawing of a student's could run with the instructor's rights.
# fmt: off
_PASSIVE_TYPES = frozenset((
    "application/gzip", "application/json", "application/octet-stream", "application/toml",
    "application/x-yaml", "application/yaml", "application/zip", "audio/x-wav", "text/x-yaml", "text/yaml",
    "image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp", "text/csv",
    "text/markdown", "text/plain", "text/tab-separated-values", "text/x-python", "video/mp4",
))
# fmt: on


def is_active(name: str) -> bool:
    """Tell whether a browser might run something in a file of this name."""
    # The slash: what begins with "data:" would be taken for an address, and its type for what that says.
    kind, _ = mimetypes.guess_type(f"/{name.lower()}", strict=False)
    return kind is not None and kind not in _PASSIVE_TYPES and not name.lower().endswith(".ipynb")


def is_entered(course: Course, folder: Path) -> bool:
    """Tell whether nbgrader may enter a folder of its list: no part of it is a link or has an odd name.

    Parameters
    ----------
    course : Course
    folder : Path
        ``submitted/<student>/<assignment>``.
    """
    if _printable(str(folder)) != str(folder):  # nbgrader's patterns do not match it, and it would stop there
        return False
    place, _, _ = split_at(course.submitted("\0", "\0"))
    for part in Path(os.path.normpath(folder)).relative_to(place).parts:
        place /= part
        if place.is_symlink():
            return False
    return True


def _printable(name: str) -> str:
    """Return a folder's name as text that every file, database and terminal can hold."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(
        "\ufffd" if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter for letter in text
    )


# ---------------------------------------------------------------------------------------------------------
# Notebooks


def read_notebook(path: Path) -> NotebookNode:
    """Read a submitted notebook; nothing that lies there can do more than make it ungradable.

    The result is not checked against nbformat's schema: `fairmark.assembly` takes what it can use.

    Parameters
    ----------
    path : Path

    Raises
    ------
    Ungradable
        With a sentence for the student.
    """
    return parse_notebook(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a submitted notebook.

    Raises
    ------
    Ungradable
        Where it is no ordinary file, or far too large.
    """
    return _read_file(path.parent, path.name, MAX_NOTEBOOK_BYTES, "The notebook")


def parse_notebook(content: bytes) -> NotebookNode:
    """Read a submitted notebook's bytes as `read_notebook` does.

    Raises
    ------
    Ungradable
        With a sentence for the student.
    """
    from nbformat import from_dict  # noqa: PLC0415

    if not content.strip():
        raise Ungradable("The notebook file is empty. Save it again in Jupyter and hand it in again.")
    if _count_values(content) > MAX_NOTEBOOK_VALUES:
        raise Ungradable(_TOO_MUCH)
    try:
        document = json.loads(content.decode("utf-8-sig"))
        if not isinstance(document, dict):
            raise Ungradable("The file holds no notebook. Hand in the notebook that you worked in.")
        document = _upgrade(document, content)
        node = from_dict(document)
    except UnicodeDecodeError as error:
        raise Ungradable("The notebook is not encoded in UTF-8. Save it again in Jupyter.") from error
    except RecursionError as error:
        raise Ungradable("The notebook is nested too deeply to be read.") from error
    except ValueError as error:
        raise Ungradable(
            "The file is not JSON, so it is no notebook; it may be cut off. Save it again in Jupyter."
        ) from error
    if not isinstance(node.get("cells"), list):
        raise Ungradable(
            "The notebook holds no list of cells. Save it again in Jupyter and hand it in again."
        )
    return cast("NotebookNode", node)


def _count_values(content: bytes) -> int:
    return sum(content.count(mark) for mark in (b",", b"[", b"{"))


def _upgrade(document: dict[str, Any], content: bytes) -> Any:
    version = document.get("nbformat")
    if version == 4:
        return document
    if version == 3:
        if _count_values(content) > MAX_OLD_VALUES:
            raise Ungradable(_TOO_MUCH)
        import nbformat  # noqa: PLC0415

        try:
            return nbformat.reads(content.decode("utf-8-sig"), as_version=4)
        except Exception as error:  # whatever nbformat trips over in a hostile file
            raise Ungradable(
                "The notebook is of an old format and damaged. Save it again in Jupyter."
            ) from error
    raise Ungradable(
        f"The notebook's format is {str(version)[:20]!r}, but 4 is needed. Save it again in Jupyter."
    )


def _read_file(folder: Path | int, name: str, limit: int, what: str) -> bytes:
    """Read one regular file in `folder` without following links or waiting for anything."""
    try:
        parent = folder if isinstance(folder, int) else _open_folder(folder)
        try:
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent
            )
        finally:
            if parent is not folder:
                os.close(parent)
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise Ungradable(f"{what} is not an ordinary file. Hand in the file itself.")
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(limit + 1) if state.st_size <= limit else b""
    except OSError as error:
        raise Ungradable(_explain(error, what)) from error
    if state.st_size > limit or len(content) > limit:
        raise Ungradable(
            f"{what} is larger than {limit // 2**20} MiB. Clear its outputs and hand it in again."
        )
    return content


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _explain(error: OSError, what: str) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"{what} is a link; links are not followed. Hand in the file itself."
    if error.errno == errno.ENOENT:
        return f"{what} is missing."
    return f"{what} cannot be read: {error.strerror}."


# ---------------------------------------------------------------------------------------------------------
# Files beside the notebooks


def read_parcel(course: Course, assignment: Assignment | Source, submission: Submission) -> Parcel:
    """Read all that was handed in; what cannot be read is told in the parcel, nothing raises.

    Parameters
    ----------
    course : Course
    assignment : Assignment or Source
    submission : Submission
    """
    notebooks, refused = {}, {}
    for name in sorted({_stem(notebook) for notebook in assignment.notebooks} & {*submission.notebooks}):
        try:
            notebooks[name] = read_bytes(submission.folder / f"{name}.ipynb")
        except Ungradable as error:
            refused[name] = str(error)
    collected = collect_files(course, assignment, submission)
    noted = collected_folder(course.root, submission.assignment) / submission.student
    submission = replace(submission, commit=find_commit(noted, notebooks))
    return Parcel(submission, notebooks, refused, collected.files, collected.notes)


def _stem(notebook: SourceNotebook | Path) -> str:
    return notebook.stem if isinstance(notebook, Path) else notebook.name


def collect_files(course: Course, assignment: Assignment | Source, submission: Submission) -> Collected:
    """Read the files that a student handed in beside the notebooks: data and modules of their own.

    Links, pipes and all else that is no ordinary file are left out. So are files that the instructor has
    under the same name, unless the course lets students change them (``c.Autograde.exclude_overwriting``).

    Parameters
    ----------
    course : Course
    assignment : Assignment or Source
    submission : Submission
    """
    given = {path.relative_to(assignment.folder.absolute()).as_posix() for path in assignment.files}
    kept = course.kept_from_overwriting(assignment.id)
    files: list[tuple[str, bytes]] = []
    notes: list[str] = []
    size = 0
    try:
        for name, read in _walk(submission.folder, course.directory.ignore, notes):
            if name.endswith(".ipynb") or (name in given and name not in kept):
                continue
            if _is_in_the_way(name, given):
                notes.append(f"{name!r} stands where another file belongs; it was left out.")
                continue
            if len(files) >= MAX_FILES:
                notes.append(f"More than {MAX_FILES} files were handed in; the others were left out.")
                break
            try:
                content = read(MAX_FILES_BYTES - size)
            except Ungradable as error:
                notes.append(str(error))
                continue
            size += len(content)
            files.append((name, content))
    except OSError as error:
        notes.append(f"The folder cannot be read: {error.strerror}.")
    return Collected(tuple(sorted(files)), _choose_notes(notes))


def _choose_notes(notes: Sequence[str]) -> tuple[str, ...]:
    """Return the first notes, and how many others there are: a feedback page has to have an end."""
    others = len(notes) - MAX_NOTES
    return (*notes[:MAX_NOTES], f"There are {others} more such notes.") if others > 0 else tuple(notes)


def _is_in_the_way(name: str, given: Iterable[str]) -> bool:
    """Tell whether a file stands where grading writes, or in the way of an instructor's file."""
    parts = name.split("/")
    if parts[0] == "result.json" or any(part.endswith(".ipynb") for part in parts):
        return True
    return any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in given)


def _walk(top: Path, ignore: Sequence[str], notes: list[str]) -> Iterator[tuple[str, Callable[[int], bytes]]]:
    """Yield every ordinary file below `top` with a function that reads it; tell about everything else."""
    folders = 0
    for place, subfolders, names, descriptor in os.fwalk(top, follow_symlinks=False):
        inside = Path(place).relative_to(top)
        folders += 1
        if folders > MAX_FILES or len(inside.parts) >= MAX_FOLDER_DEPTH:
            notes.append(
                f"The folder {_printable(str(inside))!r} and what is in it was left out: too many folders."
            )
            subfolders.clear()
            continue
        entered = [name for name in sorted(subfolders) if _is_plain(name, ignore)]
        for name in [*entered, *sorted(names)]:
            if not _is_plain(name, ignore):
                if _printable(name) != name:
                    notes.append(f"{_printable(name)!r} was left out because of its name.")
                continue
            mode = os.lstat(name, dir_fd=descriptor).st_mode
            if stat.S_ISREG(mode):
                relative = (inside / name).as_posix()
                yield relative, _reader(descriptor, name, relative)
            elif not stat.S_ISDIR(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "not an ordinary file"
                notes.append(f"{(inside / name).as_posix()!r} is {kind}; it was left out.")
        subfolders[:] = entered


def _is_plain(name: str, ignore: Sequence[str]) -> bool:
    return _printable(name) == name and not any(fnmatch.fnmatch(name, pattern) for pattern in ignore)


def _reader(descriptor: int, name: str, relative: str) -> Callable[[int], bytes]:
    return lambda limit: _read_file(descriptor, name, limit, f"{relative!r}")
