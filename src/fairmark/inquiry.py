"""Lets a test ask the grader for what no room can see, such as a repository; answers are plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairmark.errors import GraderError

if TYPE_CHECKING:
    from collections.abc import Callable

_asker: Callable[[str, Any], Any] | None = None


class NobodyAnswers(GraderError):  # noqa: N818 - it is what happened
    """There is no grader here, or it has no answer; the message says why."""


def answer_by(asker: Callable[[str, Any], Any]) -> None:
    """Tell how questions reach the grader: done once, when the examiner's room opens."""
    global _asker  # noqa: PLW0603 - a room has one grader
    _asker = asker


def has_grader() -> bool:
    """Tell whether this process is an examiner's room."""
    return _asker is not None


def ask_grader(topic: str, question: Any) -> Any:
    """Ask the grader a question and return its answer.

    Parameters
    ----------
    topic : str
        What it is about: ``git``.
    question : object
        Plain data. Whose work it is, the grader knows.

    Raises
    ------
    NobodyAnswers
        Where there is no grader, or no answer.
    """
    if _asker is None:
        raise NobodyAnswers("this needs fairmark's grader: an ordinary kernel cannot answer it")
    return _asker(topic, question)
