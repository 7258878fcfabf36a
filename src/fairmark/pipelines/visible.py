"""Runs the tests that students can see, in their own repository, with nothing secret about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SKIPPED = {".ipynb_checkpoints", ".venv", ".git", "node_modules"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one notebook: `failed` are the sources of failed cells with their errors."""

    path: Path
    failed: tuple[tuple[str, str], ...]
    changed: int


def find_notebooks(folder: Path) -> Iterator[Path]:
    """Yield all notebooks of a repository."""
    for path in sorted(folder.rglob("*.ipynb")):
        if not _SKIPPED & set(path.relative_to(folder).parts):
            yield path


def try_notebook(path: Path) -> Trial:
    """Run a notebook as nbgrader's ``validate`` does, and tell which tests fail."""
    from nbgrader.validator import Validator  # noqa: PLC0415 - seconds

    found = Validator().validate(str(path))
    failed = tuple((cell["source"], cell["error"]) for cell in found.get("failed", ()))
    return Trial(path, failed, len(found.get("changed", ())))
