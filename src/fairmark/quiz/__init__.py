"""Quiz questions in Markdown cells: read, release, assemble, mark and explain; pure functions over text."""

from fairmark.quiz.answering import assemble, blank, read_answer, shows_key
from fairmark.quiz.authoring import find_faults, is_question, read_question
from fairmark.quiz.marking import describe, explain, mark
from fairmark.quiz.records import (
    Answer,
    Credit,
    Mark,
    MarkStatus,
    Option,
    Outcome,
    Pair,
    Question,
    QuestionKind,
    Row,
)
from fairmark.quiz.variants import Draw, pick_variant, split_variants

__all__ = [
    "Answer",
    "Credit",
    "Draw",
    "Mark",
    "MarkStatus",
    "Option",
    "Outcome",
    "Pair",
    "Question",
    "QuestionKind",
    "Row",
    "assemble",
    "blank",
    "describe",
    "explain",
    "find_faults",
    "is_question",
    "mark",
    "pick_variant",
    "read_answer",
    "read_question",
    "shows_key",
    "split_variants",
]
