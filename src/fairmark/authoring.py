"""The instructor's notebooks as nbgrader makes them, by the course's own preprocessors."""

from __future__ import annotations

import hashlib
import json
import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from fairmark import quiz
from fairmark.course import Assignment, SourceNotebook
from fairmark.errors import AuthorError, Fault
from fairmark.faults import find_faults
from fairmark.fingerprint import digest_source
from fairmark.prepared import keep_notebooks, recall_notebooks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nbformat import NotebookNode

    from fairmark.course import Course

# nbgrader and nbformat cost seconds to import: both are imported where they are needed.


def read_assignment(course: Course, assignment_id: str) -> Assignment:
    """Read an assignment; its notebooks are made anew only where they, or what makes them, have changed.

    Parameters
    ----------
    course : Course
    assignment_id : str

    Raises
    ------
    UsageError
        Where the course has no such assignment.
    AuthorError
        With all faults of its notebooks at once.
    """
    source = course.list_source(assignment_id)
    rests_on = digest_source(course, source)
    notebooks = recall_notebooks(course, source, rests_on)
    if not notebooks:
        faults = find_faults(course, assignment_id)
        if faults:
            raise AuthorError(faults)
        notebooks = tuple(_prepare(course, assignment_id, path) for path in source.notebooks)
        keep_notebooks(course, source, rests_on, notebooks)
    digest = _digest(notebooks, source.folder, source.files)
    return Assignment(assignment_id, source.folder, notebooks, source.files, digest)


def _digest(notebooks: Sequence[SourceNotebook], folder: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for notebook in notebooks:
        digest.update(json.dumps([notebook.name, notebook.node, notebook.released], sort_keys=True).encode())
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(json.dumps([path.relative_to(folder).as_posix(), content]).encode())
    return digest.hexdigest()


def _prepare(course: Course, assignment: str, path: Path) -> SourceNotebook:
    """Run the course's own preprocessors over a source notebook, with and without its solutions."""
    from nbgrader.preprocessors import ClearSolutions  # noqa: PLC0415

    steps = _steps(course, path.parent)
    resources = _resources(course, assignment, path)
    clearing = next(
        (number for number, step in enumerate(steps) if isinstance(step, ClearSolutions)), len(steps)
    )
    name = course.relative(path)
    try:
        full = _read_source(path)
        for step in steps[:clearing]:
            full, resources = step(full, resources)
        released = deepcopy(full)
        for step in steps[clearing : clearing + 1]:
            released, resources = clear(released, resources, step)
        for step in steps[clearing + 1 :]:
            full, _ = step(full, deepcopy(resources))
            released, resources = step(released, resources)
    except Exception as error:
        raise AuthorError((Fault(name, "", f"nbgrader cannot make the release: {error}"),)) from error
    if len(full.cells) != len(released.cells):
        fault = (
            "the course's preprocessors add or drop cells while they clear solutions; that cannot be graded."
        )
        raise AuthorError((Fault(name, "", fault),))
    for node in (full, released):
        _give_ids(node)
    for cell, kept in zip(full.cells, released.cells, strict=True):
        if "checksum" in kept.metadata.get("nbgrader", {}):
            cell.metadata.nbgrader["checksum"] = kept.metadata.nbgrader.checksum
    return SourceNotebook(path.stem, path, full, released)


def _steps(course: Course, folder: Path) -> list[Callable[[Any, Any], tuple[Any, Any]]]:
    """Return the course's preprocessors up to the one that writes into the gradebook, ready to use."""
    from nbgrader import preprocessors as stock  # noqa: PLC0415
    from nbgrader.converters import GenerateAssignment  # noqa: PLC0415
    from traitlets import import_item  # noqa: PLC0415

    steps: list[Callable[[Any, Any], tuple[Any, Any]]] = []
    config = deepcopy(course.config)
    config.GenerateAssignment.pop("exporter_class", None)  # takes a second to import, and nothing is exported
    for listed in GenerateAssignment(config=config).preprocessors:
        step = import_item(listed) if isinstance(listed, str) else listed
        step = step(config=course.config) if isinstance(step, type) else step
        if isinstance(step, stock.SaveCells | stock.ClearHiddenTests):
            break
        # nbgrader changes into the course folder; a path from there on is the same without that.
        if isinstance(step, stock.IncludeHeaderFooter):
            step.header = step.header and str(course.root / step.header)
            step.footer = step.footer and str(course.root / step.footer)
        if isinstance(step, stock.InstantiateTests) and not (folder / step.autotest_filename).exists():
            step.autotest_filename = str(course.root / step.autotest_filename)
        steps.append(step)
    return steps


def _resources(course: Course, assignment: str, path: Path) -> dict[str, Any]:
    return {
        "unique_key": path.stem,
        "output_files_dir": f"{path.stem}_files",
        "metadata": {"name": path.stem, "path": str(path.parent)},
        "nbgrader": {
            "student": ".",
            "assignment": assignment,
            "notebook": path.stem,
            "db_url": course.db_url,
        },
    }


def clear(node: NotebookNode, resources: Any, step: Callable[[Any, Any], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Take solutions, quiz keys and the pictures of model answers out of a notebook.

    Parameters
    ----------
    node : NotebookNode
    resources : mapping
        nbconvert's.
    step : callable
        nbgrader's own way to clear solutions; it gets the notebook and `resources` and returns both.
    """
    _tell_forbidden(node)
    questions = {number: _blanked(cell) for number, cell in enumerate(node.cells) if is_question(cell)}
    node, resources = step(node, resources)
    for number, cell in enumerate(node.cells):
        if number in questions:
            node.cells[number] = questions[number]
        elif cell.metadata.get("nbgrader", {}).get("solution"):
            for picture in [name for name in cell.get("attachments", {}) if name not in cell.source]:
                del cell.attachments[picture]
    return node, resources


def _tell_forbidden(node: NotebookNode) -> None:
    """Tell students in the notebook's first text which packages it has to be solved without."""
    names = node.metadata.get("fairmark", {}).get("forbidden", ())
    texts = (cell for cell in node.cells if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata)
    place = next(texts, None)
    if names and place is not None:
        listed = ", ".join(f"`{name}`" for name in names)
        place.source += f"\n\n> **Do without {listed}:** where this is graded, an import of it fails."


def is_question(cell: NotebookNode) -> bool:
    """Tell whether an instructor's cell is a quiz question."""
    return quiz.is_question(cell.cell_type, cell.source, cell.metadata)


def _blanked(cell: NotebookNode) -> NotebookNode:
    """Return a copy of a quiz cell as the release has it."""
    nbgrader, settings = cell.metadata.nbgrader, cell.metadata.get("fairmark")
    question = quiz.read_question(
        cell.source, id=nbgrader.grade_id, points=nbgrader.get("points"), settings=settings
    )
    released = deepcopy(cell)
    released.source = question.released
    # The ticks told which kind it is; the blank text no longer does.
    released.metadata["fairmark"] = {**(settings or {}), "kind": question.kind}
    return released


def _read_source(path: Path) -> NotebookNode:
    # nbformat.read would give new, random ids to cells without a proper one.
    from nbformat.v4 import reads  # noqa: PLC0415

    return cast("NotebookNode", reads(path.read_text(encoding="utf-8")))


def _give_ids(node: NotebookNode) -> None:
    """Give every cell a valid, unique id that is the same whenever the same source is read."""
    used: set[str] = set()
    for number, cell in enumerate(node.cells):
        given = cell.get("id", "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given) or given in used:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            given = f"cell-{number + 1}-{grade_id}".rstrip("-")[:64]
        cell["id"] = given
        used.add(given)
    node["nbformat_minor"] = max(node.nbformat_minor, 5)
