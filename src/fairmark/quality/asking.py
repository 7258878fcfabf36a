"""Asks the grader for the snapshot of a student's repository, and answers on the grader's side."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmark.errors import AuthorError, GraderError, UsageError
from fairmark.inquiry import NobodyAnswers, ask_grader, has_grader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairmark.course import Course
    from fairmark.repository.mirror import Mirror
    from fairmark.repository.records import Commit

REFERENCE = "reference"
_LONGEST = 500


def ask_snapshot(address: object, folder: Path | None) -> dict[str, Any]:
    """Return what the grader sees of a student's repository.

    Parameters
    ----------
    address : object
        What the student wrote; anything but a text is no address.
    folder : Path or None
        The exercise's in ``autograder/``, for the proof of the reference solution in an ordinary kernel.

    Returns
    -------
    dict
        ``snapshot`` as `Snapshot.to_plain` gives it, or None; then ``words`` say why, and ``ours`` whether
        that is nobody's fault.

    Raises
    ------
    NobodyAnswers
        Where there is no grader that could look.
    """
    text = address.strip()[:_LONGEST] if type(address) is str else ""
    if not text:
        return _nothing("no address was given yet")
    if has_grader():
        answer: dict[str, Any] = ask_grader("snapshot", text)
        return answer
    rehearsed = rehearse(folder, text) if folder else None
    if rehearsed is None:
        raise NobodyAnswers("a repository is graded by fairmark alone, not by an ordinary kernel")
    return rehearsed


def _nothing(words: str, *, ours: bool = False) -> dict[str, Any]:
    return {"snapshot": None, "words": words, "ours": ours}


def answer_snapshot(course: Course, assignment: str, student: str, address: object) -> dict[str, Any]:
    """Answer a test cell that asks for the student's repository.

    Where the exercise is one of pull requests, the head that its rules choose is looked at, with the
    student's own commits; else the default branch of whatever repository the address leads to, with all of
    its commits.

    Parameters
    ----------
    course : Course
    assignment : str
    student : str
        Whose submission is graded; empty while a release is proved.
    address : object
        What the student wrote.

    Raises
    ------
    GraderError
        Where nothing can be said, by our own fault.
    """
    from fairmark.repository.assignment import TASK_FILE  # noqa: PLC0415 - needs git

    folder = course.root / "autograder" / assignment
    text = address if isinstance(address, str) else ""
    if not student:
        answer = rehearse(folder, text)
        if answer is None:
            raise GraderError(f"{folder} holds no reference: a folder {REFERENCE!r}, or a task's upstream")
        return answer
    try:
        if (folder / TASK_FILE).is_file():
            return _look_at_exercise(course, assignment, student, text)
        return _look_at_any(course, assignment, text)
    except (UsageError, AuthorError) as error:
        raise GraderError(str(error)) from error


def _look_at_exercise(course: Course, assignment: str, student: str, text: str) -> dict[str, Any]:
    from fairmark.repository.exercise import check_submission  # noqa: PLC0415 - needs git
    from fairmark.repository.mirror import Mirror  # noqa: PLC0415

    exercise, checked = check_submission(course, assignment, student, text)
    evidence = checked.evidence
    if evidence.work is None:
        if evidence.upstream:
            return _nothing(evidence.upstream, ours=True)
        if evidence.fork.state != "answered":
            return _nothing(evidence.fork.words, ours=evidence.fork.state == "unreachable")
        return _nothing("no commit of yours was found beside those of the original")
    with Mirror(exercise.mirror) as mirror, mirror.locked():
        if mirror.reader.head(evidence.work.head) is None:
            return _nothing("your work was seen before, and is not kept any more", ours=True)
        return _take(mirror, evidence.work.head, evidence.work.own)


def _look_at_any(course: Course, assignment: str, text: str) -> dict[str, Any]:
    from fairmark.repository.address import PUBLIC_HOSTS, AddressError, read_address  # noqa: PLC0415
    from fairmark.repository.exercise import read_place  # noqa: PLC0415
    from fairmark.repository.mirror import Mirror, Unanswered  # noqa: PLC0415

    place = read_place(course, assignment)
    try:
        address = read_address(text, (*PUBLIC_HOSTS, *place.hosts), local=place.local)
    except AddressError as error:
        return _nothing(str(error))
    with Mirror(place.mirror) as mirror, mirror.locked():
        try:
            refs = mirror.list_refs(address)
            if not refs.main:
                return _nothing("the repository is empty")
            mirror.fetch_fork(address, refs)
        except Unanswered as error:
            return _nothing(str(error), ours=not error.gone)
        return _take(mirror, refs.main, None)


def _take(mirror: Mirror, head: str, own: Sequence[Commit] | None) -> dict[str, Any]:
    from fairmark.quality.taking import take_snapshot  # noqa: PLC0415 - needs git

    return {"snapshot": take_snapshot(mirror, head, own).to_plain(), "words": "", "ours": False}


def rehearse(folder: Path, address: str) -> dict[str, Any] | None:
    """Return the snapshot that stands for the reference solution's repository.

    It is made of the files in ``reference/``; where the exercise has none, of those in ``upstream/`` after a
    perfect student's pull request.

    Returns
    -------
    dict or None
        None where there is neither, or the address is not the task's reference.
    """
    from fairmark.repository.forge import Forge  # noqa: PLC0415 - needs git
    from fairmark.repository.mirror import Mirror  # noqa: PLC0415
    from fairmark.repository.rehearsal import found_upstream, stage_reference  # noqa: PLC0415

    if not (folder / REFERENCE).is_dir():
        with stage_reference(folder, address) as staged:
            if staged is None:
                return None
            mirror, checked = staged
            work = checked.evidence.work
            return _take(mirror, work.head, work.own) if work else None
    with tempfile.TemporaryDirectory(prefix="fairmark-") as scratch:
        forge = Forge(Path(scratch) / "forge")
        repository = found_upstream(forge, folder / REFERENCE, "reference/repository", time.time())
        forge.close()
        from fairmark.repository.address import read_address  # noqa: PLC0415

        with Mirror(Path(scratch) / "mirror.git") as mirror:
            place = read_address(str(repository.folder), local=True)
            refs = mirror.list_refs(place)
            mirror.fetch_fork(place, refs)
            return _take(mirror, refs.main, None)
