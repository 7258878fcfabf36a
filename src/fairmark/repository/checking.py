"""Checks one student's git work: looks at upstream and fork, recalls what was seen, applies the rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fairmark.repository.address import PUBLIC_HOSTS, Address, AddressError, read_address
from fairmark.repository.evidence import Register, Scene, choose
from fairmark.repository.ledger import Sighting, concerns, is_news, verdicts_of
from fairmark.repository.mirror import Mirror, Refs, Unanswered
from fairmark.repository.records import Evidence, Finding, Fork, Opening
from fairmark.repository.rules import count_passed, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairmark.repository.evidence import Core
    from fairmark.repository.ledger import Ledger
    from fairmark.repository.records import Student, Task, Work


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of one student gave.

    Parameters
    ----------
    evidence : Evidence
        What the verdicts rest on.
    findings : tuple of Finding
        One a rule.
    sighting : Sighting
        What was seen in this look alone.
    remarks : tuple of str
        What went wrong on our side, for the instructor.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    sighting: Sighting
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upstream:
    """Upstream as it answered, or why it did not."""

    address: Address
    refs: Refs | None
    words: str = ""
    remarks: tuple[str, ...] = ()


def look_at_upstream(mirror: Mirror, address: Address) -> Upstream:
    """Ask upstream for everything that it shows, in one transfer."""
    try:
        refs = mirror.list_refs(address, pulls=True)
        if not refs.main:
            return Upstream(address, None, "the original repository has no commits")
        left_out = mirror.fetch_upstream(address, refs)
    except Unanswered as error:
        return Upstream(address, None, f"the original repository did not answer ({error})")
    return Upstream(address, refs, remarks=left_out)


def allowed_hosts(task: Task, upstream: Address) -> tuple[str, ...]:
    """Return the servers that forks may lie on."""
    return tuple(dict.fromkeys((*PUBLIC_HOSTS, *task.hosts, *([upstream.host] if upstream.host else []))))


@dataclass(frozen=True, slots=True)
class Bench:
    """What every check of a class needs.

    Parameters
    ----------
    mirror : Mirror
    task : Task
    roster : tuple of Student
    upstream : Upstream
        As `look_at_upstream` gives it.
    now : float
        Seconds since 1970.
    ledger : Ledger, optional
        What is new is written into it at once.
    local : bool
        Allow addresses on this machine.
    forge : mapping of int to Opening
        What the forge says of pull requests, by number; empty where it was not asked.
    scene : Scene, optional
        Upstream and its pull requests, where they were read already for the whole class.
    cores : mapping of int to Core, optional
        What each pull request holds, where that was found out already.
    answers : mapping of str to Refs or Unanswered
        What forks that were asked already said, by address; their heads have been brought.
    """

    mirror: Mirror
    task: Task
    roster: tuple[Student, ...]
    upstream: Upstream
    now: float
    ledger: Ledger | None = None
    local: bool = False
    forge: Mapping[int, Opening] = field(default_factory=dict)
    scene: Scene | None = None
    cores: Mapping[int, Core] | None = None
    answers: Mapping[str, Refs | Unanswered] = field(default_factory=dict)


def look_at_fork(bench: Bench, text: str) -> tuple[Fork, Refs | None, Address | None]:
    """Ask a fork for its heads; what does not work is told in the record."""
    try:
        address = read_address(text, allowed_hosts(bench.task, bench.upstream.address), local=bench.local)
    except AddressError as error:
        return Fork(text[:500], "malformed", str(error)), None, None
    try:
        refs = bench.answers.get(address.url) or bench.mirror.list_refs(address)
        if isinstance(refs, Unanswered):
            raise refs
        if not refs.heads:
            return Fork(text, "empty", "the repository is empty"), refs, address
        bench.mirror.fetch_fork(address, refs)
    except Unanswered as error:
        return Fork(text, "missing" if error.gone else "unreachable", str(error)), None, address
    return Fork(text, "answered"), refs, address


def check_student(bench: Bench, student: Student, fork_text: str) -> Checked:
    """Look at one student's work and judge it.

    Parameters
    ----------
    bench : Bench
    student : Student
    fork_text : str
        What the student wrote as the fork's address.
    """
    task, upstream = bench.task, bench.upstream
    fork, fork_refs, address = look_at_fork(bench, fork_text)
    works: tuple[Work, ...] = ()
    strangers, root = 0, ""
    scene = open_scene(bench, fork_refs)
    if scene is not None:
        root = min(scene.history.roots(scene.history.main), default="")
    before = recall(bench, student, root)
    if scene is not None:
        if fork_refs is not None and fork.state == "answered":
            is_upstream = address is not None and address.key == upstream.address.key
            fork = replace(fork, kinship=scene.find_kinship(fork_refs, is_upstream=is_upstream))
        cores = scene.pull_cores() if bench.cores is None else bench.cores
        claimed = {work.pull for sighting in before for work in sighting.works if work.pull is not None}
        claimed |= {number for number, opening in bench.forge.items() if opening.login == student.login != ""}
        theirs = None if fork.kinship == "upstream" else fork_refs
        if theirs is not None and address is not None and is_classmates_fork(bench, student, address):
            theirs = Refs({}, {}, "")  # what is in there is not this student's because it is in there
        works = scene.find_works(student, theirs, claimed=claimed, cores=cores)
        if address is not None and address.transport == "bundle":
            works = tuple(replace(work, pushed=work.pull is not None) for work in works)
        works = tuple(_with_forge(merge_as_first_seen(scene, work, before), bench.forge) for work in works)
        strangers = scene.count_strangers(cores)
    start = Evidence(task, student, fork, bench.now, None, strangers, upstream.words)
    evidence, findings = judge_with_memory(start, works, before)
    said = verdicts_of(findings)
    sighting = Sighting(bench.now, student.id, upstream.address.key, root, task.path, fork, works, said)
    if (
        bench.ledger is not None
        and (works or fork.state in ("answered", "empty"))
        and is_news(sighting, before)
    ):
        bench.ledger.append([sighting])
    return Checked(evidence, findings, sighting, upstream.remarks)


def is_classmates_fork(bench: Bench, student: Student, address: Address) -> bool:
    """Tell whether the roster knows a repository as a classmate's, by its address or its owner's login."""
    hosts = allowed_hosts(bench.task, bench.upstream.address)

    def owns(other: Student) -> bool:
        if address.owner and other.login == address.owner.casefold():
            return True
        try:
            return bool(other.fork) and read_address(other.fork, hosts, local=bench.local).key == address.key
        except AddressError:
            return False

    return not owns(student) and any(owns(other) for other in bench.roster)


def recall(bench: Bench, student: Student, root: str) -> tuple[Sighting, ...]:
    """Return what was seen of a student's work for this task, the oldest first."""
    seen = bench.ledger.read(student.id) if bench.ledger else ()
    key = bench.upstream.address.key
    return tuple(sighting for sighting in seen if concerns(sighting, bench.task, key, root))


def _with_forge(work: Work, forge: Mapping[int, Opening]) -> Work:
    """Add what the forge says of a pull request."""
    opening = forge.get(work.pull) if work.pull is not None else None
    return work if opening is None else replace(work, opened_at=opening.at)


def open_scene(bench: Bench, fork: Refs | None) -> Scene | None:
    """Read all commits of upstream, its pull requests and one fork; None where upstream did not answer."""
    refs, theirs = bench.upstream.refs, fork.heads.values() if fork else ()
    if refs is None:
        return None
    if bench.scene is not None:
        bench.mirror.extend_history(bench.scene.history, theirs)
        return bench.scene
    heads = [*refs.heads.values(), *refs.pulls.values(), *theirs]
    history = bench.mirror.read_history(refs.main, heads)
    return Scene(bench.mirror, history, refs, bench.task, Register(bench.roster), bench.now)


def merge_as_first_seen(scene: Scene, work: Work, before: Sequence[Sighting]) -> Work:
    """Try a pull request's head against upstream as it was when the pull request was first seen."""
    mains = [
        each.main for sighting in before for each in sighting.works if each.pull == work.pull is not None
    ]
    if work.clean or not mains or mains[0] == work.main:
        return work
    clean, _ = scene.merge(mains[0], work.head)
    return replace(work, clean=clean if clean is not None else work.clean)


def judge_with_memory(
    evidence: Evidence, works: Sequence[Work], before: Sequence[Sighting]
) -> tuple[Evidence, tuple[Finding, ...]]:
    """Judge the best of what is there and what was seen before.

    A head that was later reset, force-pushed or deleted still counts by what was seen; a head that is still
    there counts from when it was first seen.
    """
    fork = recall_fork(evidence.fork, before)
    candidates = recall_works(works, before)
    judged = {work: judge(replace(evidence, fork=fork, work=work)) for work in candidates}
    best = choose(candidates, lambda work: count_passed(judged[work]))
    whole = replace(evidence, fork=fork, work=best)
    return whole, judged[best] if best is not None else judge(whole)


def recall_fork(fork: Fork, before: Sequence[Sighting]) -> Fork:
    """Return the fork, or where it does not answer any more, what it was when it did."""
    if fork.state == "answered":
        return fork
    seen = [sighting for sighting in before if sighting.fork.state == "answered"]
    if not seen:
        return fork
    last = seen[-1]
    return replace(last.fork, seen_at=last.at)


def recall_works(works: Sequence[Work], before: Sequence[Sighting]) -> tuple[Work, ...]:
    """Return what is there and what was seen, each head once, with the time of its first sight."""
    earlier = [work for sighting in before for work in sighting.works]
    there = {(work.pull, work.head) for work in works}
    joined: dict[tuple[int | None, str], Work] = {}
    for work in (*earlier, *works):
        key = (work.pull, work.head)
        joined[key] = _join(joined[key], work) if key in joined else work
    return tuple(
        work if key in there else replace(work, clean_now=None)  # nobody has to mend what is gone
        for key, work in joined.items()
    )


def _join(old: Work, new: Work) -> Work:
    """Return the same head seen twice: what was found first, and what is known since."""
    return replace(
        new,
        base=old.base if old.own and not new.own else new.base,
        own=new.own or old.own,
        mine=new.mine or old.mine,
        changes=new.changes or old.changes,
        pages=new.pages if new.changes else old.pages,
        in_fork=old.in_fork or new.in_fork if new.in_fork is not None else old.in_fork,
        on_default=_join_default(old.on_default, new.on_default),
        pushed=old.pushed or new.pushed,
        clean=old.clean or new.clean if new.clean is not None else old.clean,
        main=old.main or new.main,
        merged=new.merged or old.merged,
        seen_at=min(old.seen_at, new.seen_at),
        opened_at=new.opened_at if new.opened_at is not None else old.opened_at,
    )


def _join_default(old: bool | None, new: bool | None) -> bool | None:  # noqa: FBT001
    """Take a branch that was seen once: the same commits may have been brought to main later."""
    if old is False or new is False:
        return False
    return old if old is not None else new
