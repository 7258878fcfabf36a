"""Writes the students' feedback pages of an assignment, and keeps which assignments are published."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from fairmark.course import split_at
from fairmark.errors import UsageError
from fairmark.feedback import Occasion, Sheet, make_page
from fairmark.gradebook.assignments import read_due_date
from fairmark.gradebook.reading import read_marks
from fairmark.results import from_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.course import Course
    from fairmark.feedback.markup import ReadFile
    from fairmark.results import NotebookMarks, SubmissionResult

RESULT = "result.json"
_FOR_THE_EXCHANGE = ("timestamp.txt", "submission_secret.txt")  # nbgrader releases no page without them
_MAX_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class Pages:
    """What was written: the pages, and the students whose result could not be read, with the reason."""

    written: tuple[Path, ...]
    failed: tuple[tuple[str, str], ...]


class Desk:
    """Everything that the pages of one assignment have in common, read once.

    Parameters
    ----------
    course : Course
    assignment : str
        Its id.
    now : datetime, optional
        With a time zone; default: the present.
    """

    def __init__(self, course: Course, assignment: str, now: datetime | None = None) -> None:
        self._course = course
        self._assignment = assignment
        self._marks = read_marks(course, assignment)
        self._occasion = Occasion(
            now or datetime.now(UTC), read_due_date(course, assignment), is_published(course, assignment)
        )
        self._read = _reader(course.source(assignment))

    def write(self, student: str, notebook: str, result: SubmissionResult, node: Any) -> str:
        """Return the page of one notebook; `node` is the graded notebook in nbformat's shape."""
        marks: NotebookMarks | None = self._marks.get((student, notebook))
        return make_page(Sheet(result, notebook, node["cells"], marks, self._occasion, self._read))


def write_feedback(course: Course, assignment: str, students: tuple[str, ...] = ()) -> Pages:
    """Write the pages of all graded submissions of an assignment, or of some.

    Raises
    ------
    UsageError
        Where the course has no such assignment, or nothing of it, or of a student asked for, was graded.
    GraderError
        Where the gradebook cannot be read.
    """
    graded = dict(find_graded(course, assignment))
    if not graded:
        course.find_source(assignment)
        raise UsageError(f"Nothing is graded yet: run `fairmark grade {assignment}` first.")
    missing = sorted(set(students) - graded.keys())
    if missing:
        raise UsageError(f"Nothing is graded of {assignment!r} for: {', '.join(missing)}.")
    desk = Desk(course, assignment)
    written: list[Path] = []
    failed: list[tuple[str, str]] = []
    for student in sorted(students or graded):
        try:
            written += _write_pages(course, assignment, student, graded[student], desk)
        except (OSError, ValueError, TypeError, KeyError) as error:
            failed.append((student, f"{graded[student] / RESULT}: {error}"))
    return Pages(tuple(written), tuple(failed))


def _write_pages(course: Course, assignment: str, student: str, folder: Path, desk: Desk) -> Iterator[Path]:
    result = read_result(folder)
    pages = course.feedback(student, assignment)
    pages.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.ipynb")):
        node = json.loads(path.read_text(encoding="utf-8"))
        page = pages / f"{path.stem}.html"
        draft = pages / f".{path.stem}.html"
        draft.write_text(desk.write(student, path.stem, result, node), encoding="utf-8")
        draft.replace(page)
        yield page
    for name in _FOR_THE_EXCHANGE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, pages / name)


def find_graded(course: Course, assignment: str) -> Iterator[tuple[str, Path]]:
    """Yield the students whose work was graded by us, each with the folder of the result."""
    base, name, rest = split_at(course.autograded("\0", assignment))
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        match = name.fullmatch(folder.name)
        if match and (folder / rest / RESULT).is_file():
            yield match[1], folder / rest


def read_result(folder: Path) -> SubmissionResult:
    """Read the result beside graded notebooks.

    Raises
    ------
    ValueError, TypeError, KeyError, OSError
        Where it is damaged.
    """
    return from_document(json.loads((folder / RESULT).read_text(encoding="utf-8")))


def _reader(folder: Path) -> ReadFile:
    """Return a function that reads the instructor's pictures, each once."""
    known: dict[str, bytes | None] = {}

    def read(name: str) -> bytes | None:
        if name not in known:
            parts = PurePosixPath(name).parts
            path = folder.joinpath(*parts)
            inside = bool(parts) and ".." not in parts and not os.path.isabs(name)  # noqa: PTH117
            fits = inside and path.is_file() and path.stat().st_size <= _MAX_FILE
            known[name] = path.read_bytes() if fits else None
        return known[name]

    return read


# --- published -------------------------------------------------------------------------------------------


def is_published(course: Course, assignment: str) -> bool:
    """Tell whether the instructor has published an assignment's grades."""
    return _mark(course, assignment).exists()


def publish(course: Course, assignment: str) -> None:
    """Note that an assignment's grades are published: pages made from now on show ``after_published``.

    Raises
    ------
    UsageError
        Where the course has no such assignment.
    """
    course.find_source(assignment)
    mark = _mark(course, assignment)
    mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.write_text(datetime.now(UTC).isoformat(timespec="seconds") + "\n", encoding="utf-8")


def withdraw(course: Course, assignment: str) -> None:
    """Take back that an assignment's grades are published."""
    course.find_source(assignment)
    _mark(course, assignment).unlink(missing_ok=True)


def _mark(course: Course, assignment: str) -> Path:
    return course.root / ".fairmark" / "published" / assignment
