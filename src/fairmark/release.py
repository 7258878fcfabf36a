"""Releases an assignment, and proves the release: blank scores nothing, the reference everything."""

from __future__ import annotations

import logging
import os
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import fairmark
from fairmark import quiz
from fairmark.assembly import assemble
from fairmark.authoring import is_question, read_assignment
from fairmark.errors import AuthorError, Fault, UsageError
from fairmark.faults import faults_of_release
from fairmark.gradebook.assignments import ensure_assignment
from fairmark.grading import grade_notebook, read_files
from fairmark.hall import Hall

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from fairmark.course import Assignment, Course, SourceNotebook
    from fairmark.grading import GradedNotebook


@dataclass(frozen=True, slots=True)
class Proof:
    """What one notebook's release was shown to give.

    `written` are the points that a person gives, which nothing can be proved of.
    """

    notebook: str
    blank: float
    reference: float
    max_score: float
    written: float


@dataclass(frozen=True, slots=True)
class Release:
    """An assignment that was released."""

    assignment: Assignment
    proofs: tuple[Proof, ...]


def release_assignment(course: Course, assignment_id: str) -> Release:
    """Make the students' version of an assignment and prove it.

    Raises
    ------
    AuthorError
        With all faults: of the source, of the release, and of what blank and reference score.
    UsageError
        Where there is no such assignment, or nbgrader refuses.
    """
    assignment = read_assignment(course, assignment_id)
    with Hall(course, assignment) as hall:
        proofs, faults = prove(hall)
    if faults:
        raise AuthorError(faults)
    ensure_assignment(course, assignment)
    generate(course, assignment_id)
    faults = faults_of_release(course, assignment, course.release(assignment_id))
    if faults:
        raise AuthorError(faults)
    return Release(assignment, proofs)


def generate(course: Course, assignment_id: str) -> None:
    """Run nbgrader's own ``generate_assignment`` with fairmark switched on."""
    from nbgrader.converters import GenerateAssignment  # noqa: PLC0415 - slow to import
    from nbgrader.coursedir import CourseDirectory  # noqa: PLC0415

    config = deepcopy(course.config)
    fairmark.enable(config)
    config.GenerateAssignment.force = True
    directory = CourseDirectory(config=config, root=str(course.root), assignment_id=assignment_id)
    directory.db_url = course.db_url
    told = _Complaints()
    converter = GenerateAssignment(coursedir=directory, config=config)
    converter.log = logging.getLogger("fairmark.release")
    converter.log.propagate = False
    converter.log.addHandler(told)
    here = Path.cwd()
    try:
        converter.start()
    except Exception as error:
        raise UsageError(f"nbgrader could not make the release: {error}\n{told.text()}") from error
    finally:
        os.chdir(here)


class _Complaints(logging.Handler):
    """Keeps what nbgrader complains of, to tell it where it helps."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.lines.append(record.getMessage())

    def text(self) -> str:
        """Return the last messages."""
        return "\n".join(self.lines[-5:])


def prove(hall: Hall) -> tuple[tuple[Proof, ...], tuple[Fault, ...]]:
    """Grade each notebook blank and with the reference solution; return what it gave, and the faults."""
    proofs, faults = [], []
    for notebook in hall.assignment.notebooks:
        blank = _sit(hall, notebook, notebook.released)
        reference = _sit(hall, notebook, _reference_of(notebook))
        place = str(notebook.path.relative_to(hall.course.root))
        for empty, full in zip(blank.items, reference.items, strict=True):
            if empty.score > 0:
                words = (
                    f"left blank, it scores {empty.score:g} of {empty.max_score:g} points; it has to score 0."
                )
                faults.append(Fault(place, empty.id, words))
            if full.kind != "written" and (full.score < full.max_score or full.needs_review):
                told = "; ".join(
                    [
                        full.message,
                        *(
                            f"{check.title}: {check.message}"
                            for check in full.checks
                            if check.status != "passed"
                        ),
                    ]
                )
                words = f"the reference solution scores {full.score:g} of {full.max_score:g} points: {told}"
                faults.append(Fault(place, full.id, words))
        proofs.append(_proof(notebook.name, blank, reference))
    return tuple(proofs), tuple(faults)


def _reference_of(notebook: SourceNotebook) -> NotebookNode:
    """Return a notebook with its solutions, each question in the variant that everybody gets."""
    node = deepcopy(notebook.node)
    for cell in node.cells:
        if is_question(cell):  # that every variant's key earns its points was shown when it was read
            cell.source = quiz.split_variants(cell.source)[0]
    return node


def _sit(hall: Hall, notebook: SourceNotebook, node: NotebookNode) -> GradedNotebook:
    files = read_files(hall.assignment)
    return grade_notebook(hall, assemble(notebook, node), "", files, files)


def _proof(name: str, blank: GradedNotebook, reference: GradedNotebook) -> Proof:
    return Proof(
        name,
        sum(item.score for item in blank.items),
        sum(item.score for item in reference.items),
        sum(item.max_score for item in reference.items if item.kind != "written"),
        sum(item.max_score for item in reference.items if item.kind == "written"),
    )
