"""What is known of a repository: its files and its commits, as frozen records."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

MAX_CONTENT = 256 * 2**10
_MAX_FILES = 5_000


@dataclass(frozen=True, slots=True)
class Blob:
    """One file.

    Parameters
    ----------
    path : str
        From the top of the repository, with slashes.
    size : int
        In bytes.
    content : bytes or None
        None where it was not read: the file is large, or no check looks into it.
    """

    path: str
    size: int
    content: bytes | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def is_at_top(self) -> bool:
        """Whether it lies in no folder."""
        return "/" not in self.path


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit.

    Parameters
    ----------
    id : str
    message : str
    merges : bool
        It has more than one parent.
    added : tuple of Blob
        The files that it added or changed, without their content.
    """

    id: str
    message: str
    merges: bool = False
    added: tuple[Blob, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one moment.

    Parameters
    ----------
    blobs : tuple of Blob
        All files of the newest commit.
    commits : tuple of Commit, optional
        The student's own, the newest first; None where the history is not known.
    """

    blobs: tuple[Blob, ...]
    commits: tuple[Commit, ...] | None = None

    def at_top(self, *names: str) -> tuple[Blob, ...]:
        """Return the files at the top that have one of these names, whatever their case."""
        wanted = {name.casefold() for name in names}
        return tuple(blob for blob in self.blobs if blob.is_at_top and blob.name.casefold() in wanted)

    def to_plain(self) -> dict[str, Any]:
        """Return the snapshot as plain data, which may cross between rooms."""
        return asdict(self)

    @classmethod
    def from_plain(cls, data: dict[str, Any]) -> Snapshot:
        """Return the snapshot that `to_plain` wrote."""

        def blobs(entries: Any) -> tuple[Blob, ...]:
            return tuple(Blob(**entry) for entry in entries)

        commits = data["commits"]
        if commits is not None:
            commits = tuple(Commit(**{**each, "added": blobs(each["added"])}) for each in commits)
        return cls(blobs(data["blobs"]), commits)


def snapshot_of_folder(folder: Path | str = ".") -> Snapshot:
    """Return the snapshot of a folder, for files that were handed in beside the notebook; it has no commits.

    Notebooks of the assignment are files like others; links are left out, and so is a folder ``.git``.
    """
    top = Path(folder)
    blobs: list[Blob] = []
    for place, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = Path(place, name)
            if path.is_symlink() or not path.is_file() or len(blobs) >= _MAX_FILES:
                continue
            size = path.stat().st_size
            content = path.read_bytes() if size <= MAX_CONTENT else None
            blobs.append(Blob(path.relative_to(top).as_posix(), size, content))
    return Snapshot(tuple(blobs))
