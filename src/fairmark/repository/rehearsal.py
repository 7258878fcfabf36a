"""Rehearses the exercise on a stand-in forge: the original from a folder, students in many states."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmark.errors import AuthorError, Fault, UsageError
from fairmark.repository.address import read_address
from fairmark.repository.assignment import TASK_FILE, read_task
from fairmark.repository.checking import Bench, check_student, look_at_upstream
from fairmark.repository.forge import Forge, Repository, Signature
from fairmark.repository.mirror import Mirror
from fairmark.repository.records import Page, Student, Task
from fairmark.repository.rules import fault_of_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fairmark.repository.checking import Checked

_DAY = 86400.0
UPSTREAM = "upstream"
ORIGINAL = "course/notes"
TEACHER = "The course <course@uni.example>"
_CLASSMATE = "Somebody else <somebody-else@uni.example>"
_BIG = b"\x00\x01" * 2**20


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one student acts.

    Parameters
    ----------
    upstream, fork : Repository
    task : Task
    student : Student
    at : float
        When the student works, in seconds since 1970.
    """

    upstream: Repository
    fork: Repository
    task: Task
    student: Student
    at: float

    @property
    def author(self) -> str:
        """Who the student's commits name."""
        return f"{self.student.name} <{self.student.emails[0]}>"

    def page(self) -> bytes:
        """Return the page as it is upstream."""
        return read_file(self.upstream, self.task.path)

    def corrected(self) -> bytes:
        """Return the page as it has to be."""
        return correct_page(self.page(), self.task)

    def commit(
        self,
        files: dict[str, Any] | None = None,
        message: str = "",
        branch: str = "fix-typo",
        author: str = "",
    ) -> str:
        """Commit and push; by default the right correction."""
        files = {self.task.path: self.corrected()} if files is None else files
        message = message or f"Correct the spelling in {self.task.path}"
        return self.fork.commit(branch, files, message, Signature(author or self.author, self.at))

    def open(self, branch: str = "fix-typo") -> int:
        """Open a pull request."""
        return self.fork.forge.open_pull(self.upstream, self.fork, branch, title="Correct a typo", at=self.at)


def found_upstream(forge: Forge, folder: Path, name: str, at: float) -> Repository:
    """Make the original repository out of a folder of files.

    Parameters
    ----------
    forge : Forge
    folder : Path
    name : str
        ``owner/name``.
    at : float
        When its one commit was made.
    """
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    upstream = forge.create(name)
    upstream.commit("main", files, "Publish the notes", Signature(TEACHER, at))
    return upstream


def read_file(repository: Repository, path: str) -> bytes:
    """Return a file of the default branch."""
    _, blob = repository.forge.read_tree(repository.head())[path]
    return repository.forge.git("cat-file", "blob", blob).output


def correct_page(page: bytes, task: Task) -> bytes:
    """Return the page with the wrong word replaced so that the corrected sentence comes out.

    Raises
    ------
    AuthorError
        Where no part of the corrected sentence does that: page and task do not belong together.
    """
    text = page.decode()
    for sentence in task.correct:
        words = sentence.split(" ")
        parts = {" ".join(words[i : i + n]) for n in (1, 2, 3, 0) for i in range(len(words))}
        for part in sorted(parts):
            fixed = text
            for wrong in task.wrong:
                fixed = fixed.replace(wrong, part)
            if not fault_of_page(Page(task.path, "100644", page, fixed.encode()), task):
                return fixed.encode()
    raise AuthorError(
        (Fault(task.path, "", f"holds no {task.wrong[0]!r} that the corrected sentence mends."),)
    )


def rehearse_reference(folder: Path, address: str) -> dict[str, Any] | None:
    """Judge the reference solution by a perfect student on a stand-in forge.

    Parameters
    ----------
    folder : Path
        With ``task.toml`` and ``upstream/``.
    address : str
        What the notebook gives as the fork.

    Returns
    -------
    dict or None
        The answer as plain data; None where the address is not the reference's.
    """
    with stage_reference(folder, address) as staged:
        return None if staged is None else as_answer(staged[1])


@contextmanager
def stage_reference(folder: Path, address: str) -> Iterator[tuple[Mirror, Checked] | None]:
    """Let a perfect student work on a stand-in forge for a while; yield the mirror and what was found.

    Parameters are those of `rehearse_reference`; None is yielded where the address is not the reference's.
    """
    task = read_task(folder / TASK_FILE) if (folder / TASK_FILE).is_file() else None
    if task is None or not task.reference or address.strip().rstrip("/") != task.reference.rstrip("/"):
        yield None
        return
    now = time.time()
    task = replace(task, opens=now - 3 * _DAY, due=now + _DAY)
    student = Student("reference", "Reference", ("reference@uni.example",), "reference")
    with tempfile.TemporaryDirectory(prefix="fairmark-") as scratch:
        forge = Forge(Path(scratch) / "forge")
        upstream = found_upstream(forge, folder / UPSTREAM, "course/original", now - 2 * _DAY)
        stage = Stage(upstream, forge.fork(upstream, "reference"), task, student, now - _DAY)
        act_perfect(stage)
        forge.close()
        with Mirror(Path(scratch) / "mirror.git") as mirror:
            place = read_address(str(upstream.folder), local=True)
            bench = Bench(mirror, task, (student,), look_at_upstream(mirror, place), now, local=True)
            yield mirror, check_student(bench, student, str(stage.fork.folder))


def as_answer(checked: Checked) -> dict[str, Any]:
    """Return what a check found as the plain data that crosses into a room."""
    work = checked.evidence.work
    return {
        "findings": [
            {"rule": each.rule, "verdict": each.verdict, "message": each.message, "hint": each.hint}
            for each in checked.findings
        ],
        "pull_request": work.pull if work else None,
        "head": work.head if work else None,
    }


@dataclass(frozen=True, slots=True)
class Play:
    """A simulated class at work on a stand-in forge.

    Parameters
    ----------
    upstream : Repository
    stages : mapping of str to Stage
        By student.
    states : mapping of str to str
        What each student does, one of `ACTS`.
    """

    upstream: Repository
    stages: Mapping[str, Stage]
    states: Mapping[str, str]

    def go_on(self, at: float) -> None:
        """Let happen what happens after the class was looked at."""
        for name, state in self.states.items():
            if state in LATER:
                LATER[state](replace(self.stages[name], at=at))


def begin_play(forge: Forge, original: Path, task: Task, states: Mapping[str, str], at: float) -> Play:
    """Found the original from a folder of files, and let each student act.

    Parameters
    ----------
    forge : Forge
    original : Path
        The folder with the original's files.
    task : Task
    states : mapping of str to str
        What each student does, by id.
    at : float
        When the first works, in seconds since 1970; the others follow a minute apart.

    Raises
    ------
    UsageError
        Where a state is not known.
    """
    known = ORIGINAL in forge.repositories()
    upstream = (
        forge.repository(ORIGINAL) if known else found_upstream(forge, original, ORIGINAL, at - 10 * _DAY)
    )
    stages = {}
    for number, (name, state) in enumerate(states.items()):
        if state not in ACTS:
            raise UsageError(f"{name}: there is no state {state!r}, but: {', '.join(ACTS)}.")
        student = practising_student(name)
        fork = forge.fork(upstream, student.login)
        stages[name] = Stage(upstream, fork, task, student, at + 60 * number)
        ACTS[state](stages[name])
    return Play(upstream, stages, states)


def practising_student(name: str) -> Student:
    """Return the roster's entry of a simulated student."""
    return Student(name, name.capitalize(), (f"{name}@uni.example",), f"{name}-codes")


# --- what students do: the first look of the ledger lies between `ACTS` and `LATER` --------------------


def act_perfect(stage: Stage) -> None:
    """Branch, correct, commit, push, open."""
    stage.commit()
    stage.open()


def act_on_main(stage: Stage) -> None:
    """Work on the default branch."""
    stage.commit(branch="main")
    stage.open("main")


def act_web_editor(stage: Stage) -> None:
    """Use the forge's own editor, which signs with a no-reply address."""
    author = f"{stage.student.login} <7+{stage.student.login}@users.noreply.github.com>"
    name = stage.task.path.rpartition("/")[2]
    stage.commit(message=f"Update {name}", branch="patch-1", author=author)
    stage.open("patch-1")


def act_no_pull(stage: Stage) -> None:
    """Push, and forget to open a pull request."""
    stage.commit()


def act_only_forked(stage: Stage) -> None:
    """Fork, and nothing else."""


def act_new_typo(stage: Stage) -> None:
    """Replace the wrong word by another wrong one."""
    page = stage.page().replace(stage.task.wrong[0].encode(), b"rceive")
    stage.commit({stage.task.path: page})
    stage.open()


def act_many_files(stage: Stage) -> None:
    """Commit everything that lies about."""
    stage.commit({stage.task.path: stage.corrected()} | {f".idea/{n}.xml": "<x/>" for n in range(10)})
    stage.open()


def act_line_ends(stage: Stage) -> None:
    """Save with other line ends."""
    stage.commit({stage.task.path: stage.corrected().replace(b"\n", b"\r\n")})
    stage.open()


def act_deleted(stage: Stage) -> None:
    """Delete the page: the wrong word is gone."""
    stage.commit({stage.task.path: None})
    stage.open()


def act_big_file(stage: Stage) -> None:
    """Commit a large file and delete it again."""
    stage.commit({stage.task.path: stage.corrected(), "stack.raw": _BIG})
    stage.commit({"stack.raw": None}, "Take the image stack out again")
    stage.open()


def act_short_message(stage: Stage) -> None:
    """Say nothing in the message."""
    stage.commit(message="typo")
    stage.open()


def act_classmates_work(stage: Stage) -> None:
    """Push what somebody unknown to the course has committed."""
    stage.commit(author=_CLASSMATE)
    stage.open()


def act_squashed(stage: Stage) -> None:
    """See the pull request closed without being merged."""
    stage.commit()
    stage.fork.forge.close_pull(stage.upstream, stage.open())


def act_upload(stage: Stage) -> None:
    """Upload the files into a repository of one's own instead of forking."""
    forge, name = stage.fork.forge, stage.fork.name
    forge.delete(stage.fork)
    fresh = forge.create(name)
    files = {stage.task.path: stage.corrected()}
    fresh.commit("main", files, "Add files via upload", Signature(stage.author, stage.at))


def act_empty(stage: Stage) -> None:
    """Make an empty repository."""
    forge, name = stage.fork.forge, stage.fork.name
    forge.delete(stage.fork)
    forge.create(name)


def act_nothing(stage: Stage) -> None:
    """Name a repository that does not exist."""
    stage.fork.forge.delete(stage.fork)


def later_reset(stage: Stage) -> None:
    """Reset the branch to the original, which empties the pull request."""
    stage.fork.point("fix-typo", stage.upstream.head())


def later_delete(stage: Stage) -> None:
    """Delete the fork."""
    stage.fork.forge.delete(stage.fork)


ACTS: dict[str, Callable[[Stage], None]] = {
    "perfect": act_perfect,
    "on-main": act_on_main,
    "web-editor": act_web_editor,
    "no-pull-request": act_no_pull,
    "only-forked": act_only_forked,
    "new-typo": act_new_typo,
    "many-files": act_many_files,
    "line-ends": act_line_ends,
    "deleted-page": act_deleted,
    "big-file": act_big_file,
    "short-message": act_short_message,
    "unknown-author": act_classmates_work,
    "closed": act_squashed,
    "upload": act_upload,
    "empty": act_empty,
    "nothing": act_nothing,
    "reset": act_perfect,
    "deleted-fork": act_perfect,
    "late": act_only_forked,
}
LATER: dict[str, Callable[[Stage], None]] = {
    "reset": later_reset,
    "deleted-fork": later_delete,
    "late": act_perfect,
}
