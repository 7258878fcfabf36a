"""Gathers an assignment's results, marks and works, and writes the class report from them."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairmark.course import split_at
from fairmark.errors import UsageError
from fairmark.gradebook.reading import read_marks, read_students
from fairmark.moves import mark_kept, read_moves
from fairmark.publishing import find_graded, read_result
from fairmark.statistics import ClassWork, count, list_tables, make_report, to_csv, to_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fairmark.course import Course
    from fairmark.results import CellMarks, NotebookMarks, SubmissionResult
    from fairmark.statistics import Figures


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of some assignments, and the students whose result could not be read, with the reason."""

    course: str
    assignments: tuple[Figures, ...]
    failed: tuple[tuple[str, str], ...]


def read_report(course: Course, assignments: Sequence[str] = ()) -> Report:
    """Count the figures of some assignments; by default of all that are graded.

    Raises
    ------
    UsageError
        Where there is no such assignment, or nothing is graded.
    GraderError
        Where the gradebook cannot be read.
    """
    for assignment in assignments:
        course.find_source(assignment)
    chosen = tuple(assignments) or course.assignments()
    failed: list[tuple[str, str]] = []
    figures = []
    for assignment in chosen:
        work = _gather(course, assignment, failed)
        if work.results:
            figures.append(count(work))
    if not figures:
        raise UsageError(
            f"Nothing is graded yet: run `fairmark grade {chosen[0] if chosen else 'ASSIGNMENT'}`."
        )
    name = str(course.directory.course_id) or course.root.name
    return Report(name, tuple(figures), tuple(failed))


def _gather(course: Course, assignment: str, failed: list[tuple[str, str]]) -> ClassWork:
    marks = read_marks(course, assignment)
    results: list[SubmissionResult] = []
    works: dict[str, dict[str, str]] = {}
    for student, folder in find_graded(course, assignment):
        try:
            results.append(apply_marks(read_result(folder), marks))
            works[student] = _read_work(folder)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            failed.append((student, f"{folder}: {error}"))
    penalties: dict[str, float] = defaultdict(float)
    for (student, _), each in marks.items():
        penalties[student] += each.late_penalty
    roster = set(read_students(course)) | set(_find_folders(course))
    moves = mark_kept(read_moves(course, assignment), marks)
    return ClassWork(assignment, tuple(results), tuple(roster), penalties, works, moves)


def apply_marks(result: SubmissionResult, marks: Mapping[tuple[str, str], NotebookMarks]) -> SubmissionResult:
    """Return a result with the points that people gave in the place of the grader's."""
    known: dict[tuple[str, str], CellMarks] = {
        (notebook, cell.id): cell
        for (student, notebook), each in marks.items()
        if student == result.submission.student
        for cell in each.cells
    }
    items = []
    for item in result.items:
        mark = known.get((item.notebook, item.id))
        if mark is not None and mark.score is not None:
            review = item.needs_review and not mark.manual
            item = replace(item, score=mark.score, needs_review=review)  # noqa: PLW2901
        items.append(item)
    return replace(result, items=tuple(items))


def _read_work(folder: Path) -> dict[str, str]:
    """Return what a student wrote into the cells that are theirs to fill."""
    work = {}
    for path in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            settings = cell.get("metadata", {}).get("nbgrader", {})
            if settings.get("solution") and not (settings.get("grade") and "fairmark" in cell["metadata"]):
                source = cell["source"]
                work[str(settings["grade_id"])] = source if isinstance(source, str) else "".join(source)
    return work


def _find_folders(course: Course) -> tuple[str, ...]:
    """Return everybody who ever handed something in."""
    base, name, _ = split_at(course.submitted("\0", "x"))
    found = [name.fullmatch(folder.name) for folder in base.iterdir()] if base.is_dir() else []
    return tuple(match[1] for match in found if match and not match[1].startswith("."))


def write_page(course: Course, report: Report) -> Path:
    """Write the report as one HTML page; return where it lies."""
    path = _place(course, report, ".html")
    page = make_report(report.course, report.assignments, datetime.now(UTC))
    path.write_text(page, encoding="utf-8")
    return path


def write_json(course: Course, report: Report) -> Path:
    """Write the figures as JSON; return where the file lies."""
    path = _place(course, report, ".json")
    documents = [to_document(figures) for figures in report.assignments]
    path.write_text(json.dumps(documents, indent=2) + "\n", encoding="utf-8")
    return path


def write_csv(course: Course, report: Report) -> Path:
    """Write each table of the report as a CSV file; return the folder."""
    folder = _place(course, report, "").parent
    for figures in report.assignments:
        place = folder / figures.assignment
        place.mkdir(parents=True, exist_ok=True)
        for table in list_tables(figures):
            # The mark at the start tells spreadsheets that the file is UTF-8.
            (place / f"{table.name}.csv").write_text(to_csv(table), encoding="utf-8-sig", newline="")
    return folder


def _place(course: Course, report: Report, ending: str) -> Path:
    folder = course.root / "report"
    folder.mkdir(exist_ok=True)
    alone = len(report.assignments) == 1
    return folder / f"{report.assignments[0].assignment if alone else 'course'}{ending}"
