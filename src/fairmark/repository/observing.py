"""Looks at the work of a whole class and writes what it sees into the ledger; meant to be run by a timer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairmark.errors import GraderError
from fairmark.repository.address import AddressError, read_address
from fairmark.repository.asking import ask_forks
from fairmark.repository.checking import (
    Bench,
    Checked,
    allowed_hosts,
    check_student,
    judge_with_memory,
    look_at_upstream,
    open_scene,
    recall,
)
from fairmark.repository.ledger import Ledger
from fairmark.repository.mirror import Mirror
from fairmark.repository.records import Evidence, Fork

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairmark.repository.address import Address
    from fairmark.repository.evidence import Scene
    from fairmark.repository.exercise import Exercise
    from fairmark.repository.mirror import Refs, Unanswered
    from fairmark.repository.records import Opening, Student


@dataclass(frozen=True, slots=True)
class Observation:
    """What a look at a class found.

    Parameters
    ----------
    checked : mapping of str to Checked
        By student.
    asked : int
        Forks that had to be asked.
    remarks : tuple of str
        What went wrong on our side or on the server's.
    """

    checked: Mapping[str, Checked]
    asked: int
    remarks: tuple[str, ...] = ()


def observe_class(
    exercise: Exercise,
    now: float,
    *,
    ask_forge: Callable[[Address], tuple[Mapping[int, Opening], str]] | None = None,
) -> Observation:
    """Look at all pull requests in one transfer, and at those forks that are needed.

    A fork is asked where its student has no pull request, or where it is not proved yet that the pull request
    comes from it. One student's trouble never stops the others.

    Parameters
    ----------
    exercise : Exercise
    now : float
        Seconds since 1970.
    ask_forge : callable, optional
        Gives what the forge's API says of the pull requests, and what went wrong, in words.

    Raises
    ------
    UsageError
        Where the original has no address that can be used.
    """
    address = exercise.address()
    opened, trouble = ask_forge(address) if ask_forge else ({}, "")
    with Mirror(exercise.mirror) as mirror, mirror.locked():
        upstream = look_at_upstream(mirror, address)
        ledger = Ledger(exercise.ledger)
        bench = Bench(
            mirror, exercise.task, exercise.roster, upstream, now, ledger, exercise.local, forge=opened
        )
        scene = open_scene(bench, None)
        if scene is not None:
            cores = scene.pull_cores()
            scene.merge_ahead(core.head for core in cores.values())
            bench = replace(bench, scene=scene, cores=cores)
        needed = {
            student.id: find_fork(bench, student)
            for student in exercise.roster
            if scene is None or not _is_proved(bench, scene, student)
        }
        bench = replace(bench, answers=_ask_forks(bench, needed))
        remarks = [*filter(None, (upstream.words, trouble)), *upstream.remarks]
        checked = {}
        with ledger.waiting_once():
            for student in exercise.roster:
                try:
                    if student.id in needed:
                        checked[student.id] = check_student(bench, student, needed[student.id])
                    else:
                        checked[student.id] = _remember(bench, scene, student)
                except GraderError as error:
                    remarks.append(f"{student.id}: {error}")
    return Observation(checked, len(bench.answers), tuple(remarks))


def find_fork(bench: Bench, student: Student) -> str:
    """Return where a student's fork lies: by the roster, by what was seen, or where a forge puts it."""
    if student.fork:
        return student.fork
    seen = [sighting.fork.address for sighting in recall(bench, student, "") if sighting.fork.address]
    if seen:
        return seen[-1]
    place = bench.upstream.address
    return f"https://{place.host}/{student.login}/{place.name}" if student.login and place.host else ""


def _is_proved(bench: Bench, scene: Scene, student: Student) -> bool:
    """Tell whether all that there is of a student's has been seen in their fork already."""
    heads = {core.head for core in (bench.cores or {}).values() if scene.is_theirs(core, student, None)}
    root = min(scene.history.roots(scene.history.main), default="")
    works = [work for sighting in recall(bench, student, root) for work in sighting.works]
    return bool(heads) and heads <= {work.head for work in works if work.in_fork and work.pull is not None}


def _ask_forks(bench: Bench, needed: Mapping[str, str]) -> dict[str, Refs | Unanswered]:
    """Ask those forks whose addresses may be asked."""
    hosts = allowed_hosts(bench.task, bench.upstream.address)
    places = []
    for text in needed.values():
        try:
            places.append(read_address(text, hosts, local=bench.local))
        except AddressError:
            continue  # told when the student is checked
    return ask_forks(bench.mirror, places)


def _remember(bench: Bench, scene: Scene | None, student: Student) -> Checked:
    """Judge a student by what is in the ledger: nothing is new."""
    root = min(scene.history.roots(scene.history.main), default="") if scene else ""
    before = recall(bench, student, root)
    last = before[-1]
    start = Evidence(bench.task, student, Fork(last.fork.address, "unreachable"), bench.now)
    evidence, findings = judge_with_memory(start, (), before)
    return Checked(evidence, findings, last)
