"""Takes the snapshot of a repository out of our mirror of it: objects are read, nothing is checked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairmark.quality.snapshot import MAX_CONTENT, Blob, Commit, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairmark.repository.mirror import Mirror
    from fairmark.repository.records import Commit as Recorded

_MAX_FILES = 5_000
_MAX_TOTAL = 32 * 2**20
_MAX_COMMITS = 500
_REGULAR = ("100644", "100755")


def take_snapshot(mirror: Mirror, head: str, own: Sequence[Recorded] | None = None) -> Snapshot:
    """Return what the newest commit holds, and which files the own commits brought.

    Parameters
    ----------
    mirror : Mirror
        Where the repository has been fetched.
    head : str
        The newest commit's id.
    own : sequence of fairmark.repository.records.Commit, optional
        The student's own commits, as in ``Work.own``; by default all that lead to `head`.
    """
    if own is None:
        own = tuple(mirror.read_history(head, (head,)).commits.values())
    newest_first = sorted(own, key=lambda commit: commit.committed, reverse=True)[:_MAX_COMMITS]
    blobs = []
    left = _MAX_TOTAL
    for blob in _changed(mirror, "", head):
        found = mirror.reader.read(f"{head}:{blob.path}", min(left, MAX_CONTENT))
        content = found[1] if found and found[0] == "blob" else None
        left -= len(content or b"")
        blobs.append(Blob(blob.path, blob.size, content))
    commits = [
        Commit(
            commit.id,
            commit.message,
            len(commit.parents) > 1,
            tuple(_changed(mirror, commit.parents[0] if commit.parents else "", commit.id)),
        )
        for commit in newest_first
    ]
    return Snapshot(tuple(blobs), tuple(commits))


def _changed(mirror: Mirror, old: str, new: str) -> Iterator[Blob]:
    """Yield the regular files that differ, with their size after the change."""
    for change in mirror.diff(old, new, _MAX_FILES):
        if change.new_mode in _REGULAR:
            head = mirror.reader.head(f"{new}:{change.path}")
            if head is not None:
                yield Blob(change.path, head[2])
