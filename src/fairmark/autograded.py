"""The folder ``autograded/<student>/<assignment>``: written whole or not at all, whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.results import SubmissionResult, from_document, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fairmark.course import Course

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_DRAFT = ".draft-"


@contextlib.contextmanager
def draft_submission(
    course: Course, result: SubmissionResult, notebooks: Mapping[str, str], files: Mapping[str, bytes]
) -> Iterator[Path]:
    """Write a graded submission beside its place, and put it there when the block has come to its end.

    Parameters
    ----------
    course : Course
    result : SubmissionResult
    notebooks : mapping of str to str
        The graded notebooks' texts by name.
    files : mapping of str to bytes
        The files beside them.

    Yields
    ------
    Path
        The folder as it will be.

    Raises
    ------
    OSError
        Where it cannot be written; what was there before stays as it was.
    """
    folder = course.autograded(result.submission.student, result.assignment.id)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    draft, descriptor = _open_draft(folder)
    try:
        draft.chmod(0o755)
        for name, data in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name, text in notebooks.items():
            (draft / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")
        (draft / "result.json").write_text(to_json(result), encoding="utf-8")
        yield draft
        _put(draft, folder)
    finally:
        os.close(descriptor)
        shutil.rmtree(draft, ignore_errors=True)


def read_result(course: Course, student: str, assignment_id: str) -> SubmissionResult | None:
    """Return what grading a submission found last time; None where there is nothing whole to be read."""
    try:
        text = (course.autograded(student, assignment_id) / "result.json").read_text(encoding="utf-8")
        return from_document(json.loads(text))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # whatever lies there
        return None


def sweep_drafts(course: Course, assignment_id: str, students: Iterable[str]) -> None:
    """Remove what graders that were killed have left beside graded submissions that are not written again."""
    for folder in {course.autograded(student, assignment_id).parent for student in students}:
        _sweep(folder)


def _open_draft(folder: Path) -> tuple[Path, int]:
    """Make a draft, and lock it: that tells other graders that somebody is at work on it."""
    while True:
        draft = Path(tempfile.mkdtemp(prefix=f"{_DRAFT}{folder.name}.", dir=folder.parent))
        with contextlib.suppress(FileNotFoundError):  # another grader swept it away before it was locked
            descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if draft.exists():
                return draft, descriptor
            os.close(descriptor)


def _put(draft: Path, folder: Path) -> None:
    """Let `draft` take the place of `folder`, in one step where the file system can."""
    if not folder.exists():
        with contextlib.suppress(OSError):  # another grader was quicker
            draft.rename(folder)
            return
    if not _exchange(draft, folder):
        old, descriptor = _open_draft(folder)
        try:
            folder.rename(old / "old")
            draft.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            os.close(descriptor)


def _exchange(left: Path, right: Path) -> bool:
    """Exchange two folders in one step; False where that cannot be done here."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    done = rename(_AT_FDCWD, os.fsencode(left), _AT_FDCWD, os.fsencode(right), _RENAME_EXCHANGE)
    if done == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(right))


def _sweep(folder: Path) -> None:
    """Remove drafts that a grader left behind when it was killed; one that is being written is locked."""
    for draft in folder.glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(draft, ignore_errors=True)
            finally:
                os.close(descriptor)
