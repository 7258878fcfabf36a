"""One bare mirror of ours for what upstream and the forks show; nothing is ever checked out of it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairmark.errors import FairmarkError, GraderError
from fairmark.repository.history import History, read_commit
from fairmark.repository.inquiring import Inquirer, Reply, is_direct, read_advertisement
from fairmark.repository.process import Bounds, ObjectReader, Running, Said, make_repository, run_git
from fairmark.repository.records import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fairmark.repository.address import Address
    from fairmark.repository.records import Commit

# Where each kind of forge publishes the heads of pull requests.
PULL_PATTERNS = ("refs/pull/*/head", "refs/merge-requests/*/head")
_PULL = re.compile(r"refs/(?:pull|merge-requests)/(\d{1,9})/head")
_LINE = re.compile(r"([0-9a-f]{40})\t(refs/[^\s]{1,400}|HEAD)")
_SYMREF = re.compile(r"ref: refs/heads/([^\s]{1,400})\tHEAD")
_GONE = re.compile(
    r"not found|does not exist|does not appear to be a git repository|not a git repository|no such file"
    r"|could not read Username|Authentication failed|The requested URL returned error: (?:401|403|404|410)",
    re.IGNORECASE,
)
_MOVED = re.compile(r"redirect|returned error: 30\d", re.IGNORECASE)
_GONE_STATUSES = (401, 403, 404, 410)
_LATE = "the server took too long to answer"
_NOWHERE = "the server shows no such repository: is it deleted, private, or spelled wrongly?"
_ELSEWHERE = "the server says that the repository has another address now"
MAX_REFS = 20_000
MAX_FORK_HEADS = 500
MAX_COMMITS = 200_000
_MAX_COMMIT_BYTES = 2**20
_MAX_TREE_BYTES = 8 * 2**20
_FOLDER = "040000"
_Entry = tuple[str, str]  # mode and id
_MOST_TREES = 20_000
_LONGEST_PATH = 4096
_MOST_MEASURED = 500


class Unanswered(FairmarkError):  # noqa: N818 - it is what happened
    """A server gave no repository.

    Parameters
    ----------
    message : str
        One sentence.
    gone : bool
        The server said so; otherwise there was no proper answer.
    """

    def __init__(self, message: str, *, gone: bool) -> None:
        self.gone = gone
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Refs:
    """What a repository shows: heads and pull requests with their commits, and the default branch."""

    heads: Mapping[str, str]
    pulls: Mapping[int, str]
    default: str

    @property
    def main(self) -> str:
        """The default branch's newest commit; empty where there is none."""
        return self.heads.get(self.default, "")


class Mirror:
    """A bare repository that is only fetched into and read from.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader: ObjectReader | None = None
        self._merges: dict[tuple[str, str], tuple[bool, str]] = {}
        self.running = Running()
        self._inquirer = Inquirer(self.running)
        if not (folder / "HEAD").exists():
            make_repository(folder)

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads objects, and all connections."""
        self._inquirer.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from fetching into the same mirror."""
        descriptor = os.open(self.folder / "fairmark.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _run(self, *arguments: str, bounds: Bounds, transport: str = "", words: bytes = b"") -> Said:
        return run_git(
            self.folder, *arguments, transport=transport, bounds=bounds, words=words, running=self.running
        )

    # --- servers -------------------------------------------------------------------------------------------

    def list_refs(self, address: Address, *, pulls: bool = False) -> Refs:
        """Ask a server what it has; nothing is transferred.

        Over http the heads are asked for without git, which is asked where the answer is not as expected.

        Raises
        ------
        Unanswered
            Where there is no repository, or no proper answer within the limits.
        """
        bounds = Bounds(seconds=60, output=8 * 2**20)
        if not pulls and is_direct(address):
            listed = _read_reply(self._inquirer.ask(address, bounds))
            if listed is not None:
                return _read_refs(listed)
        patterns = ["HEAD", "refs/heads/*", *(PULL_PATTERNS if pulls else ())]
        said = self._run(
            "ls-remote",
            "--symref",
            "--",
            address.url,
            *patterns,
            transport=address.transport,
            bounds=bounds,
        )
        if not said.good:
            raise _unanswered(said)
        return _read_refs(said.output)

    def fetch_upstream(self, address: Address, refs: Refs) -> tuple[str, ...]:
        """Bring upstream's heads and all pull requests; return what could not be brought, in words.

        One transfer brings everything. Where a single hostile head would spoil it for the whole class, each
        pull request is brought alone.
        """
        wanted = ["+refs/heads/*:refs/upstream/heads/*"]
        pulls = [f"+{pattern}:{pattern.replace('refs/', 'refs/upstream/', 1)}" for pattern in PULL_PATTERNS]
        if self._has({*refs.heads.values(), *refs.pulls.values()}):
            return ()
        said = self._fetch(address, [*wanted, *pulls])
        if said.good:
            return ()
        said = self._fetch(address, wanted)
        if not said.good:
            raise _unanswered(said)
        left_out = []
        self.clear_up()
        for number, commit in refs.pulls.items():
            if not self._has({commit}):
                said = self._fetch(address, [f"+{commit}:refs/upstream/pull/{number}/head"])
                if not said.good:
                    left_out.append(f"pull request {number} could not be brought: {_last_line(said)}")
                    self.clear_up()
        return tuple(left_out)

    def fetch_fork(self, address: Address, refs: Refs) -> None:
        """Bring the heads of a fork.

        Raises
        ------
        Unanswered
            Where the server does not give them within the limits.
        """
        if self.lacks(refs):
            self.bring_heads(address)
            self.clear_up()
            self.confirm(refs)

    def lacks(self, refs: Refs) -> bool:
        """Tell whether heads of a fork have to be brought yet.

        Raises
        ------
        Unanswered
            Where there are more than are ever brought.
        """
        if len(refs.heads) > MAX_FORK_HEADS:
            raise Unanswered(f"the repository has more than {MAX_FORK_HEADS} branches", gone=False)
        return not self._has(set(refs.heads.values()))

    def bring_heads(self, address: Address) -> None:
        """Transfer the heads of a fork; several threads may do so at once.

        Raises
        ------
        Unanswered
            Where the server does not give them within the limits.
        """
        key = hashlib.sha256(address.key.encode()).hexdigest()[:20]
        said = self._fetch(address, [f"+refs/heads/*:refs/forks/{key}/*"])
        if not said.good:
            raise _unanswered(said)

    def confirm(self, refs: Refs) -> None:
        """Check that what was brought is what a fork had shown.

        Raises
        ------
        Unanswered
            Where it changed in between.
        """
        if self.lacks(refs):
            raise Unanswered("the repository changed while it was looked at; look again", gone=False)

    def clear_up(self) -> None:
        """Delete what transfers that were stopped have left; no transfer may be under way."""
        for left in self.folder.glob("objects/pack/tmp_*"):
            left.unlink(missing_ok=True)

    def _fetch(self, address: Address, wanted: Sequence[str]) -> Said:
        options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--prune"]
        options += ["--no-auto-maintenance", "--refmap="]
        return self._run(
            "fetch",
            *options,
            "--",
            address.url,
            *wanted,
            transport=address.transport,
            bounds=Bounds(seconds=180, output=2**20),
        )

    def _has(self, commits: set[str]) -> bool:
        """Tell whether all these commits are here already."""
        return all((found := self.reader.head(commit)) and found[1] == "commit" for commit in commits)

    # --- objects -------------------------------------------------------------------------------------------

    @property
    def reader(self) -> ObjectReader:
        """Reads objects; the process is started when first needed."""
        if self._reader is None:
            self._reader = ObjectReader(self.folder)
        return self._reader

    def read_history(self, main: str, heads: Iterable[str]) -> History:
        """Return all commits that these heads build on.

        Raises
        ------
        GraderError
            Where there are more than a course can have.
        """
        return History(self._read_commits((main, *heads), {}), main)

    def extend_history(self, history: History, heads: Iterable[str]) -> None:
        """Add what the heads of one more fork build on.

        Raises
        ------
        GraderError
            Where there are more commits than a course can have; then none is added.
        """
        history.extend(self._read_commits(heads, history.commits))

    def _read_commits(self, heads: Iterable[str], known: Mapping[str, Commit]) -> dict[str, Commit]:
        waiting = [head for head in dict.fromkeys(heads) if head and head not in known]
        seen = set(waiting)
        commits: dict[str, Commit] = {}
        while waiting:
            name = waiting.pop()
            found = self.reader.read(name, _MAX_COMMIT_BYTES)
            if found is None or found[0] != "commit":
                continue
            commit = commits[name] = read_commit(name, found[1])
            if len(commits) > MAX_COMMITS:
                raise GraderError(
                    f"the repositories have more than {MAX_COMMITS} commits; that is not looked at"
                )
            for parent in commit.parents:
                if parent not in seen and parent not in known:
                    seen.add(parent)
                    waiting.append(parent)
        return commits

    def diff(self, old: str, new: str, most: int = 400) -> tuple[Change, ...]:
        """List the paths that differ between two commits, byte by byte, at most `most` of them.

        Trees are compared level by level, and equal ones not entered: a tree of ten million paths, which fits
        into a few kilobytes, costs no more than what is listed of it. An empty `old` stands for no files at
        all.
        """
        changes: list[Change] = []
        for folder in self._walk_changes(old, new):
            changes += [_change(*each) for each in folder]
            if len(changes) >= most:
                break
        return tuple(sorted(changes, key=lambda change: change.path)[:most])

    def _walk_changes(self, old: str, new: str) -> Iterator[list[tuple[str, _Entry | None, _Entry | None]]]:
        """Yield, a folder after the other, the paths that differ, each with what lay and what lies there."""
        waiting: list[tuple[str, str, str]] = [("", old, new)]
        for _ in range(_MOST_TREES):
            if not waiting:
                return
            folder, before, after = waiting.pop()
            here: list[tuple[str, _Entry | None, _Entry | None]] = []
            olds, news = self._read_tree(before), self._read_tree(after)
            for name in sorted(olds.keys() | news.keys()):
                one, other = olds.get(name), news.get(name)
                if one == other:
                    continue
                path = folder + name.decode("utf-8", "backslashreplace")
                inner, outer = (each[1] if each and each[0] == _FOLDER else "" for each in (one, other))
                if (inner or outer) and len(path) < _LONGEST_PATH:
                    waiting.append((f"{path}/", inner, outer))
                was, now = (each if each and each[0] != _FOLDER else None for each in (one, other))
                if was or now:
                    here.append((path, was, now))
            yield here

    def _read_tree(self, name: str) -> dict[bytes, tuple[str, str]]:
        read = self.reader.read(f"{name}^{{tree}}", _MAX_TREE_BYTES) if name else None
        return dict(_read_entries(read[1])) if read else {}

    def find_entry(self, tree: str, path: str) -> tuple[str, str] | None:
        """Return mode and id of what lies at a path below a tree or commit, or None.

        Trees are read level by level, so that a huge tree beside the path costs nothing.
        """
        mode, found = _FOLDER, tree
        for part in path.encode().split(b"/"):
            entry = self._read_tree(found).get(part) if mode == _FOLDER else None
            if entry is None:
                return None
            mode, found = entry
        return mode, found

    def merge(self, ours: str, theirs: str) -> tuple[bool | None, str]:
        """Merge two commits on paper; tell whether that is without conflicts, and the tree that comes out.

        None where git cannot tell: it does not have both, or it takes too long.
        """
        if (ours, theirs) in self._merges:
            return self._merges[ours, theirs]
        said = self._run(
            "merge-tree",
            "--write-tree",
            "--no-messages",
            ours,
            theirs,
            bounds=Bounds(seconds=30, output=2**20),
        )
        tree = said.output[:40].decode("ascii", "replace")
        if said.stopped or said.status not in (0, 1) or not tree:
            refused = "unrelated histories" in said.words
            return (False if refused else None), ""
        return said.status == 0, tree

    def merge_ahead(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Merge many pairs of commits with one process, so that `merge` has the answer.

        Where one of them stops git, those after it are left for `merge` to do alone.
        """
        wanted = list(dict.fromkeys(pairs))
        if not wanted:
            return
        said = self._run(
            "merge-tree",
            "--write-tree",
            "--no-messages",
            "--name-only",
            "--stdin",
            words="".join(f"{ours} {theirs}\n" for ours, theirs in wanted).encode(),
            bounds=Bounds(seconds=60, output=16 * 2**20),
        )
        self._merges.update(zip(wanted, _read_merges(said.output), strict=False))

    def may_bring_large(self, old: str, new: str, limit: int) -> bool:
        """Tell whether a commit may bring a file over `limit` bytes that its parent does not have.

        False is certain; what would take long to find out may be.
        """
        looked = 0
        for folder in self._walk_changes(old, new):
            looked += 1 + len(folder)
            if looked > _MOST_MEASURED:
                return True
            for _, _, now in folder:
                found = self.reader.head(now[1]) if now else None
                if found and found[1] == "blob" and found[2] > limit:
                    return True
        return False

    def list_large(self, base: str, head: str, limit: int, most: int = 20) -> tuple[str, ...] | None:
        """List files over `limit` bytes anywhere between base and head, also those that were deleted again.

        Each object is asked for once, whatever the number of paths that lead to it. None where there are too
        many objects to look at.
        """
        said = self._run(
            "rev-list",
            "--objects",
            head,
            *([f"^{base}"] if base else []),
            bounds=Bounds(seconds=30, output=16 * 2**20),
        )
        if said.stopped:
            return None
        large = []
        for line in said.output.decode("utf-8", "backslashreplace").split("\n"):
            name, _, path = line.partition(" ")
            found = self.reader.head(name) if name else None
            if found and found[1] == "blob" and found[2] > limit:
                large.append(f"{path} ({found[2]:,} bytes)")
                if len(large) >= most:
                    break
        return tuple(large)

    def cherry(self, main: str, head: str, base: str) -> tuple[str, ...]:
        """Return those commits of a head whose change is in main already, as ``git cherry`` tells."""
        said = self._run("cherry", main, head, *([base] if base else []), bounds=Bounds(seconds=30))
        lines = said.output.decode("ascii", "replace").split("\n")
        return tuple(line[2:] for line in lines if line.startswith("- "))


def _read_entries(data: bytes) -> Iterator[tuple[bytes, tuple[str, str]]]:
    """Yield names, modes and ids of a tree."""
    place = 0
    while place < len(data):
        end = data.find(b"\0", place)
        if end < 0:
            return
        mode, _, name = data[place:end].partition(b" ")
        yield name, (mode.decode("ascii", "replace").zfill(6), data[end + 1 : end + 21].hex())
        place = end + 21


def _read_merges(output: bytes) -> Iterator[tuple[bool, str]]:
    """Yield how merges went: each was told as status, tree, names in conflict, and an empty name."""
    parts = iter(output.split(b"\0"))
    for status in parts:
        tree = next(parts, b"").decode("ascii", "replace")
        if next((False for name in parts if name == b""), True) or status not in (b"0", b"1"):
            return
        yield status == b"1", tree


def _change(path: str, old: tuple[str, str] | None, new: tuple[str, str] | None) -> Change:
    kinds = [each[0][:3] if each else "" for each in (old, new)]
    status = "A" if old is None else "D" if new is None else "M" if kinds[0] == kinds[1] else "T"
    return Change(path, status, old[0] if old else "000000", new[0] if new else "000000")


def _read_refs(output: bytes) -> Refs:
    heads: dict[str, str] = {}
    pulls: dict[int, str] = {}
    default = detached = ""
    for number, line in enumerate(output.decode("utf-8", "backslashreplace").split("\n")):
        if number > MAX_REFS:
            raise Unanswered(
                f"the repository shows more than {MAX_REFS} branches and pull requests", gone=False
            )
        symref = _SYMREF.fullmatch(line)
        if symref:
            default = symref[1]
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        commit, name = match.groups()
        pull = _PULL.fullmatch(name)
        if pull:
            pulls[int(pull[1])] = commit
        elif name.startswith("refs/heads/"):
            heads[name.removeprefix("refs/heads/")] = commit
        elif name == "HEAD":
            detached = commit
    if default not in heads:
        same = [name for name, commit in heads.items() if commit == detached]
        usual = [name for name in ("main", "master") if name in heads]
        default = next(iter([*same, *usual, *heads]), "")
    return Refs(heads, pulls, default)


def _read_reply(reply: Reply) -> bytes | None:
    """Return what a server listed; None where git has to ask.

    Raises
    ------
    Unanswered
        Where the answer is clear, and asking again would be rude.
    """
    if reply.late:
        raise Unanswered(_LATE, gone=False)
    if reply.status in _GONE_STATUSES:
        raise Unanswered(_NOWHERE, gone=True)
    if 300 <= reply.status < 400:
        raise Unanswered(_ELSEWHERE, gone=True)
    if reply.status == 429 or reply.status >= 500:
        raise Unanswered(f"the server is busy or broken (status {reply.status})", gone=False)
    return read_advertisement(reply.body) if reply.status == 200 else None


def _unanswered(said: Said) -> Unanswered:
    if said.stopped == "time":
        return Unanswered(_LATE, gone=False)
    if said.stopped == "output":
        return Unanswered(
            "the server shows more branches and pull requests than a course can have", gone=False
        )
    if _MOVED.search(said.words):
        return Unanswered(_ELSEWHERE, gone=True)
    if _GONE.search(said.words):
        return Unanswered(_NOWHERE, gone=True)
    return Unanswered(f"the server gave no proper answer: {_last_line(said)}", gone=False)


def _last_line(said: Said) -> str:
    lines = [line.strip() for line in said.words.split("\n") if line.strip()]
    line = next(
        (each for each in reversed(lines) if each.startswith(("fatal:", "error:"))),
        lines[-1] if lines else "",
    )
    shown = "".join(character if character.isprintable() else " " for character in line)
    return (shown or f"git ended with status {said.status}")[:300]
