"""A list of habits with their points, and the report that a graded cell gives of a repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fairmark.checks import Report
from fairmark.inquiry import NobodyAnswers
from fairmark.quality import habits
from fairmark.quality.asking import ask_snapshot
from fairmark.quality.snapshot import Snapshot
from fairmark.results import CheckResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fairmark.quality.habits import Verdict

# The habits by name: what students read, and the function that looks.
HABITS: Mapping[str, tuple[str, Callable[..., Verdict]]] = MappingProxyType(
    {
        "licence": ("A licence says what others may do.", habits.has_licence),
        "citation": ("A citation file says how to cite it.", habits.has_citation),
        "readme": ("A README says what it is and how to use it.", habits.has_readme),
        "dependencies": ("A file says what has to be installed.", habits.documents_dependencies),
        "large_files": ("No large file was ever committed.", habits.has_no_large_files),
        "generated_files": ("No generated file was committed.", habits.has_no_generated_files),
        "messages": ("Each commit says what it changed.", habits.writes_telling_messages),
    }
)
_STATUS = {"pass": "passed", "fail": "failed", "unknown": "error"}


@dataclass(frozen=True, slots=True)
class Checklist:
    """What a repository has to have, with points.

    Parameters
    ----------
    title : str
        What the student reads above the checks.
    points : mapping of str to float
        By name of `HABITS`, in the order in which they are told.
    options : mapping of str to mapping
        What a habit is asked with, by its name: ``{"licence": {"allowed": ["MIT"]}}``.
    folder : Path, optional
        The exercise's in ``autograder/``; a folder ``reference/`` in it stands for the repository of the
        reference solution.

    Raises
    ------
    ValueError
        Where a name is none of `HABITS`.

    Examples
    --------
    >>> tidy = Checklist("Your repository", {"licence": 2, "readme": 1})
    >>> tidy.grade(Snapshot(blobs=()))
    0
    """

    title: str
    points: Mapping[str, float]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folder: Path | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        unknown = sorted({*self.points, *self.options} - set(HABITS))
        if unknown:
            raise ValueError(f"{self.title!r} asks for {', '.join(unknown)}; there are {', '.join(HABITS)}")

    def grade(self, snapshot: Snapshot) -> Report:
        """Look at a repository; what a snapshot does not tell is our failure and nobody's fault."""
        return Report(self.title, tuple(self._check(name, snapshot) for name in self.points), kind="git")

    def grade_repository(self, address: object) -> Report:
        """Look at the repository that an address leads to, in a graded cell.

        Parameters
        ----------
        address : object
            What the student wrote.
        """
        try:
            answer = ask_snapshot(address, self.folder)
        except NobodyAnswers as error:
            answer = {"snapshot": None, "words": str(error), "ours": True}
        if answer["snapshot"] is not None:
            return self.grade(Snapshot.from_plain(answer["snapshot"]))
        words = f"Your repository could not be looked at: {answer['words']}."
        if answer["ours"]:
            words += " It is our fault, not yours."
        checks = (
            CheckResult(HABITS[name][0], "error" if answer["ours"] else "failed", 0.0, float(points), words)
            for name, points in self.points.items()
        )
        return Report(self.title, tuple(checks), kind="git")

    def _check(self, name: str, snapshot: Snapshot) -> CheckResult:
        title, look = HABITS[name]
        verdict = look(snapshot, **self.options.get(name, {}))
        points = float(self.points[name])
        score = points if verdict.status == "pass" else 0.0
        return CheckResult(title, _STATUS[verdict.status], score, points, verdict.message, verdict.hint)  # type: ignore[arg-type]
