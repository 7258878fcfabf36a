"""The instructor's notebook with a student's answers set in: each cell exactly once and in order."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from fairmark import quiz
from fairmark.course import PYTHON, find_language
from fairmark.seating import Handed, Place, Role, read_handed, read_places, seat_cells, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbformat import NotebookNode

    from fairmark.course import SourceNotebook

MAX_ATTACHMENT_BYTES = 5 * 2**20
MAX_ATTACHMENTS = 20

_ATTACHMENT_NAME = re.compile(r"[\w .()+-]{1,200}")
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


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
    instructor_names : frozenset of str
        For ``TEST`` and ``INSTRUCTOR``: names that the instructor's cells before this one bind.
    solution_imports : dict of str to str
        For ``TEST`` and ``INSTRUCTOR``: names that the reference solutions before this cell import, each with
        the statement that does it.
    answered : bool
        The student changed the cell; for ``QUIZ``, ``ANSWER`` and ``MANUAL``.
    attachments : dict
        Pictures of the cell, in nbformat's shape.
    question : fairmark.quiz.Question or None
        For ``QUIZ``: what `trusted` says, read.
    remarks : tuple of str
        For ``QUIZ``: what was odd about the answer as it was handed in, in words for the student.
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
    instructor_names: frozenset[str] = frozenset()
    solution_imports: dict[str, str] = field(default_factory=dict)
    answered: bool = False
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)
    question: quiz.Question | None = None
    remarks: tuple[str, ...] = ()


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


def assemble(
    instructor: SourceNotebook, submitted: NotebookNode | None, draw: quiz.Draw | None = None
) -> AssembledNotebook:
    """Set a student's answers into the instructor's notebook.

    Nothing of the submitted notebook is believed but the text of cells that the student may write, and
    which of the instructor's cells they belong to.

    Parameters
    ----------
    instructor : SourceNotebook
    submitted : NotebookNode or None
        What was handed in, as `fairmark.intake.read_notebook` gives it; None where the notebook is missing.
    draw : fairmark.quiz.Draw, optional
        What was drawn for the student, for questions whose text does not tell which variant it is.

    Raises
    ------
    Ungradable
        Where the submission holds no list of cells, or far too many.
    """
    places = read_places(instructor)
    handed = () if submitted is None else read_handed(submitted)
    seating = seat_cells(places, handed)
    ids = _Ids(place.cell_id for place in places)
    cells = [_extra(handed[index], ids) for index in seating.before[0]]
    notes = [] if submitted is None else _remark_on_kernel(submitted)
    for number, place in enumerate(places):
        seat = seating.winner.get(number)
        cell, told = _set_in(place, handed[seat] if seat is not None else None, draw)
        cells += [_extra(handed[index], ids) for index in seating.doubles[number]]
        cells.append(cell)
        cells += [_extra(handed[index], ids) for index in seating.before[number + 1]]
        if number in seating.doubled:
            told = (*told, f"The cell {place.label} was there more than once; one of them was graded.")
        notes += told
    metadata = instructor.released.metadata
    kept = {key: metadata[key] for key in ("kernelspec", "language_info") if key in metadata}
    return AssembledNotebook(
        name=instructor.name,
        cells=tuple(cells),
        metadata=json.loads(json.dumps(kept)),
        notes=tuple(notes) if submitted is not None else ("The notebook was not handed in.",),
    )


def _remark_on_kernel(submitted: NotebookNode) -> list[str]:
    language = find_language(submitted.get("metadata"))
    if language in ("", PYTHON):
        return []
    return [f"The notebook was saved with the kernel {language[:40]!r}; it was graded with Python."]


def read_questions(instructor: SourceNotebook) -> dict[str, quiz.Question]:
    """Return a notebook's quiz questions with their keys, by ``grade_id``."""
    return {place.grade_id: place.question for place in read_places(instructor) if place.question is not None}


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


def find_untouched(instructor: SourceNotebook, graded: NotebookNode) -> tuple[str, ...]:
    """Name the answer cells of a graded notebook that are empty or, to the letter, as they were released.

    These are the cells for which nbgrader's checksums tell the same; a task is never one of them.
    """
    released = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in instructor.released.cells
        if "nbgrader" in cell.metadata
    }
    named = ((cell.metadata.nbgrader, cell.source) for cell in graded.cells if "nbgrader" in cell.metadata)
    return tuple(
        nbgrader.grade_id
        for nbgrader, source in named
        if nbgrader.get("solution")
        and not nbgrader.get("task")
        and (not source.strip() or source == released.get(nbgrader.grade_id))
    )


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
# Setting in


def _set_in(
    place: Place, answer: Handed | None, draw: quiz.Draw | None
) -> tuple[AssembledCell, tuple[str, ...]]:
    """Return the place with `answer` in it, and what to tell the student."""
    source, attachments, question = place.released, place.attachments, place.question
    notes: list[str] = []
    if answer is not None and answer.cell_type != place.cell_type and place.grade_id:
        notes.append(f"The cell {place.label} had become a {answer.cell_type} cell; it was put right.")
    told: tuple[str, ...] = ()
    if question is not None:
        question = _pick_variant(question, answer, draw)
        source, told = _answer_quiz(question, answer)
        notes += (f"Question {place.label}: {note}" for note in told)
    elif place.locked:
        if answer is not None and not place.has_all_of(answer.source):
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
        instructor_names=place.instructor_names,
        solution_imports=place.solution_imports,
        answered=place.role in (Role.QUIZ, Role.ANSWER, Role.MANUAL) and not place.is_untouched(source),
        attachments=attachments,
        question=question,
        remarks=told if place.role is Role.QUIZ else (),
    )
    return cell, tuple(notes)


def _pick_variant(question: quiz.Question, answer: Handed | None, draw: quiz.Draw | None) -> quiz.Question:
    drawn = draw.number(question) if draw is not None and question.others else 0
    return quiz.pick_variant(question, answer.source if answer is not None else "", drawn)


def _answer_quiz(question: quiz.Question, answer: Handed | None) -> tuple[str, tuple[str, ...]]:
    if answer is None:
        return question.released, ()
    return quiz.assemble(question, answer.source), quiz.read_answer(question, answer.source).notes


def _read_pictures(place: Place, attachments: object) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
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
        data = text_of(value)
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


def _extra(cell: Handed, ids: _Ids) -> AssembledCell:
    return AssembledCell(
        role=Role.EXTRA,
        cell_type=cell.cell_type,
        source=cell.source,
        trusted="",
        cell_id=ids.give(cell.cell_id),
    )
