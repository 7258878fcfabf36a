"""Variants of a question: parted in the author's cell, drawn for each student, known by their text."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from fairmark.quiz.answering import READ_LIMIT, match_rows, table_row
from fairmark.quiz.markup import fold, read_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairmark.quiz.markup import Sheet
    from fairmark.quiz.records import Question

PART_MARK = "+++"  # MyST's mark for the end of a block
_LIST_MARK = re.compile(r"\s*(?:[-*+]\s+\[[^\]\n]{0,4}\]|\d{1,9}[.)]|[A-Z][.)])\s+")


def split_variants(source: str) -> tuple[str, ...]:
    """Return the texts of a question's variants: what stands between the lines ``+++`` of the author's cell.

    A cell without such a line has one variant, its whole text.
    """
    sheet = read_sheet(source)
    marks = [text.first for text in sheet.texts if not text.depth and _is_mark(text.lines)]
    if not marks:
        return (source,)
    parts, start = [], 0
    for stop in (*marks, len(sheet.lines)):
        parts.append("\n".join(sheet.lines[start:stop]).strip("\n"))
        start = stop + 1
    return tuple(parts)


def has_swallowed_mark(source: str) -> bool:
    """Tell whether a line ``+++`` parts nothing, because it is in the middle of a paragraph or list."""
    texts = read_sheet(source).texts
    return any(
        any(line.strip() == PART_MARK for line in text.lines) and (text.depth or not _is_mark(text.lines))
        for text in texts
    )


def _is_mark(lines: Sequence[str]) -> bool:
    return len(lines) == 1 and lines[0].strip() == PART_MARK


# --- which variant a student answered ------------------------------------------------------------------


def pick_variant(question: Question, student_text: str, drawn: int = 0) -> Question:
    """Return the variant that a student's cell holds, told by its text alone.

    What counts are the lines that a variant has and the others do not. Where they decide nothing, it is the
    variant that was drawn for the student.

    Parameters
    ----------
    question : Question
        With its variants.
    student_text : str
        The student's cell; any text is valid.
    drawn : int
        Number of the variant that was drawn; 0 is the first, which everybody gets who has no own release.
    """
    variants = question.all_variants
    if len(variants) == 1:
        return question
    found = _lines_of(student_text[:READ_LIMIT])
    scores = []
    for number, lines in enumerate(telling_lines(variants)):
        scores.append((len(lines & found) / max(len(lines), 1), number == drawn, -number))
    return variants[-max(scores)[2]]


def telling_lines(variants: Sequence[Question]) -> tuple[frozenset[str], ...]:
    """Return for each variant the lines of its release that no other variant has."""
    lines = [_lines_of(variant.released) for variant in variants]
    return tuple(frozenset(own.difference(*(other for other in lines if other is not own))) for own in lines)


def _lines_of(text: str) -> frozenset[str]:
    """Return the lines of a cell without what a student writes into them."""
    found = set()
    for line in re.split(r"[\r\n]+", text):
        bare = line.strip()
        if bare.startswith("|"):
            bare = table_row(line)[0]
        elif mark := _LIST_MARK.match(line):
            bare = line[mark.end() :]
        found.add(fold(bare))
    return frozenset(found - {""})


# --- drawing ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draw:
    """What one student gets of one notebook: the same whenever it is asked, and known to nobody else.

    Parameters
    ----------
    secret : bytes
        The course's.
    student, assignment, notebook : str
    """

    secret: bytes
    student: str
    assignment: str
    notebook: str

    def number(self, question: Question) -> int:
        """Return the number of the student's variant, 0 for the first."""
        return int.from_bytes(self._digest(question.id, "variant")[:8]) % len(question.all_variants)

    def released(self, question: Question) -> str:
        """Return the text that the student gets: the own variant, its options in the own order.

        Options, and the rows of a matching question, are shuffled where the author allows it. The lines of
        an ordering question stay as the release has them: everybody starts from the same wrong order.
        """
        variant = question.all_variants[self.number(question)]
        if not variant.shuffle:
            return variant.released
        sheet = read_sheet(variant.released)
        blocks = _movable(variant, sheet)
        order = sorted(
            range(len(blocks)),
            key=lambda number: self._digest(variant.id, "order", fold(_text(sheet, blocks[number]))),
        )
        moved = [line for number in order for line in _block(sheet, blocks[number])]
        places = [line for block in blocks for line in block]
        return sheet.rewrite(dict(zip(places, moved, strict=True)))

    def _digest(self, *words: str) -> bytes:
        text = json.dumps([self.student, self.assignment, self.notebook, *words])
        return hmac.new(self.secret, text.encode(), hashlib.sha256).digest()


def _movable(question: Question, sheet: Sheet) -> list[range]:
    """Return the lines that change places; none where anything else stands between them."""
    match question.kind:
        case "one" | "any":
            blocks = [item.lines for item in sheet.task_items]
        case "match":
            blocks = [range(line, line + 1) for line in match_rows(sheet)]
        case _:
            blocks = []
    together = all(before.stop == after.start for before, after in pairwise(blocks))
    return blocks if together else []


def _block(sheet: Sheet, lines: range) -> list[str]:
    return [sheet.lines[line] for line in lines]


def _text(sheet: Sheet, lines: range) -> str:
    return "\n".join(_block(sheet, lines))
