"""Puts together what is known of a student's work: which heads are the student's, and what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairmark.repository.records import Page, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fairmark.repository.history import History
    from fairmark.repository.mirror import Mirror, Refs
    from fairmark.repository.records import Change, Commit, Kinship, Person, Student, Task

_NO_REPLY = re.compile(r"(?:\d+\+)?(?P<login>[^@+]+)@(?:users\.)?noreply\.[^@]+", re.IGNORECASE)
_GITLAB_NO_REPLY = re.compile(r"\d+-(?P<login>[^@+]+)@users\.noreply\.gitlab\.[^@]+", re.IGNORECASE)
MAX_PAGE_BYTES = 256 * 2**10
_MOST_FORK_HEADS_JUDGED = 40
_MOST_COMMITS_MEASURED = 50


# --- who -----------------------------------------------------------------------------------------------


class Register:
    """Tells whom of a roster a commit names: by an address, or by a forge's no-reply login.

    Parameters
    ----------
    roster : iterable of Student
    """

    def __init__(self, roster: Iterable[Student]) -> None:
        self._by_email: dict[str, frozenset[str]] = {}
        self._by_login: dict[str, frozenset[str]] = {}
        self._named: dict[str, frozenset[str]] = {}
        for student in roster:
            for known, names in (
                (self._by_email, student.emails),
                (self._by_login, (student.login,) if student.login else ()),
            ):
                for name in names:
                    known[name] = known.get(name, frozenset()) | {student.id}

    def find(self, person: Person) -> frozenset[str]:
        """Return the ids of the students whom an author's address names."""
        email = person.email.casefold()
        found = self._by_email.get(email, frozenset()) if email else frozenset()
        for pattern in (_NO_REPLY, _GITLAB_NO_REPLY):
            match = pattern.fullmatch(email)
            if match:
                found |= self._by_login.get(match["login"].casefold(), frozenset())
        return found

    def find_named(self, commit: Commit) -> frozenset[str]:
        """Return the ids of the students whom a commit names as author or co-author."""
        if commit.id not in self._named:
            people = (commit.author, *commit.coauthors)
            self._named[commit.id] = frozenset().union(*(self.find(person) for person in people))
        return self._named[commit.id]

    def is_classmates(self, commit: Commit, student: Student) -> bool:
        """Tell whether a commit's author is another student, and the commit does not name this one."""
        return student.id not in self.find_named(commit) and bool(self.find(commit.author) - {student.id})


# --- what a head holds ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Core:
    """What belongs to a head whoever looks at it: base, own commits, and those that were passed over."""

    head: str
    base: str
    own: tuple[Commit, ...]
    passed_over: tuple[Commit, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """Upstream as it is shown now, ready to be asked about heads.

    Parameters
    ----------
    mirror : Mirror
    history : History
        Of upstream, its pull requests, and the forks that were looked at so far.
    refs : Refs
        Upstream's.
    task : Task
    register : Register
    now : float
    """

    mirror: Mirror
    history: History
    refs: Refs
    task: Task
    register: Register
    now: float

    def core(self, head: str, *, base: str | None = None) -> Core:
        """Return base and own commits of a head."""
        history = self.history
        base = history.find_base(head) if base is None else base
        own: list[Commit] = []
        passed: list[Commit] = []
        for commit in history.between(base, head):
            idle = history.is_empty(commit) or self._is_plain_sync(commit)
            (passed if idle else own).append(commit)
        return Core(head, base, tuple(own), tuple(passed))

    def _is_plain_sync(self, commit: Commit) -> bool:
        """Tell whether a merge holds nothing but what git itself makes of its parents."""
        if len(commit.parents) != 2:
            return False
        clean, tree = self.merge(*commit.parents)
        return bool(clean) and tree == commit.tree

    def merge(self, ours: str, theirs: str) -> tuple[bool | None, str]:
        """Merge two commits on paper; git is asked only where each holds what the other does not."""
        merged = self._merge_forward(ours, theirs)
        return (True, self.history.commits[merged].tree) if merged else self.mirror.merge(ours, theirs)

    def _merge_forward(self, ours: str, theirs: str) -> str:
        """Return the one of two commits that holds the other."""
        history = self.history
        if ours not in history.commits or theirs not in history.commits:
            return ""
        return theirs if history.contains(theirs, ours) else ours if history.contains(ours, theirs) else ""

    def merge_ahead(self, heads: Iterable[str]) -> None:
        """Try all heads against upstream's main branch with one process, for when they are judged."""
        main = self.history.main
        self.mirror.merge_ahead((main, head) for head in heads if not self._merge_forward(main, head))

    def build_work(
        self, core: Core, student: Student, *, pull: int | None = None, fork: Refs | None = None
    ) -> Work:
        """Return what the rules need to know of one head."""
        history = self.history
        changes = self.mirror.diff(core.base, core.head)
        clean = self.merge(history.main, core.head)[0] if history.main else None
        in_fork, on_default = self._place_in_fork(core.head, fork)
        base = history.commits.get(core.base)
        return Work(
            head=core.head,
            pull=pull,
            base=core.base,
            main=history.main,
            own=core.own,
            passed_over=len(core.passed_over),
            mine=tuple(commit.id for commit in core.own if self._names(student, commit)),
            classmates=tuple(c.id for c in core.own if self.register.is_classmates(c, student)),
            changes=changes,
            pages=self._read_pages(core, changes),
            large=self._list_large(core),
            in_fork=in_fork,
            on_default=on_default,
            in_upstream=self._is_in_upstream(core.head),
            clean=clean,
            clean_now=clean,
            merged=self._find_merge(core, student, pull),
            base_date=base.committed if base else 0.0,
            seen_at=self.now,
        )

    def _list_large(self, core: Core) -> tuple[str, ...]:
        """List files over the limit in own commits; git walks all objects only where there may be any."""
        commits, limit = (*core.own, *core.passed_over), self.task.max_bytes
        if not core.own or (
            len(commits) <= _MOST_COMMITS_MEASURED
            and not any(
                self.mirror.may_bring_large(commit.parents[0] if commit.parents else "", commit.id, limit)
                for commit in commits
            )
        ):
            return ()
        large = self.mirror.list_large(core.base, core.head, limit)
        return ("more files than are looked at",) if large is None else large

    def _read_pages(self, core: Core, changes: Sequence[Change]) -> tuple[Page, ...]:
        changed = [change.path for change in changes]
        touched = [path for path in self.task.paths if path in changed]
        pages = [self._read_page(core, path) for path in touched]
        if not pages:
            lying = (path for path in self.task.paths if self.mirror.find_entry(core.head, path))
            pages = [self._read_page(core, path) for path in lying][:1]
        return tuple(pages)

    def _read_page(self, core: Core, path: str) -> Page:
        before = self.mirror.find_entry(core.base, path) if core.base else None
        after = self.mirror.find_entry(core.head, path)
        return Page(path, after[0] if after else "000000", self._read_blob(before), self._read_blob(after))

    def _read_blob(self, entry: tuple[str, str] | None) -> bytes | None:
        found = self.mirror.reader.read(entry[1], MAX_PAGE_BYTES) if entry else None
        return found[1] if found and found[0] == "blob" else None

    def _place_in_fork(self, head: str, fork: Refs | None) -> tuple[bool | None, bool | None]:
        """Tell whether a head is in the fork, and whether it is on its default branch alone."""
        if fork is None:
            return None, None
        default = self.refs.default if self.refs.default in fork.heads else fork.default
        history = self.history
        holding = [name for name, commit in fork.heads.items() if history.contains(commit, head)]
        if any(name != default for name in holding):
            return True, False
        if holding:
            # A branch that was merged and then deleted comes back into the fork's main with upstream's.
            merged = history.contains(history.main, head)
            return True, None if merged else True
        return False, None

    def _is_in_upstream(self, head: str) -> bool:
        others = (commit for name, commit in self.refs.heads.items() if name != self.refs.default)
        history = self.history
        return not history.contains(history.main, head) and any(
            history.contains(each, head) for each in others
        )

    def _find_merge(self, core: Core, student: Student, pull: int | None) -> str:
        """Tell how a head came into upstream's main line, if it did."""
        history = self.history
        if not core.own or not history.main:
            return ""
        if history.contains(history.main, core.head):
            return "fast-forward" if core.head in history.line else "merge"
        newer = history.since(core.base)
        if pull is not None and any(_tells_of_pull(commit, pull) for commit in newer):
            return "squash"
        # A typo has only one right correction: equal changes prove nothing, the author has to be the same.
        mine = [commit for commit in newer if self._names(student, commit) and commit.parents]
        if mine and self._was_rebased(core, mine):
            return "rebase"
        changed = self._changed_lines(core.base, core.head) if mine else None
        same = (commit for commit in mine if self._changed_lines(commit.parents[0], commit.id) == changed)
        return "squash" if any(same) else ""

    def _was_rebased(self, core: Core, mine: Sequence[Commit]) -> bool:
        """Tell whether each own commit has a twin in main: the same change, author and date."""
        there = set(self.mirror.cherry(self.history.main, core.head, core.base))
        twins = {(commit.author.email.casefold(), commit.authored) for commit in mine}
        own = [commit for commit in core.own if len(commit.parents) == 1]
        marks = ((commit.author.email.casefold(), commit.authored) for commit in own)
        return bool(own) and there >= {commit.id for commit in own} and twins >= set(marks)

    def _changed_lines(self, old: str, new: str) -> frozenset[tuple[str, str]]:
        """Return the paths that differ, each with the lines that are new."""
        found = set()
        for change in self.mirror.diff(old, new, 50):
            before = self._read_blob(self.mirror.find_entry(old, change.path)) or b""
            after = self._read_blob(self.mirror.find_entry(new, change.path)) or b""
            lines = set(after.split(b"\n")) - set(before.split(b"\n"))
            found.add((change.path, b"\n".join(sorted(lines)).decode("utf-8", "backslashreplace")))
        return frozenset(found)

    def _names(self, student: Student, commit: Commit) -> bool:
        return student.id in self.register.find_named(commit)

    # --- whose ---------------------------------------------------------------------------------------------

    def pull_cores(self) -> dict[int, Core]:
        """Return base and own commits of each pull request that could be brought."""
        known = self.history.commits
        cores: dict[str, Core] = {}
        for commit in self.refs.pulls.values():
            if commit in known and commit not in cores:
                cores[commit] = self._pull_core(commit)
        return {number: cores[commit] for number, commit in self.refs.pulls.items() if commit in cores}

    def _pull_core(self, head: str) -> Core:
        """Return a pull request's core; one that main was moved forward to is traced back to where it began.

        Its own commits then are the last ones of the main line that the head's author made.
        """
        history = self.history
        core = self.core(head)
        if core.base != head or head not in history.line[:-1]:
            return core
        author = history.commits[head].author.email.casefold()
        if not self.register.find(history.commits[head].author):
            return core
        base = head
        while history.commits[base].author.email.casefold() == author and history.commits[base].parents:
            base = history.commits[base].parents[0]
        return self.core(head, base=base) if base != head else core

    def find_works(
        self, student: Student, fork: Refs | None, *, claimed: Iterable[int] = (), cores: Mapping[int, Core]
    ) -> tuple[Work, ...]:
        """Return every head that may be the student's work, pull requests first.

        Parameters
        ----------
        student : Student
        fork : Refs or None
            None where the fork does not answer.
        claimed : iterable of int
            Pull requests that are known to be the student's: seen before, or told by the forge.
        cores : mapping
            As `pull_cores` gives them.
        """
        claims = set(claimed)
        works = [
            self.build_work(core, student, pull=number, fork=fork)
            for number, core in cores.items()
            if number in claims or self.is_theirs(core, student, fork)
        ]
        taken = {work.head for work in works}
        for name, head in list((fork.heads if fork else {}).items()):
            if head in taken or head not in self.history.commits or len(works) > _MOST_FORK_HEADS_JUDGED:
                continue
            core = self._fork_core(head)
            if core.own and name and self._is_theirs_in_fork(core, student, fork):
                works.append(self.build_work(core, student, fork=fork))
                taken.add(head)
        return tuple(works)

    def _fork_core(self, head: str) -> Core:
        """Return a branch's core; a template copy begins with a commit that holds what upstream holds."""
        core = self.core(head)
        if core.base:
            return core
        trees = {self.history.commits[commit].tree for commit in self.history.ancestors(self.history.main)}
        copies = [commit.id for commit in (*core.own, *core.passed_over) if commit.tree in trees]
        if not copies:
            return core
        known = self.history.ancestors(copies[-1])
        return replace(
            core,
            base=copies[-1],
            own=tuple(commit for commit in core.own if commit.id not in known),
            passed_over=tuple(commit for commit in core.passed_over if commit.id not in known),
        )

    def is_theirs(self, core: Core, student: Student, fork: Refs | None) -> bool:
        """Tell whether a pull request is the student's.

        It is when an own commit names the student, or when its head is in their fork and no own commit is a
        classmate's. A head without own commits is in every fork: it says nothing.
        """
        if any(self._names(student, commit) for commit in core.own):
            return True
        if not core.own:
            return any(len(c.parents) == 1 and self._names(student, c) for c in core.passed_over)
        return fork is not None and self._is_theirs_in_fork(core, student, fork)

    def _is_theirs_in_fork(self, core: Core, student: Student, fork: Refs | None) -> bool:
        """Tell whether a head is the student's because it is in their fork, or names them.

        What upstream holds, every fork holds that was made or synchronized since: then only a branch counts
        that ends at the head, and that is none of upstream's.
        """
        if any(self._names(student, commit) for commit in core.own):
            return True
        if fork is None or any(self.register.is_classmates(commit, student) for commit in core.own):
            return False
        contains, theirs = self.history.contains, self.refs.heads
        if any(contains(head, core.head) for head in theirs.values()):
            return any(head == core.head and name not in theirs for name, head in fork.heads.items())
        return any(contains(head, core.head) for head in fork.heads.values())

    def count_strangers(self, cores: Mapping[int, Core]) -> int:
        """Return how many pull requests name nobody of the roster."""
        return sum(
            1
            for core in cores.values()
            if core.own and not any(self.register.find_named(commit) for commit in core.own)
        )

    # --- the fork ------------------------------------------------------------------------------------------

    def find_kinship(self, fork: Refs, *, is_upstream: bool) -> Kinship:
        """Tell how the history of a fork is related to upstream's."""
        if is_upstream:
            return "upstream"
        history = self.history
        upstream = frozenset().union(*(history.roots(head) for head in self.refs.heads.values()))
        roots = frozenset().union(*(history.roots(head) for head in fork.heads.values()))
        if roots & upstream:
            return "fork"
        ours = history.ancestors(history.main)
        trees = {history.commits[commit].tree for commit in ours}
        if any(history.commits[root].tree in trees for root in roots):
            return "template"
        return "re-upload" if self._holds_upstreams_files(fork) else "unrelated"

    def _holds_upstreams_files(self, fork: Refs) -> bool:
        """Tell whether a fork holds the asked page, or most of upstream's files, without its history."""
        if not self.history.main:
            return False
        for head in fork.heads.values():
            if any(self.mirror.find_entry(head, path) for path in self.task.paths):
                return True
            names, theirs = (
                {change.path.rpartition("/")[2] for change in self.mirror.diff("", each, 200)}
                for each in (self.history.main, head)
            )
            if names and len(names & theirs) * 2 > len(names):
                return True
        return False


def _tells_of_pull(commit: Commit, pull: int) -> bool:
    """Tell whether a commit's message says that it brings this pull request, as forges write it."""
    subject = commit.message.split("\n", 1)[0].rstrip()
    return subject.endswith(f"(#{pull})") or bool(
        re.search(rf"^See merge request \S+!{pull}$", commit.message, re.MULTILINE)
    )


def choose(works: Sequence[Work], value: Callable[[Work], float]) -> Work | None:
    """Return the best of several heads: the one that passes most, then pull requests, then the later one."""
    return max(
        works,
        key=lambda work: (value(work), work.pull is not None, work.pull or 0, work.seen_at),
        default=None,
    )
