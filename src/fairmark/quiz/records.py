"""What a question, an answer and a mark consist of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fairmark.results import Outcome, Row

if TYPE_CHECKING:
    from fairmark.results import Visibility

__all__ = [
    "Answer",
    "Credit",
    "Mark",
    "MarkStatus",
    "Option",
    "Outcome",
    "Pair",
    "Question",
    "QuestionKind",
    "Row",
]

QuestionKind = Literal["one", "any", "number", "text", "command", "match", "order"]
Credit = Literal["off", "net", "each"]
MarkStatus = Literal["passed", "failed", "partial"]


@dataclass(frozen=True, slots=True)
class Option:
    """One line that can be chosen; `letter` names it where the question is a matching one."""

    text: str
    right: bool = False
    explanation: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of a matching question and the letter that belongs there."""

    term: str
    letter: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its key.

    Parameters
    ----------
    id : str
        The cell's ``grade_id``.
    title : str
        The first sentence of the question as plain text.
    prompt : str
        The Markdown above the place of the answer.
    released : str
        The whole cell as students get it: nothing of the key is left.
    options : tuple of Option
        The options of a choice, the lettered lines of a matching question, the lines of an ordering
        question in their right order; else empty.
    pairs : tuple of Pair
        The rows of a matching question.
    accepted : tuple of str
        The accepted forms of a number, text or command, as the author wrote them.
    explanation : str
        Markdown for everyone after grading.
    others : tuple of Question
        Further variants of the question, of the same kind and worth the same.
    """

    id: str
    kind: QuestionKind
    points: float
    title: str
    prompt: str
    released: str
    options: tuple[Option, ...] = ()
    pairs: tuple[Pair, ...] = ()
    accepted: tuple[str, ...] = ()
    credit: Credit = "off"
    fold: bool = True
    shuffle: bool = False
    visibility: Visibility = "visible"
    explanation: str = ""
    others: tuple[Question, ...] = ()

    @property
    def all_variants(self) -> tuple[Question, ...]:
        """The question itself, which everybody gets, and its other variants."""
        return (self, *self.others)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a student answered.

    Parameters
    ----------
    given : tuple of str
        By kind: the texts of the ticked options; one letter per row ("" where none is); the lines in the
        given order; or what was written (more than one text: the student gave several answers).
    notes : tuple of str
        What was left out or repaired, in words for the student.
    """

    given: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """What an answer is worth, and why; `message` is plain text for the student."""

    score: float
    max_score: float
    status: MarkStatus
    answered: bool
    message: str
    outcomes: tuple[Outcome, ...] = ()
    rows: tuple[Row, ...] = ()
    explanation: str = ""
    notes: tuple[str, ...] = ()
