"""Walks commits: upstream's main line, what a head is based on, and which commits are its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairmark.repository.records import Commit, Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    # Commits beside upstream's main branch, and those of that branch that are met first.
    _Reach = tuple[frozenset[str], frozenset[str]]

_PERSON = re.compile(rb"(.*?) ?<([^>]*)> ?(-?\d+)? ?([+-]\d+)?")
_COAUTHOR = re.compile(r"^co-authored-by:\s*(.*?)\s*<([^<>]+)>\s*$", re.IGNORECASE | re.MULTILINE)
_LONGEST_MESSAGE = 20_000
_MOST_COAUTHORS = 50
_MOST_KEPT = 5_000_000  # ids in sets, about 300 MiB


def read_commit(id: str, data: bytes) -> Commit:  # noqa: A002 - it is the commit's id
    """Read a commit object, which may hold anything.

    Parameters
    ----------
    id : str
    data : bytes
        As ``git cat-file commit`` gives it.
    """
    head, _, body = data.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        fields.setdefault(key, []).append(value)
    encoding = _text(fields.get(b"encoding", [b""])[0]) or "utf-8"
    author, authored = _read_person(fields.get(b"author", [b""])[0])
    _, committed = _read_person(fields.get(b"committer", [b""])[0])
    message = _text(body[:_LONGEST_MESSAGE], encoding)
    named = [Person(name, email) for name, email in _COAUTHOR.findall(message)]
    return Commit(
        id=id,
        tree=_text(fields.get(b"tree", [b""])[0]),
        parents=tuple(_text(parent) for parent in fields.get(b"parent", ())),
        author=author,
        authored=authored,
        committed=committed,
        message=message,
        coauthors=tuple(named[:_MOST_COAUTHORS]),
    )


def _text(data: bytes, encoding: str = "utf-8") -> str:
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _read_person(data: bytes) -> tuple[Person, float]:
    match = _PERSON.match(data[:1000])
    if match is None:
        return Person(_text(data[:200]), ""), 0.0
    seconds = min(max(float(match[3] or 0), -1e12), 1e12)
    return Person(_text(match[1]), _text(match[2]).strip()), seconds


class History:
    """The commits of a mirror, by id, and upstream's main line in them.

    Parameters
    ----------
    commits : mapping of str to Commit
    main : str
        Upstream's newest commit; empty where upstream has none.
    """

    def __init__(self, commits: Mapping[str, Commit], main: str) -> None:
        self.commits = dict(commits)
        self.main = main
        self.line = tuple(self._first_parents(main))
        # The newest has the highest number.
        self._places = {commit: place for place, commit in enumerate(reversed(self.line))}
        self._reaches: dict[str, _Reach] = {}
        self._ancestors: dict[frozenset[str], frozenset[str]] = {}
        self._roots: dict[frozenset[str], frozenset[str]] = {}
        self._kept = 0

    def _first_parents(self, start: str) -> Iterator[str]:
        seen = set()
        while start in self.commits and start not in seen:
            seen.add(start)
            yield start
            parents = self.commits[start].parents
            start = parents[0] if parents else ""

    def extend(self, commits: Mapping[str, Commit]) -> None:
        """Add the commits of one more fork; what is known of the others stays as it is."""
        self.commits.update(commits)

    def ancestors(self, head: str) -> frozenset[str]:
        """Return a commit and everything that it builds on."""
        return self._ancestors_of(frozenset((head,)))

    def _ancestors_of(self, heads: frozenset[str]) -> frozenset[str]:
        if heads not in self._ancestors:
            found = frozenset(self._walk(heads, lambda _: False))
            self._make_room(len(found))
            self._ancestors[heads] = found
        return self._ancestors[heads]

    def _make_room(self, more: int) -> None:
        """Forget what can be found again, before hostile histories fill the memory."""
        self._kept += more
        if self._kept > _MOST_KEPT:
            self._kept = more
            self._reaches.clear()
            self._ancestors.clear()

    def _reach(self, head: str) -> _Reach:
        """Return what a head holds beside upstream's main branch, and where it meets that.

        The heads of a class share nearly everything: a set of all ancestors for each would be nearly the same
        set again and again.
        """
        found = self._reaches.get(head)
        if found is None:
            trunk = self.ancestors(self.main)
            walked = frozenset(self._walk((head,), trunk.__contains__))
            self._make_room(len(walked))
            found = self._reaches[head] = walked - trunk, walked & trunk
        return found

    def _walk(self, heads: Iterable[str], ends: Callable[[str], bool]) -> Iterator[str]:
        waiting = list(heads)
        seen = set(waiting)
        while waiting:
            commit = waiting.pop()
            if commit not in self.commits:
                continue
            yield commit
            if ends(commit):
                continue
            for parent in self.commits[commit].parents:
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)

    def contains(self, head: str, commit: str) -> bool:
        """Tell whether a commit is reachable from a head."""
        beside, met = self._reach(head)
        if commit in beside or commit in met:
            return True
        return commit in self.ancestors(self.main) and commit in self._ancestors_of(met)

    def find_base(self, head: str) -> str:
        """Return the newest commit of upstream's main line that a head contains; empty where it has none.

        Only the first parents are the main line: work that was merged is reachable from main, and must not
        look as if it had been there before.
        """
        met = [commit for commit in self._walk((head,), self._places.__contains__) if commit in self._places]
        return max(met, key=self._places.__getitem__, default="")

    def between(self, base: str, head: str) -> tuple[Commit, ...]:
        """Return the commits of a head that are not in its base, parents before children."""
        known = self.ancestors(base) if base else frozenset()
        wanted = set(self._walk((head,), known.__contains__)) - known
        done: set[str] = set()
        order: list[Commit] = []
        for start in (head, *wanted):
            waiting = [(start, False)]
            while waiting:
                commit, ready = waiting.pop()
                if commit not in wanted or (commit in done and not ready):
                    continue
                if ready:
                    order.append(self.commits[commit])
                else:
                    done.add(commit)
                    waiting.append((commit, True))
                    waiting += [(parent, False) for parent in reversed(self.commits[commit].parents)]
        return tuple(order)

    def roots(self, head: str) -> frozenset[str]:
        """Return the commits without parents that a head builds on."""
        beside, met = self._reach(head)
        if met not in self._roots:
            self._roots[met] = self._without_parents(self._ancestors_of(met))
        return self._roots[met] | self._without_parents(beside)

    def _without_parents(self, commits: Iterable[str]) -> frozenset[str]:
        return frozenset(each for each in commits if not self.commits[each].parents)

    def is_empty(self, commit: Commit) -> bool:
        """Tell whether a commit changes nothing."""
        if len(commit.parents) != 1:
            return False
        parent = self.commits.get(commit.parents[0])
        return parent is not None and parent.tree == commit.tree

    def since(self, base: str) -> tuple[Commit, ...]:
        """Return the commits of the main line that are newer than `base`, the newest first."""
        newer = len(self.line) - 1 - self._places.get(base, -1)
        return tuple(self.commits[each] for each in self.line[:newer])
