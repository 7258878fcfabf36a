"""Finds work that is more alike than chance would have it: equal cells, and cells with much in common.

Code is compared as its sequence of tokens, without comments, layout and the students' own names, so that a
copy with other names is still seen. What many in the class have in common (the task itself, the way of the
lecture) is left out: a run of tokens counts where few share it. This is the idea of winnowing, without its
sampling: S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: local algorithms for document fingerprinting",
SIGMOD 2003.
"""

from __future__ import annotations

import keyword
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUN = 12  # tokens
_MOST_HOLDERS = 8  # of a run that still counts as rare
_FEWEST_RUNS = 15  # that two works must share
_LEAST_SHARE = 0.4
_SMALLEST_CELL = 40  # tokens: shorter answers are alike by chance
_MOST_PAIRS = 200
_MOST_TOKENS = 20_000
_TOKEN = re.compile(
    r"#[^\n]*|(\"\"\".*?\"\"\"|'''.*?''')|(\"[^\"\n]*\"|'[^'\n]*')|([A-Za-z_]\w*)|(\d[\w.]*)|([^\w\s])",
    re.DOTALL,
)
_BUILTIN = frozenset(
    ("range", "len", "sum", "min", "max", "abs", "zip", "enumerate", "float", "int", "print", "np")
)


@dataclass(frozen=True, slots=True)
class EqualCells:
    """Students whose answers in one cell are the same but for names, comments and layout."""

    cell: str
    students: tuple[str, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class AlikePair:
    """Two students who share runs of tokens that are rare in the class.

    Parameters
    ----------
    share : float
        Part of the smaller one's rare runs that the other has, too; 0 to 1.
    runs : int
        How many these are.
    """

    first: str
    second: str
    share: float
    runs: int


def find_equal_cells(works: Mapping[str, Mapping[str, str]]) -> tuple[EqualCells, ...]:
    """Return groups of equal answers, the longest first.

    Parameters
    ----------
    works : mapping of student to mapping of cell to text
        What each student wrote.

    Notes
    -----
    Short answers are left out, and groups of more than half of those who answered: where so many agree it
    is the task that makes them.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    answered: Counter[str] = Counter()
    for student, cells in works.items():
        for cell, text in cells.items():
            tokens = tokens_of(text)
            answered[cell] += bool(tokens)
            if len(tokens) >= _SMALLEST_CELL:
                groups[cell, tokens].append(student)
    found = [
        EqualCells(cell, tuple(sorted(students)), len(tokens))
        for (cell, tokens), students in groups.items()
        if 1 < len(students) <= max(answered[cell] / 2, 2)
    ]
    return tuple(sorted(found, key=lambda each: (-each.tokens, each.cell, each.students)))


def find_alike_pairs(works: Mapping[str, Mapping[str, str]]) -> tuple[AlikePair, ...]:
    """Return the pairs of students whose rare runs of tokens agree the most, at most 200."""
    holders: dict[int, list[str]] = defaultdict(list)
    for student, cells in works.items():
        for run in {run for text in cells.values() for run in _runs(tokens_of(text))}:
            holders[run].append(student)
    rare: Counter[str] = Counter()
    shared: Counter[tuple[str, str]] = Counter()
    most = min(_MOST_HOLDERS, max(len(works) // 2, 2))
    for students in holders.values():
        if len(students) <= most:
            rare.update(students)
            shared.update(combinations(sorted(students), 2))
    pairs = [
        AlikePair(first, second, runs / min(rare[first], rare[second]), runs)
        for (first, second), runs in shared.items()
        if runs >= _FEWEST_RUNS
    ]
    telling = [pair for pair in pairs if pair.share >= _LEAST_SHARE]
    return tuple(sorted(telling, key=lambda pair: (-pair.share, -pair.runs, pair.first))[:_MOST_PAIRS])


def tokens_of(text: str) -> tuple[str, ...]:
    """Return the tokens of code (or words of a text), with the author's own names replaced by a sign."""
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[str]:
    number, before = 0, ""
    for found in _TOKEN.finditer(text):
        document, literal, name, digits, sign = found.groups()
        token = ""
        if name:
            known = keyword.iskeyword(name) or name in _BUILTIN or before == "."
            token = name if known else "name"
        elif digits or sign or literal:
            token = digits or sign or "text"
        del document  # docstrings are mostly the instructor's
        before = token or before
        if token:
            number += 1
            yield token
        if number >= _MOST_TOKENS:
            return


def _runs(tokens: tuple[str, ...]) -> Iterator[int]:
    for start in range(len(tokens) - RUN + 1):
        yield hash(tokens[start : start + RUN])
