"""A stand-in forge made of real git parts, for tests, for the demo, and for a class that practises offline.

Repositories are real bare repositories, served by git's own ``http-backend``. What a forge does beside git is
imitated here: forks share their objects with the original; a pull request is the ref ``refs/pull/N/head``
of the original, which nobody can push to (``receive.hideRefs``) and which follows the fork's branch while
it is open; merging, squashing and rebasing are done as the well-known forges do them. Logins, permissions
and reviews are not imitated: whoever reaches the server may push.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from git import Repo
from gitdb.base import IStream
from gitdb.util import hex_to_bin

from fairmark.errors import UsageError
from fairmark.repository.process import Said, make_repository, run_git

Files = Mapping[str, bytes | str | tuple[str, bytes] | None]
_OBJECTS = "objects.git"
_STATE = "forge.json"
_LOCK = ".lock"  # ends the name of what becomes a ref when it is written; git passes it over, too
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,60}")
_CONFIG = """[core]
\trepositoryformatversion = 0
\tbare = true
\tlogAllRefUpdates = false
[receive]
\thideRefs = refs/pull
\thideRefs = refs/merge-requests
\tunpackLimit = 1
[gc]
\tauto = 0
[http]
\treceivepack = true
"""


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull request."""

    number: int
    upstream: str
    fork: str
    branch: str
    opener: str
    title: str = ""
    state: Literal["open", "closed", "merged"] = "open"
    created_at: float = 0.0
    layout: str = "pull"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who made a commit, and when (seconds since 1970); by default now, and the committer is the author."""

    author: str = "Somebody <somebody@example.org>"
    at: float | None = None
    committer: str = ""
    committed: float | None = None

    def lines(self) -> list[str]:
        """Return the lines of a commit object."""
        at = time.time() if self.at is None else self.at
        committed = at if self.committed is None else self.committed
        return [
            f"author {self.author} {int(at)} +0000",
            f"committer {self.committer or self.author} {int(committed)} +0000",
        ]


def _replace(path: Path, text: str) -> None:
    """Write a ref, or a file of refs, as git does: who reads meanwhile finds the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}{_LOCK}")
    draft.write_text(text)
    draft.replace(path)


class Repository:
    """One bare repository of the forge.

    Parameters
    ----------
    forge : Forge
    name : str
        ``owner/name``.
    """

    def __init__(self, forge: Forge, name: str) -> None:
        self.forge = forge
        self.name = name
        self.folder = forge.folder / f"{name}.git"

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.name.partition("/")[0]

    @property
    def default(self) -> str:
        """The default branch's name."""
        return (self.folder / "HEAD").read_text().strip().removeprefix("ref: refs/heads/")

    def set_default(self, branch: str) -> None:
        """Make a branch the default one."""
        _replace(self.folder / "HEAD", f"ref: refs/heads/{branch}\n")

    def refs(self) -> dict[str, str]:
        """Return all refs with their commits."""
        found = {}
        packed = self.folder / "packed-refs"
        if packed.exists():
            for line in packed.read_text().split("\n"):
                commit, _, name = line.partition(" ")
                if re.fullmatch(r"[0-9a-f]{40}", commit):
                    found[name] = commit
        for folder, _, names in os.walk(self.folder / "refs"):
            for path in (Path(folder, name) for name in names if not name.endswith(_LOCK)):
                with contextlib.suppress(FileNotFoundError):  # a push may take it away just now
                    found[path.relative_to(self.folder).as_posix()] = path.read_text().strip()
        return found

    def branches(self) -> dict[str, str]:
        """Return the branches with their commits."""
        start = "refs/heads/"
        return {
            name.removeprefix(start): commit for name, commit in self.refs().items() if name.startswith(start)
        }

    def head(self, branch: str = "") -> str:
        """Return a branch's newest commit; empty where there is no such branch."""
        return self.branches().get(branch or self.default, "")

    def point(self, ref: str, commit: str | None) -> None:
        """Let a ref name a commit, or take it away; an open pull request from it follows."""
        name = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
        path = self.folder / name
        if commit is None:
            path.unlink(missing_ok=True)
            packed = self.folder / "packed-refs"
            if packed.exists():
                kept = [line for line in packed.read_text().split("\n") if not line.endswith(f" {name}")]
                _replace(packed, "\n".join(kept))
        else:
            _replace(path, f"{commit}\n")
        self.forge.follow(self)

    def commit(
        self,
        branch: str,
        files: Files,
        message: str,
        by: Signature | None = None,
        *,
        parents: Sequence[str] | None = None,
    ) -> str:
        """Make a commit and push it.

        Parameters
        ----------
        branch : str
            Made from the default branch where it is new.
        files : mapping
            What is different from the first parent: contents by path, ``(mode, content)``, or None to delete.
        message : str
        by : Signature, optional
        parents : sequence of str, optional
            Default: the branch's newest commit.
        """
        start = self.head(branch) or self.head()
        parents = [start] if parents is None and start else list(parents or ())
        tree = self.forge.write_tree(parents[0] if parents else "", files)
        commit = self.forge.write_commit(tree, parents, message, by or Signature())
        self.point(branch, commit)
        return commit


class Forge:
    """A folder of repositories.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        objects = folder / _OBJECTS
        if not objects.exists():
            make_repository(objects)
        self._objects = Repo(objects)
        self._trees: dict[str, dict[str, tuple[int, str]]] = {}
        self.pulls: list[Pull] = []
        self._lock = threading.RLock()  # of `pulls` and the file that keeps them: many threads may serve
        self.refresh()

    def close(self) -> None:
        """Let go of the files."""
        self._objects.close()

    def refresh(self) -> None:
        """Read again which pull requests there are: another process may have opened some."""
        with self._lock:
            self.pulls = [Pull(**each) for each in self._read_state()]

    def _read_state(self) -> list[dict[str, Any]]:
        path = self.folder / _STATE
        state: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        return state

    def _write_state(self) -> None:
        draft = self.folder / f".{_STATE}"
        draft.write_text(json.dumps([asdict(pull) for pull in self.pulls], indent=1))
        draft.replace(self.folder / _STATE)

    # --- objects -------------------------------------------------------------------------------------------

    def write_object(self, kind: str, data: bytes) -> str:
        """Store an object and return its id."""
        stream = IStream(kind.encode(), len(data), BytesIO(data))
        found: str = self._objects.odb.store(stream).hexsha.decode()
        return found

    def write_commit(self, tree: str, parents: Sequence[str], message: str, by: Signature) -> str:
        """Store a commit and return its id."""
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), *by.lines()]
        commit = self.write_object("commit", "\n".join([*lines, "", message, ""]).encode())
        self._trees[commit] = self._trees.get(tree, {})
        return commit

    def read_tree(self, commit: str) -> dict[str, tuple[int, str]]:
        """Return modes and ids of all files of a commit by path."""
        if not commit:
            return {}
        if not self._trees.get(commit):
            said = self.git("ls-tree", "-r", "-z", commit)
            entries = (line.partition("\t") for line in said.output.decode().split("\0") if line)
            self._trees[commit] = {
                path: (int(head.split(" ")[0], 8), head.split(" ")[2]) for head, _, path in entries
            }
        return self._trees[commit]

    def write_tree(self, parent: str, files: Files) -> str:
        """Store the tree that comes out when `files` are changed in a commit."""
        entries = dict(self.read_tree(parent))
        for path, content in files.items():
            if content is None:
                entries.pop(path, None)
                continue
            mode, data = content if isinstance(content, tuple) else ("100644", content)
            data = data.encode() if isinstance(data, str) else data
            is_commit = mode == "160000"
            entries[path] = int(mode, 8), data.decode() if is_commit else self.write_object("blob", data)
        tree = self._write_folder(entries)
        self._trees[tree] = entries
        return tree

    def _write_folder(self, entries: dict[str, tuple[int, str]]) -> str:
        folders: dict[str, dict[str, tuple[int, str]]] = {}
        here: dict[str, tuple[int, str]] = {}
        for path, entry in entries.items():
            first, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(first, {})[rest] = entry
            else:
                here[first] = entry
        here |= {name: (stat.S_IFDIR, self._write_folder(inner)) for name, inner in folders.items()}
        order = sorted(here, key=lambda name: f"{name}/" if here[name][0] == stat.S_IFDIR else name)
        data = b"".join(
            f"{here[name][0]:o} {name}".encode() + b"\0" + hex_to_bin(here[name][1]) for name in order
        )
        return self.write_object("tree", data)

    def git(self, *arguments: str) -> Said:
        """Run git over all objects of the forge."""
        return run_git(self.folder / _OBJECTS, *arguments)

    # --- repositories --------------------------------------------------------------------------------------

    def create(self, name: str, *, default: str = "main") -> Repository:
        """Make an empty repository ``owner/name``.

        Raises
        ------
        UsageError
            Where the name is none, or there is such a repository.
        """
        parts = name.split("/")
        if len(parts) != 2 or not all(_NAME.fullmatch(part) for part in parts) or parts[1].endswith(".git"):
            raise UsageError(f"{name!r} is no name of a repository: it has to be owner/name.")
        repository = Repository(self, name)
        if repository.folder.exists():
            raise UsageError(f"There is a repository {name!r} already.")
        for part in ("objects/info", "refs/heads"):
            (repository.folder / part).mkdir(parents=True)
        alternates = os.path.relpath(self.folder / _OBJECTS / "objects", repository.folder / "objects")
        (repository.folder / "objects" / "info" / "alternates").write_text(f"{alternates}\n")
        (repository.folder / "config").write_text(_CONFIG)
        repository.set_default(default)
        return repository

    def repository(self, name: str) -> Repository:
        """Return a repository.

        Raises
        ------
        UsageError
            Where there is none of this name.
        """
        found = Repository(self, name)
        if not _NAME.fullmatch(name.replace("/", "_")) or not (found.folder / "HEAD").exists():
            raise UsageError(f"There is no repository {name!r}.")
        return found

    def repositories(self) -> tuple[str, ...]:
        """Return the names of all repositories, sorted."""
        heads = self.folder.glob("*/*.git/HEAD")
        return tuple(
            sorted(f"{head.parent.parent.name}/{head.parent.name.removesuffix('.git')}" for head in heads)
        )

    def fork(self, upstream: Repository, owner: str, name: str = "") -> Repository:
        """Fork a repository: all branches, none of the pull requests."""
        fork = self.create(f"{owner}/{name or upstream.name.partition('/')[2]}", default=upstream.default)
        for branch, commit in upstream.branches().items():
            fork.point(branch, commit)
        (fork.folder / "forked-from").write_text(upstream.name)
        return fork

    def origins(self) -> dict[str, str]:
        """Return what each fork was made from."""
        marks = ((name, self.folder / f"{name}.git" / "forked-from") for name in self.repositories())
        return {name: mark.read_text() for name, mark in marks if mark.exists()}

    def delete(self, repository: Repository) -> None:
        """Delete a repository; its pull requests stay where they were opened."""
        shutil.rmtree(repository.folder)

    # --- pull requests -------------------------------------------------------------------------------------

    def open_pull(  # noqa: PLR0913 - a form with as many fields
        self,
        upstream: Repository,
        fork: Repository,
        branch: str,
        *,
        title: str = "",
        at: float | None = None,
        layout: str = "pull",
    ) -> int:
        """Open a pull request and return its number; `layout` is ``merge-requests`` on a GitLab."""
        with self._lock:
            number = 1 + max(
                (pull.number for pull in self.pulls if pull.upstream == upstream.name), default=0
            )
            at = time.time() if at is None else at
            pull = Pull(
                number, upstream.name, fork.name, branch, fork.owner, title or branch, "open", at, layout
            )
            self.pulls.append(pull)
            self.follow(fork)
            self._write_state()
        return number

    def follow(self, fork: Repository) -> None:
        """Let the open pull requests from a fork follow its branches, as far as these are there."""
        mine = [pull for pull in self.pulls if pull.fork == fork.name and pull.state == "open"]
        if not mine:
            return
        self._share(fork)
        heads = fork.branches()
        for pull in mine:
            if pull.branch in heads:
                upstream = self.repository(pull.upstream)
                path = upstream.folder / "refs" / pull.layout / str(pull.number) / "head"
                _replace(path, f"{heads[pull.branch]}\n")

    def _share(self, fork: Repository) -> None:
        """Bring what was pushed into a fork to where all repositories find it."""
        own = [
            path
            for path in (fork.folder / "objects").rglob("*")
            if path.is_file() and path.parent.name != "info"
        ]
        order = (".pack", ".rev", ".idx")  # an index tells that its pack is there
        for path in sorted(own, key=lambda path: order.index(path.suffix) if path.suffix in order else 0):
            target = self.folder / _OBJECTS / path.relative_to(fork.folder)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    os.link(path, target)

    def find_pull(self, upstream: Repository, number: int) -> Pull:
        """Return a pull request.

        Raises
        ------
        UsageError
            Where there is none of this number.
        """
        for pull in self.pulls:
            if pull.upstream == upstream.name and pull.number == number:
                return pull
        raise UsageError(f"{upstream.name} has no pull request {number}.")

    def _set_state(self, pull: Pull, state: Literal["open", "closed", "merged"]) -> None:
        with self._lock:
            self.pulls[self.pulls.index(pull)] = replace(pull, state=state)
            self._write_state()

    def close_pull(self, upstream: Repository, number: int) -> None:
        """Close a pull request without merging it."""
        self._set_state(self.find_pull(upstream, number), "closed")

    def merge_pull(
        self,
        upstream: Repository,
        number: int,
        how: Literal["merge", "squash", "rebase", "fast-forward"] = "merge",
        *,
        by: str = "Teacher <teacher@example.org>",
        at: float | None = None,
    ) -> str:
        """Merge a pull request into the default branch; return the branch's newest commit.

        Raises
        ------
        UsageError
            Where there is a conflict.
        """
        pull = self.find_pull(upstream, number)
        head = upstream.refs()[f"refs/{pull.layout}/{number}/head"]
        main = upstream.head()
        said = self.git("merge-tree", "--write-tree", "--no-messages", main, head)
        if said.status != 0:
            raise UsageError(f"Pull request {number} does not merge without conflicts.")
        tree = said.output.decode().strip()
        owner = pull.fork.partition("/")[0]
        if how == "merge":
            message = f"Merge pull request #{number} from {owner}/{pull.branch}\n\n{pull.title}"
            commit = self.write_commit(tree, [main, head], message, Signature(by, at))
        elif how == "squash":
            commit = self.write_commit(
                tree, [main], f"{pull.title} (#{number})", Signature(self._author(head), at, by)
            )
        elif how == "rebase":
            commit = self._rebase(main, head, by, at)
        else:
            commit = head
        self._set_state(pull, "merged")
        upstream.point(upstream.default, commit)
        return commit

    def _author(self, commit: str) -> str:
        return self.git("log", "-1", "--format=%an <%ae>", commit).output.decode().strip()

    def _rebase(self, main: str, head: str, by: str, at: float | None) -> str:
        """Set the commits of a head one by one onto main: new committer, same author and date."""
        listed = self.git("rev-list", "--reverse", "--no-merges", head, f"^{main}").output.decode().split()
        onto = main
        for commit in listed:
            # What main has become, as if it were built on the commit's parent: that makes the parent the
            # base.
            base = self.git("rev-parse", f"{commit}^", f"{onto}^{{tree}}").output.decode().split()
            moved = self.write_commit(base[1], [base[0]], "main", Signature(by, 0))
            said = self.git("merge-tree", "--write-tree", "--no-messages", moved, commit)
            told = self.git("log", "-1", "--format=%an <%ae>%n%at%n%B", commit).output.decode()
            author, date, message = told.split("\n", 2)
            tree = said.output.decode().strip()
            onto = self.write_commit(
                tree, [onto], message.strip(), Signature(author, float(date), by, at or time.time())
            )
        return onto
