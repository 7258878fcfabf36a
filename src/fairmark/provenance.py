"""Remembers from which commit a hand-in was collected, for as long as it is what was collected."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FILE = "commit.json"


def collected_folder(root: Path, assignment: str) -> Path:
    """Return where a course keeps what was collected for an assignment."""
    return root / ".fairmark" / "collected" / assignment


def note_commit(folder: Path, commit: str, files: Mapping[str, bytes]) -> None:
    """Note the commit of a student's notebooks.

    Parameters
    ----------
    folder : Path
        The student's in `collected_folder`.
    commit : str
        Empty where they are from no repository.
    files : mapping of str to bytes
        What was handed in, by relative name.
    """
    notebooks = {name: _digest(content) for name, content in files.items() if name.endswith(".ipynb")}
    draft = folder / f".{_FILE}"
    draft.write_text(json.dumps({"commit": commit, "notebooks": notebooks}))
    draft.replace(folder / _FILE)


def find_commit(folder: Path, notebooks: Mapping[str, bytes]) -> str:
    """Return the commit that these notebooks are from; empty where they were changed since, or never noted.

    Parameters
    ----------
    folder : Path
        The student's in `collected_folder`.
    notebooks : mapping of str to bytes
        By name without ending.
    """
    try:
        note = json.loads((folder / _FILE).read_text())
        known = {
            note["notebooks"].get(f"{name}.ipynb") == _digest(content) for name, content in notebooks.items()
        }
        return str(note["commit"]) if known == {True} else ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
