"""The instructor's notebook with a student's answers set in: each cell exactly once and in order."""

from __future__ import annotations

import ast
import base64
import binascii
import difflib
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from fairmark import quiz
from fairmark.errors import Ungradable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nbformat import NotebookNode

    from fairmark.course import SourceNotebook

MAX_CELLS = 5_000
MAX_ATTACHMENT_BYTES = 5 * 2**20
MAX_ATTACHMENTS = 20

_CELL_TYPES = frozenset({"code", "markdown", "raw"})
_VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ATTACHMENT_NAME = re.compile(r"[\w .()+-]{1,200}")
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# How alike an edited cell must be to count as the instructor's, and how much is compared to find that out.
_ALIKE = 0.6
_COMPARED_WORDS = 400
_COMPARED_PAIRS = 2_000


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


@dataclass(frozen=True, slots=True)
class AssembledCell:
    """One cell of an assembled notebook.

    Parameters
    ----------
    role : Role
        ``TEXT`` to read, ``INSTRUCTOR`` code that is not graded, ``ANSWER`` code that the student writes,
        ``EXTRA`` a cell of the student's own, ``TEST`` a graded test, ``QUIZ`` a quiz question, ``MANUAL``
        an answer (text or code) that a person grades, ``TASK`` a task description that a person grades.
    cell_type : {'markdown', 'code', 'raw'}
    source : str
        What is shown, and what the student's room runs.
    trusted : str
        What the examiner's room runs: the instructor's text. Empty for ``ANSWER``, ``EXTRA`` and
        ``MANUAL``. For ``QUIZ`` the question with its key, which never leaves the grader.
    grade_id : str
        nbgrader's name of the cell; empty for cells that nbgrader does not know.
    points : float
        The most that the cell can give.
    metadata : dict
        The instructor's metadata with nbgrader's checksum of the released cell; ``{}`` for ``EXTRA``.
    cell_id : str
        Unique and valid in nbformat's sense.
    student_names : frozenset of str
        For ``TEST`` and ``INSTRUCTOR``: names that come from the student, because the reference solutions
        before this cell bind them and no instructor's cell in between binds them again.
    solution_imports : tuple of str
        For ``TEST`` and ``INSTRUCTOR``: the import statements of the reference solutions before this cell.
    answered : bool
        The student changed the cell; for ``QUIZ``, ``ANSWER`` and ``MANUAL``.
    attachments : dict
        Pictures of the cell, in nbformat's shape.
    question : fairmark.quiz.Question or None
        For ``QUIZ``: what `trusted` says, read.
    """

    role: Role
    cell_type: str
    source: str
    trusted: str
    cell_id: str
    grade_id: str = ""
    points: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)
    student_names: frozenset[str] = frozenset()
    solution_imports: tuple[str, ...] = ()
    answered: bool = False
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)
    question: quiz.Question | None = None


@dataclass(frozen=True, slots=True)
class AssembledNotebook:
    """A notebook ready to be graded.

    Parameters
    ----------
    name : str
        Without its ending.
    cells : tuple of AssembledCell
    metadata : dict
        The instructor's kernel and language.
    notes : tuple of str
        What was repaired, in words for the student.
    """

    name: str
    cells: tuple[AssembledCell, ...]
    metadata: dict[str, Any]
    notes: tuple[str, ...] = ()


def assemble(instructor: SourceNotebook, submitted: NotebookNode | None) -> AssembledNotebook:
    """Set a student's answers into the instructor's notebook.

    Nothing of the submitted notebook is believed but the text of cells that the student may write, and
    which of the instructor's cells they belong to.

    Parameters
    ----------
    instructor : SourceNotebook
    submitted : NotebookNode or None
        What was handed in, as `fairmark.course.read_notebook` gives it; None where the notebook is missing.

    Raises
    ------
    Ungradable
        Where the submission holds no list of cells, or far too many.
    """
    places = _read_places(instructor)
    handed = () if submitted is None else _read_handed(submitted)
    seating = _seat(places, handed)
    ids = _Ids(place.cell_id for place in places)
    cells = [_extra(handed[index], ids) for index in seating.before[0]]
    notes: list[str] = []
    for number, place in enumerate(places):
        seat = seating.winner.get(number)
        cell, told = _set_in(place, handed[seat] if seat is not None else None)
        cells += [_extra(handed[index], ids) for index in seating.doubles[number]]
        cells.append(cell)
        cells += [_extra(handed[index], ids) for index in seating.before[number + 1]]
        if number in seating.doubled:
            told = (*told, f"The cell {place.label} was there more than once; one of them was graded.")
        notes += told
    metadata = instructor.released.metadata
    kept = {key: _plain(metadata[key]) for key in ("kernelspec", "language_info") if key in metadata}
    return AssembledNotebook(
        name=instructor.name,
        cells=tuple(cells),
        metadata=kept,
        notes=tuple(notes) if submitted is not None else ("The notebook was not handed in.",),
    )


def read_questions(instructor: SourceNotebook) -> dict[str, quiz.Question]:
    """Return a notebook's quiz questions with their keys, by ``grade_id``."""
    return {
        place.grade_id: place.question for place in _read_places(instructor) if place.question is not None
    }


def to_notebook(
    assembled: AssembledNotebook, outputs: Mapping[int, Sequence[Mapping[str, Any]]] | None = None
) -> NotebookNode:
    """Return an assembled notebook in nbformat's and nbgrader's shape.

    Parameters
    ----------
    assembled : AssembledNotebook
    outputs : mapping of int to sequence of mappings, optional
        The outputs of code cells in nbformat's shape, by the cell's place in ``assembled.cells``.

    Returns
    -------
    NotebookNode
        Valid for nbformat 4.5 and for nbgrader's own check of cell metadata. The checksums are those of
        the released cells, so that nbgrader sees which cells were left as they were.
    """
    from nbformat import from_dict  # noqa: PLC0415 - costs a second, and only this function needs it

    outputs = outputs or {}
    node: NotebookNode = from_dict(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": assembled.metadata,
            "cells": [_node_of(cell, outputs.get(number, ())) for number, cell in enumerate(assembled.cells)],
        }
    )
    return node


def _node_of(cell: AssembledCell, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    node: dict[str, Any] = {
        "cell_type": cell.cell_type,
        "id": cell.cell_id,
        "metadata": cell.metadata,
        "source": cell.source,
    }
    if cell.cell_type == "code":
        node["outputs"] = [dict(output) for output in outputs]
        counts = (output["execution_count"] for output in outputs if "execution_count" in output)
        node["execution_count"] = next(counts, None)
    elif cell.attachments:
        node["attachments"] = cell.attachments
    return node


# ---------------------------------------------------------------------------------------------------------
# The instructor's side


@dataclass(frozen=True, slots=True)
class _Place:
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
    solution_imports: tuple[str, ...]

    @property
    def label(self) -> str:
        """What the student knows the cell by."""
        return f"\u201c{self.grade_id}\u201d" if self.grade_id else "of the instructor"


def _read_places(instructor: SourceNotebook) -> tuple[_Place, ...]:
    places = []
    names = _Names()
    for full, released in zip(instructor.node.cells, instructor.released.cells, strict=True):
        role = _role_of(full)
        nbgrader = released.metadata.get("nbgrader", {})
        told = role in (Role.TEST, Role.INSTRUCTOR)
        place = _Place(
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
            solution_imports=tuple(names.imports) if told else (),
        )
        if full.cell_type == "code":
            names.read(full.source, by_student=role in (Role.ANSWER, Role.MANUAL))
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
class _Handed:
    """One submitted cell, reduced to what may matter."""

    cell_type: str
    source: str
    grade_id: str
    cell_id: str
    attachments: object


def _read_handed(submitted: NotebookNode) -> tuple[_Handed, ...]:
    cells = submitted.get("cells") if isinstance(submitted, dict) else None
    if not isinstance(cells, list):
        raise Ungradable(
            "The notebook holds no list of cells. Save it again in Jupyter and hand it in again."
        )
    if len(cells) > MAX_CELLS:
        raise Ungradable(f"The notebook holds {len(cells)} cells; more than {MAX_CELLS} are not graded.")
    return tuple(_handed_cell(cell) for cell in cells if isinstance(cell, dict))


def _handed_cell(cell: dict[str, Any]) -> _Handed:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    cell_type = cell.get("cell_type")
    cell_id = cell.get("id")
    return _Handed(
        cell_type=cell_type if isinstance(cell_type, str) and cell_type in _CELL_TYPES else "raw",
        source=_text_of(cell.get("source")),
        grade_id=grade_id if isinstance(grade_id, str) else "",
        cell_id=cell_id if isinstance(cell_id, str) and _VALID_ID.fullmatch(cell_id) else "",
        attachments=cell.get("attachments"),
    )


def _text_of(source: object) -> str:
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return ""
    # Lone surrogates cannot be written to any file or database.
    return _LONE_SURROGATE.sub("\ufffd", source.replace("\r\n", "\n"))


# ---------------------------------------------------------------------------------------------------------
# Which answer belongs to which place


@dataclass(frozen=True, slots=True)
class _Seating:
    """Where each submitted cell goes, by number.

    `winner` is the cell that is set into a place; `doubles` are other cells that claimed it and still run,
    before it; `before` are the student's own cells that stand before a place, with one entry more for
    those at the end; `doubled` are the places that were claimed more than once.
    """

    winner: dict[int, int]
    doubles: dict[int, list[int]]
    before: dict[int, list[int]]
    doubled: set[int]


def _seat(places: Sequence[_Place], handed: Sequence[_Handed]) -> _Seating:
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
            and not (places[number].locked and _is_part_of(handed[index].source, places[number].released))
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
    return _Seating(winner, doubles, before, doubled)


def _claim_by_name(places: Sequence[_Place], handed: Sequence[_Handed]) -> dict[int, list[int]]:
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
    places: Sequence[_Place], handed: Sequence[_Handed], seated: set[int], taken: set[int]
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


def _same_question(place: _Place, free: dict[str, list[int]]) -> list[int] | None:
    """Return the free cells that hold this question with whatever answer."""
    settings = place.metadata.get("fairmark")
    for text, indices in free.items():
        if indices and len(text) < 4 * len(place.released) + 2_000:
            blanked = quiz.blank(text, id=place.grade_id, settings=settings)
            if _bare(blanked) == _bare(place.released):
                return indices
    return None


def _claim_by_likeness(
    places: Sequence[_Place], handed: Sequence[_Handed], claims: Mapping[int, Sequence[int]], taken: set[int]
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


def _choose(place: _Place, indices: Sequence[int], handed: Sequence[_Handed]) -> int:
    """Return the last claimant, as nbgrader does, unless it is untouched and an earlier one is not."""
    touched = [index for index in indices if _bare(handed[index].source) not in ("", _bare(place.released))]
    return touched[-1] if touched else indices[-1]


def _bare(source: str) -> str:
    """Return a text without what editors change by themselves: white space at the ends of lines."""
    return "\n".join(line.rstrip() for line in source.strip("\n").split("\n")).rstrip()


def _is_part_of(source: str, released: str) -> bool:
    """Tell whether every line is the instructor's (the release lacks the lines of hidden tests)."""
    lines = {line.strip() for line in released.split("\n")}
    return all(line.strip() in lines for line in source.split("\n"))


# ---------------------------------------------------------------------------------------------------------
# Setting in


def _set_in(place: _Place, answer: _Handed | None) -> tuple[AssembledCell, tuple[str, ...]]:
    """Return the place with `answer` in it, and what to tell the student."""
    source, attachments = place.released, place.attachments
    notes: list[str] = []
    if answer is not None and answer.cell_type != place.cell_type and place.grade_id:
        notes.append(f"The cell {place.label} had become a {answer.cell_type} cell; it was put right.")
    if place.role is Role.QUIZ:
        source, told = _answer_quiz(place, answer)
        notes += told
    elif place.locked:
        if answer is not None and not _is_part_of(answer.source, place.released):
            notes.append(f"The cell {place.label} is read-only; your changes to it were left out.")
    elif answer is not None:
        source = answer.source
        if place.role is Role.MANUAL and place.cell_type == "markdown":
            attachments, told = _read_pictures(place, answer.attachments)
            notes += told
    elif place.cell_type == "code" and place.role in (Role.ANSWER, Role.MANUAL):
        # The stub would replace what the student may have written into another cell.
        source = ""
    if answer is None and place.grade_id and place.role is not Role.TEXT:
        notes.append(f"The cell {place.label} was missing; it was put back.")
    cell = AssembledCell(
        role=place.role,
        cell_type=place.cell_type,
        source=source,
        trusted=place.trusted,
        cell_id=place.cell_id,
        grade_id=place.grade_id,
        points=place.points,
        metadata=place.metadata,
        student_names=place.student_names,
        solution_imports=place.solution_imports,
        answered=place.role in (Role.QUIZ, Role.ANSWER, Role.MANUAL)
        and _bare(source) not in ("", _bare(place.released)),
        attachments=attachments,
        question=place.question,
    )
    return cell, tuple(notes)


def _answer_quiz(place: _Place, answer: _Handed | None) -> tuple[str, tuple[str, ...]]:
    assert place.question is not None  # noqa: S101 - every QUIZ place has one; this is for the reader and mypy
    if answer is None:
        return place.released, ()
    return quiz.assemble(place.question, answer.source), quiz.read_answer(place.question, answer.source).notes


def _read_pictures(place: _Place, attachments: object) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Return the attached pictures of a written answer, and what to tell about all else that was attached."""
    if not isinstance(attachments, dict):
        return {}, ()
    pictures = {
        name: bundle
        for name, value in islice(attachments.items(), MAX_ATTACHMENTS)
        if isinstance(name, str) and _ATTACHMENT_NAME.fullmatch(name) and (bundle := _read_picture(value))
    }
    if len(pictures) == len(attachments):
        return pictures, ()
    return pictures, (
        f"Something attached to the cell {place.label} is not a picture or too large; it was left out.",
    )


def _read_picture(bundle: object) -> dict[str, str]:
    if not isinstance(bundle, dict):
        return {}
    read = {}
    for kind, value in bundle.items():
        data = _text_of(value)
        if kind in _IMAGE_TYPES and 0 < len(data) <= MAX_ATTACHMENT_BYTES * 4 // 3:
            try:
                base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError):
                continue
            read[kind] = data
    return read


class _Ids:
    """Gives cell ids that are valid and used once."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self._used = set(reserved)
        self._fresh = (f"extra-{number}" for number in count(1))

    def give(self, wished: str) -> str:
        """Return `wished` where it is free, else a fresh id."""
        given = (
            wished
            if wished and wished not in self._used
            else next(i for i in self._fresh if i not in self._used)
        )
        self._used.add(given)
        return given


def _extra(cell: _Handed, ids: _Ids) -> AssembledCell:
    return AssembledCell(
        role=Role.EXTRA,
        cell_type=cell.cell_type,
        source=cell.source,
        trusted="",
        cell_id=ids.give(cell.cell_id),
    )


# ---------------------------------------------------------------------------------------------------------
# Which names come from the student


class _Names:
    """Follows which names the reference solutions bind while the instructor's cells are read in order."""

    def __init__(self) -> None:
        self.of_student: set[str] = set()
        self.imports: list[str] = []

    def read(self, source: str, *, by_student: bool) -> None:
        """Take in one code cell."""
        tree = _parse(source)
        if tree is None:
            return
        bound = _Bound()
        bound.visit(tree)
        if by_student:
            self.of_student |= bound.names
            self.imports += [statement for statement in bound.imports if statement not in self.imports]
        else:
            self.of_student -= bound.names | bound.imported


def _parse(source: str) -> ast.Module | None:
    """Return the tree of a cell's Python, with IPython's magics and shell escapes put into Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        pass
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415 - rarely needed, and heavy

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError):
        return None


class _Bound(ast.NodeVisitor):
    """Collects the names that code binds at the level of the module."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.imported: set[str] = set()
        self.imports: list[str] = []

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names.add(node.id)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.imports.append(ast.unparse(node))
        self.imported |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}

    visit_ImportFrom = visit_Import  # noqa: N815 - the name is ast's

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.names.add(node.name)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Global):
                self.names |= set(inner.names)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815
    visit_ClassDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Names that a lambda binds stay inside of it."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        """Only the walrus binds outside of a comprehension."""
        self.names |= {inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)}

    visit_SetComp = visit_ListComp  # noqa: N815
    visit_DictComp = visit_ListComp  # noqa: N815
    visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self.names.add(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # noqa: N815

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.names.add(node.rest)
        self.generic_visit(node)
