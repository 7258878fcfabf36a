"""Which of the cells that a student handed in belongs to which of the instructor's."""

from __future__ import annotations

import difflib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from fairmark import quiz
from fairmark.errors import Ungradable
from fairmark.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbformat import NotebookNode

    from fairmark.course import SourceNotebook

MAX_CELLS = 5_000

_CELL_TYPES = frozenset({"code", "markdown", "raw"})
_VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# How alike an edited cell must be to count as the instructor's, and how much is compared to find that out.
_ALIKE = 0.6
_COMPARED_WORDS = 400
_COMPARED_PAIRS = 2_000
_COMPARED_QUESTIONS = 20


# ---------------------------------------------------------------------------------------------------------
# The instructor's side


class Role(StrEnum):
    """What a cell is for, and so in which room it runs."""

    TEXT = "text"
    INSTRUCTOR = "instructor"
    ANSWER = "answer"
    EXTRA = "extra"
    TEST = "test"
    QUIZ = "quiz"
    MANUAL = "manual"
    TASK = "task"


_WRITERS: dict[Role, Literal["student", "test"]] = {
    Role.ANSWER: "student",
    Role.MANUAL: "student",
    Role.TEST: "test",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One cell of the instructor's notebook, where exactly one answer may be set in."""

    role: Role
    cell_type: str
    released: str
    trusted: str
    cell_id: str
    grade_id: str
    points: float
    locked: bool
    metadata: dict[str, Any]
    attachments: dict[str, dict[str, str]]
    question: quiz.Question | None
    student_names: frozenset[str]
    instructor_names: frozenset[str]
    solution_imports: dict[str, str]

    @property
    def label(self) -> str:
        """What the student knows the cell by."""
        return f"\u201c{self.grade_id}\u201d" if self.grade_id else "of the instructor"

    def is_untouched(self, source: str) -> bool:
        """Tell whether a text is the released one, or nothing; a question's, in any variant and order."""
        if self.question is not None and self.question.id == self.grade_id:
            variant = quiz.pick_variant(self.question, source)
            if _sorted_lines(source) == _sorted_lines(variant.released):
                return True
        return _bare(source) in ("", _bare(self.released))

    def has_all_of(self, source: str) -> bool:
        """Tell whether every line of a text is the instructor's (the release lacks those of hidden tests)."""
        lines = {"", *(line.strip() for line in self.released.split("\n"))}
        return all(line.strip() in lines for line in source.split("\n"))


def read_places(instructor: SourceNotebook) -> tuple[Place, ...]:
    """Return the cells of the instructor's notebook in order."""
    places = []
    names = Names()
    for full, released in zip(instructor.node.cells, instructor.released.cells, strict=True):
        role = _role_of(full)
        nbgrader = released.metadata.get("nbgrader", {})
        told = role in (Role.TEST, Role.INSTRUCTOR)
        place = Place(
            role=role,
            cell_type=full.cell_type,
            released=released.source,
            trusted="" if role in (Role.ANSWER, Role.MANUAL) else _trusted_text(role, full, released),
            cell_id=released.id,
            grade_id=nbgrader.get("grade_id", "") if _is_known(nbgrader) else "",
            points=float(nbgrader.get("points", 0)) if nbgrader.get("grade") or nbgrader.get("task") else 0.0,
            locked=_is_locked(nbgrader),
            metadata=_plain(released.metadata),
            attachments=_plain(full.get("attachments", {})),
            question=_question_of(full) if role is Role.QUIZ else None,
            student_names=frozenset(names.of_student) if told else frozenset(),
            instructor_names=frozenset(names.of_instructor) if told else frozenset(),
            solution_imports=dict(names.imports) if told else {},
        )
        if full.cell_type == "code":
            names.read(full.source, _WRITERS.get(role, "instructor"))
        places.append(place)
    return tuple(places)


def _role_of(cell: NotebookNode) -> Role:
    nbgrader = cell.metadata.get("nbgrader", {})
    code = cell.cell_type == "code"
    if nbgrader.get("task"):
        return Role.TASK
    if nbgrader.get("grade") and nbgrader.get("solution"):
        question = quiz.is_question(cell.cell_type, cell.source, cell.metadata)
        return Role.QUIZ if question else Role.MANUAL
    if nbgrader.get("grade"):
        return Role.TEST if code else Role.MANUAL
    if nbgrader.get("solution"):
        return Role.ANSWER if code else Role.MANUAL
    return Role.INSTRUCTOR if code else Role.TEXT


def _is_known(nbgrader: Mapping[str, Any]) -> bool:
    return any(nbgrader.get(flag) for flag in ("grade", "solution", "locked", "task"))


def _is_locked(nbgrader: Mapping[str, Any]) -> bool:
    """Tell whether nbgrader resets the cell to the instructor's text."""
    return not nbgrader.get("solution") and any(nbgrader.get(flag) for flag in ("grade", "locked", "task"))


def _trusted_text(role: Role, full: NotebookNode, released: NotebookNode) -> str:
    return str(full.source if role is Role.QUIZ else released.source)


def _question_of(cell: NotebookNode) -> quiz.Question:
    nbgrader = cell.metadata.nbgrader
    return _read_question(
        cell.source, nbgrader.grade_id, nbgrader.points, json.dumps(cell.metadata.get("fairmark"))
    )


@lru_cache(maxsize=1024)
def _read_question(source: str, grade_id: str, points: float, settings: str) -> quiz.Question:
    """Read a question once for the whole class: that costs more than all answers to it."""
    return quiz.read_question(source, id=grade_id, points=points, settings=json.loads(settings))


def _plain(node: Any) -> Any:
    return json.loads(json.dumps(node))


# ---------------------------------------------------------------------------------------------------------
# The student's side


@dataclass(frozen=True, slots=True)
class Handed:
    """One submitted cell, reduced to what may matter."""

    cell_type: str
    source: str
    grade_id: str
    cell_id: str
    attachments: object


def read_handed(submitted: NotebookNode) -> tuple[Handed, ...]:
    """Return the cells of a submitted notebook in order, whatever they are.

    Raises
    ------
    Ungradable
        Where there is no list of cells, or far too many.
    """
    cells = submitted.get("cells") if isinstance(submitted, dict) else None
    if not isinstance(cells, list):
        raise Ungradable(
            "The notebook holds no list of cells. Save it again in Jupyter and hand it in again."
        )
    if len(cells) > MAX_CELLS:
        raise Ungradable(f"The notebook holds {len(cells)} cells; more than {MAX_CELLS} are not graded.")
    return tuple(_handed_cell(cell) for cell in cells if isinstance(cell, dict))


def _handed_cell(cell: dict[str, Any]) -> Handed:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    cell_type = cell.get("cell_type")
    cell_id = cell.get("id")
    return Handed(
        cell_type=cell_type if isinstance(cell_type, str) and cell_type in _CELL_TYPES else "raw",
        source=text_of(cell.get("source")),
        grade_id=grade_id if isinstance(grade_id, str) else "",
        cell_id=cell_id if isinstance(cell_id, str) and _VALID_ID.fullmatch(cell_id) else "",
        attachments=cell.get("attachments"),
    )


def text_of(source: object) -> str:
    """Return what a submitted notebook gives as a text, as one that can be written down."""
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return ""
    # Lone surrogates cannot be written to any file or database.
    return _LONE_SURROGATE.sub("\ufffd", source.replace("\r\n", "\n"))


# ---------------------------------------------------------------------------------------------------------
# Which answer belongs to which place


@dataclass(frozen=True, slots=True)
class Seating:
    """Where each submitted cell goes, by number.

    `winner` is the cell that is set into a place; `doubles` are other cells that claimed it and still run,
    before it; `before` are the student's own cells that stand before a place, with one entry more for
    those at the end; `doubled` are the places that were claimed more than once.
    """

    winner: dict[int, int]
    doubles: dict[int, list[int]]
    before: dict[int, list[int]]
    doubled: set[int]


def seat_cells(places: Sequence[Place], handed: Sequence[Handed]) -> Seating:
    """Give each submitted cell its place: by its name, else by its text, else by likeness.

    Parameters
    ----------
    places : sequence of Place
    handed : sequence of Handed
    """
    claims = _claim_by_name(places, handed)
    taken = {index for indices in claims.values() for index in indices}
    for number, index in _claim_by_text(places, handed, set(claims), taken):
        claims[number] = [index]
        taken.add(index)
    for number, index in _claim_by_likeness(places, handed, claims, taken):
        claims[number] = [index]
        taken.add(index)
    winner = {number: _choose(places[number], indices, handed) for number, indices in claims.items()}
    doubles: dict[int, list[int]] = defaultdict(list)
    for number, indices in claims.items():
        worthless = {_bare(places[number].released), _bare(handed[winner[number]].source), ""}
        doubles[number] = [
            index
            for index in indices
            if index != winner[number]
            and _bare(handed[index].source) not in worthless
            and not (places[number].locked and places[number].has_all_of(handed[index].source))
        ]
    place_of = {index: number for number, index in winner.items()}
    before: dict[int, list[int]] = defaultdict(list)
    current = 0
    for index in range(len(handed)):
        if index in place_of:
            current = place_of[index] + 1
        elif index not in taken:
            before[current].append(index)
    doubled = {number for number, indices in claims.items() if len(indices) > 1}
    return Seating(winner, doubles, before, doubled)


def _claim_by_name(places: Sequence[Place], handed: Sequence[Handed]) -> dict[int, list[int]]:
    """Find the cells that name their place, first by ``grade_id``, then by nbformat's cell id."""
    of_grade_id = {place.grade_id: number for number, place in enumerate(places) if place.grade_id}
    of_cell_id = {place.cell_id: number for number, place in enumerate(places)}
    claims: dict[int, list[int]] = defaultdict(list)
    for index, cell in enumerate(handed):
        if cell.grade_id in of_grade_id:
            claims[of_grade_id[cell.grade_id]].append(index)
    named = set(claims)
    for index, cell in enumerate(handed):
        number = of_cell_id.get(cell.cell_id)
        if number is not None and number not in named and cell.grade_id not in of_grade_id:
            claims[number].append(index)
    return dict(claims)


def _claim_by_text(
    places: Sequence[Place], handed: Sequence[Handed], seated: set[int], taken: set[int]
) -> Iterator[tuple[int, int]]:
    """Find places that nobody claimed among the nameless cells by their text."""
    free: dict[str, list[int]] = defaultdict(list)
    for index, cell in enumerate(handed):
        if index not in taken:
            free[_bare(cell.source)].append(index)
    for number, place in enumerate(places):
        if number in seated:
            continue
        same = free.get(_bare(place.released)) or (
            _same_question(place, free) if place.question is not None else None
        )
        if same:
            yield number, same.pop(0)


def _same_question(place: Place, free: dict[str, list[int]]) -> list[int] | None:
    """Return the free cells that hold this question with whatever answer."""
    settings = place.metadata.get("fairmark")
    assert place.question is not None  # noqa: S101 - asked for questions alone; this is for mypy
    releases = [variant.released for variant in place.question.all_variants]
    starts = tuple(_bare(text).partition("\n")[0] for text in releases)
    kept = [_sorted_lines(text) for text in releases]
    longest = max(len(text) for text in releases)
    alike = (
        (text, indices)
        for text, indices in free.items()
        if indices and text.startswith(starts) and len(text) < 2 * longest + 500
    )
    for text, indices in islice(alike, _COMPARED_QUESTIONS):
        if _sorted_lines(quiz.blank(text, id=place.grade_id, settings=settings)) in kept:
            return indices
    return None


def _claim_by_likeness(
    places: Sequence[Place], handed: Sequence[Handed], claims: Mapping[int, Sequence[int]], taken: set[int]
) -> Iterator[tuple[int, int]]:
    """Find the instructor's editable cells among the nameless: the most similar between its neighbours."""
    budget = _COMPARED_PAIRS
    taken = set(taken)
    for number, place in enumerate(places):
        if number in claims or place.grade_id or not place.released.strip():
            continue
        first = next((max(claims[near]) + 1 for near in range(number - 1, -1, -1) if near in claims), 0)
        last = next(
            (min(claims[near]) for near in range(number + 1, len(places)) if near in claims), len(handed)
        )
        gap = [
            index
            for index in range(first, last)
            if index not in taken and handed[index].cell_type == place.cell_type
        ][:budget]
        budget -= len(gap)
        best = max(
            ((_likeness(place.released, handed[index].source), -index) for index in gap), default=(0.0, 0)
        )
        if best[0] >= _ALIKE:
            taken.add(-best[1])
            yield number, -best[1]


def _likeness(left: str, right: str) -> float:
    return difflib.SequenceMatcher(a=_words(left), b=_words(right), autojunk=False).ratio()


def _words(text: str) -> list[str]:
    return [found[0] for found in islice(re.finditer(r"\w+|[^\w\s]", text), _COMPARED_WORDS)]


def _choose(place: Place, indices: Sequence[int], handed: Sequence[Handed]) -> int:
    """Return the last claimant, as nbgrader does, unless it is untouched and an earlier one is not."""
    touched = [index for index in indices if not place.is_untouched(handed[index].source)]
    return touched[-1] if touched else indices[-1]


def _sorted_lines(source: str) -> list[str]:
    """Return the lines of a question in an order that does not depend on how its options are shuffled."""
    return sorted(_bare(source).split("\n"))


def _bare(source: str) -> str:
    """Return a text without what editors change by themselves: white space at the ends of lines."""
    return "\n".join(line.rstrip() for line in source.strip("\n").split("\n")).rstrip()
