"""Keeps what the preprocessors made of an assignment's notebooks, so that they need not run again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fairmark.course import SourceNotebook, keep_for_later

if TYPE_CHECKING:
    from pathlib import Path

    from fairmark.course import Course, Source


def recall_notebooks(course: Course, source: Source, digest: str) -> tuple[SourceNotebook, ...]:
    """Return what was made of a source; nothing where it was made of another one, or never.

    Parameters
    ----------
    course : Course
    source : Source
    digest : str
        Of all that it is made of: see `fairmark.fingerprint.digest_source`.
    """
    from nbformat import from_dict  # noqa: PLC0415 - takes a moment to import

    try:
        kept = json.loads(_place(course, source.id).read_text(encoding="utf-8"))
        if kept["digest"] != digest:
            return ()
        pairs = [(kept["notebooks"][path.stem], path) for path in source.notebooks]
        return tuple(
            SourceNotebook(path.stem, path, from_dict(pair["node"]), from_dict(pair["released"]))
            for pair, path in pairs
        )
    except (OSError, ValueError, LookupError, TypeError):
        return ()


def keep_notebooks(
    course: Course, source: Source, digest: str, notebooks: tuple[SourceNotebook, ...]
) -> None:
    """Keep what was made of a source, in the place of what was made of it before."""
    made = {each.name: {"node": each.node, "released": each.released} for each in notebooks}
    keep_for_later(_place(course, source.id), json.dumps({"digest": digest, "notebooks": made}))


def _place(course: Course, assignment: str) -> Path:
    return course.root / ".fairmark" / "prepared" / f"{assignment}.json"
