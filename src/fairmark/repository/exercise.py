"""Where a course keeps an exercise in git, and what a test cell is answered that asks about it."""

from __future__ import annotations

import json
import time
import tomllib
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from fairmark.errors import AuthorError, GraderError, UsageError
from fairmark.repository.address import PUBLIC_HOSTS, AddressError, read_address, spell_host
from fairmark.repository.assignment import TASK_FILE, read_roster, read_task
from fairmark.repository.checking import Bench, Upstream, check_student, look_at_upstream
from fairmark.repository.ledger import Ledger
from fairmark.repository.mirror import Mirror, Refs
from fairmark.repository.rehearsal import as_answer, rehearse_reference

if TYPE_CHECKING:
    from pathlib import Path

    from fairmark.course import Course
    from fairmark.repository.address import Address
    from fairmark.repository.checking import Checked
    from fairmark.repository.records import Student, Task

ROSTER_FILE = "roster.csv"
SETTINGS_FILE = "repository.toml"
_FRESH_SECONDS = 600.0
_FAILURE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Exercise:
    """One assignment that is done in git.

    Parameters
    ----------
    folder : Path
        ``autograder/<assignment>``, with ``task.toml`` and the original's files.
    task : Task
    roster : tuple of Student
    mirror, ledger : Path
        In the course's folder ``.fairmark``.
    local : bool
        Addresses on this machine are allowed: for practice.
    """

    folder: Path
    task: Task
    roster: tuple[Student, ...]
    mirror: Path
    ledger: Path
    local: bool

    def address(self) -> Address:
        """Return the original's address.

        Raises
        ------
        UsageError
            Where the task names none that can be used.
        """
        hosts = (*PUBLIC_HOSTS, *self.task.hosts, *spell_host(self.task.upstream))
        try:
            return read_address(self.task.upstream, hosts, local=self.local)
        except AddressError as error:
            raise UsageError(f"{self.folder / TASK_FILE}: upstream: {error}.") from error


def find_exercises(course: Course) -> tuple[str, ...]:
    """Return the assignments of a course that are done in git."""
    found = (path.parent.name for path in (course.root / "autograder").glob(f"*/{TASK_FILE}"))
    return tuple(sorted(set(found) & set(course.assignments())))


def read_exercise(course: Course, assignment: str) -> Exercise:
    """Read what a course says of an exercise.

    Raises
    ------
    UsageError
        Where the assignment is none that is done in git, or there is no roster.
    AuthorError
        With all faults of task or roster.
    """
    folder = course.root / "autograder" / assignment
    private = course.root / ".fairmark"
    if not (folder / TASK_FILE).is_file():
        raise UsageError(f"{assignment!r} is no exercise in git: there is no {folder / TASK_FILE}.")
    settings = _read_settings(private / SETTINGS_FILE).get(assignment, {})
    local = settings.pop("allow_local", False) is True
    roster = course.root / ROSTER_FILE
    if not roster.is_file():
        raise UsageError(f"There is no {roster}: whose commits are whose cannot be told.")
    return Exercise(
        folder,
        read_task(folder / TASK_FILE, settings),
        read_roster(roster),
        private / "mirror.git",
        private / f"{assignment}.seen.jsonl",
        local,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where an assignment's repositories are fetched to, and which addresses it allows."""

    mirror: Path
    hosts: tuple[str, ...]
    local: bool


def read_place(course: Course, assignment: str) -> Place:
    """Read the settings of an assignment whose repositories are no forks of one original.

    Raises
    ------
    UsageError
        Where the settings cannot be read.
    """
    private = course.root / ".fairmark"
    settings = _read_settings(private / SETTINGS_FILE).get(assignment, {})
    hosts = settings.get("hosts", [])
    if not isinstance(hosts, list) or not all(isinstance(each, str) for each in hosts):
        raise UsageError(f"{private / SETTINGS_FILE}: {assignment}.hosts must be a list of names of servers.")
    local = settings.get("allow_local", False) is True
    return Place(private / "mirror.git", tuple(each.lower() for each in hosts), local)


def _read_settings(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error


def answer_test(course: Course, assignment: str, student: str, address: Any) -> dict[str, Any]:
    """Answer what a test cell asks of a student's git work.

    Parameters
    ----------
    course : Course
    assignment : str
    student : str
        Whose submission is graded; empty while a release is proved, where a rehearsal stands for the
        reference.
    address : object
        What the student wrote as the fork's address.

    Raises
    ------
    GraderError
        Where nothing can be said, by our own fault; the message says why.
    """
    text = address if isinstance(address, str) else ""
    if not student:
        answer = rehearse_reference(course.root / "autograder" / assignment, text)
        if answer is None:
            raise GraderError("only the reference's address can be proved, the one that task.toml names")
        return answer
    exercise, checked = check_submission(course, assignment, student, text)
    due = exercise.task.due
    watched = due is None or any(sighting.at <= due for sighting in Ledger(exercise.ledger).read())
    return as_answer(checked if watched else _excuse_unwatched(checked))


def check_submission(course: Course, assignment: str, student: str, address: str) -> tuple[Exercise, Checked]:
    """Look at the work that a student's submission names, and remember it.

    Raises
    ------
    GraderError
        Where nothing can be said, by our own fault; the message says why.
    """
    try:
        exercise = read_exercise(course, assignment)
        place = exercise.address()
    except (UsageError, AuthorError) as error:
        raise GraderError(str(error)) from error
    known = next((each for each in exercise.roster if each.id == student), None)
    if known is None:
        raise GraderError(f"{student} is not in {ROSTER_FILE}")
    now = time.time()
    with Mirror(exercise.mirror) as mirror, mirror.locked():
        upstream = recent_upstream(mirror, place, now)
        ledger = Ledger(exercise.ledger)
        bench = Bench(mirror, exercise.task, exercise.roster, upstream, now, ledger, exercise.local)
        return exercise, check_student(bench, known, address)


def _excuse_unwatched(checked: Checked) -> Checked:
    """Let nobody be late because nobody looked: a person has to decide then."""
    words = "Nobody looked at the class's work before it was due, so it is not known whether it was in time."
    excused = (
        replace(finding, verdict="unknown", message=words, hint="")
        if finding.rule == "on_time" and finding.verdict == "fail"
        else finding
        for finding in checked.findings
    )
    return replace(checked, findings=tuple(excused))


def recent_upstream(mirror: Mirror, address: Address, now: float, fresh: float = _FRESH_SECONDS) -> Upstream:
    """Return the original as it was a few minutes ago, or look again: a class is graded with one look."""
    path = mirror.folder / "fairmark-upstream.json"
    try:
        kept = json.loads(path.read_text())
        age = now - kept["at"]
        limit = _FAILURE_SECONDS if kept["refs"] is None else fresh
        if kept["key"] == address.key and 0 <= age < limit:
            refs = kept["refs"]
            pulls = {int(number): commit for number, commit in refs["pulls"].items()} if refs else {}
            known = Refs(refs["heads"], pulls, refs["default"]) if refs else None
            return Upstream(address, known, kept["words"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    upstream = look_at_upstream(mirror, address)
    refs = asdict(upstream.refs) if upstream.refs else None
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"key": address.key, "at": now, "refs": refs, "words": upstream.words}))
    draft.replace(path)
    return upstream
