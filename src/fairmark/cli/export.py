"""``fairmark export``: writes grades and quizzes in the formats of other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import GOOD, complaints
from fairmark.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from fairmark.cli.arguments import Commands
    from fairmark.course import Course
    from fairmark.exporters import Standing
    from fairmark.quiz import Question

_TABLES = ("csv", "csv-long", "moodle", "canvas")
_CLASS = ("junit", "markdown")
_EACH = ("gradescope", "classroom50")  # one document a student
_QUIZZES = ("gift", "moodle-xml")
FORMATS = (*_TABLES, *_CLASS, *_EACH, *_QUIZZES)


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("export", help="write grades or quizzes for another program")
    command.add_argument("assignment", metavar="ASSIGNMENT", nargs="*", help="default: all")
    command.add_argument("--to", metavar="FORMAT", required=True, choices=FORMATS, help=", ".join(FORMATS))
    command.add_argument("--output", "-o", metavar="FILE", type=Path, help="default: the terminal")
    command.add_argument(
        "--student", metavar="ID", action="append", default=[], help="only this one; may be repeated"
    )
    command.add_argument(
        "--sheet", metavar="FILE", type=Path, help="a sheet downloaded from Moodle or Canvas, to be filled in"
    )
    command.add_argument(
        "--classroom", metavar="NAME", default="", help="for classroom50: default: the course's id"
    )
    add_course(command)
    command.set_defaults(act=_export)


def _export(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415

    course = open_course(options.course)
    if options.sheet and options.to not in ("moodle", "canvas"):
        raise UsageError("--sheet is for moodle and canvas.")
    assignments = tuple(options.assignment) or course.assignments()
    for assignment in assignments:
        course.find_source(assignment)
    if options.to in _QUIZZES:
        text = _write_quizzes(course, assignments, options.to)
    else:
        text = _write_standings(course, assignments, options)
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8", newline="")
        complaints.print(f"Wrote {options.output}", soft_wrap=True, highlight=False, markup=False)
    return GOOD


def _write_standings(course: Course, assignments: tuple[str, ...], options: argparse.Namespace) -> str:
    from fairmark import exporters  # noqa: PLC0415
    from fairmark.standings import read_standings  # noqa: PLC0415

    students = tuple(options.student)
    standings = [each for name in assignments for each in read_standings(course, name, students)]
    missing = sorted(set(students) - {each.person.id for each in standings})
    if missing:
        raise UsageError(f"The gradebook has nothing by: {', '.join(missing)}.")
    if options.to in _EACH:
        return _write_each(course, standings, options)
    if options.to == "moodle" and len(assignments) != 1:
        raise UsageError("Moodle's worksheet is for one assignment: name it.")
    sheet = _read_sheet(options.sheet) if options.sheet else ""
    writers = {
        "csv": lambda: exporters.write_wide_table(standings),
        "csv-long": lambda: exporters.write_long_table(standings),
        "moodle": lambda: exporters.write_moodle(standings, sheet),
        "canvas": lambda: exporters.write_canvas(standings, sheet),
        "junit": lambda: exporters.write_junit(standings),
        "markdown": lambda: exporters.write_markdown(standings),
    }
    return writers[options.to]()


def _write_each(course: Course, standings: list[Standing], options: argparse.Namespace) -> str:
    from fairmark import exporters  # noqa: PLC0415

    if len(standings) != 1:
        raise UsageError(
            f"{options.to} is one document for one hand-in: name one assignment, and one --student "
            f"({len(standings)} hand-ins were found)."
        )
    if options.to == "gradescope":
        return exporters.write_gradescope(standings[0])
    classroom = options.classroom or str(course.directory.course_id) or "classroom"
    return exporters.write_classroom50(standings[0], classroom=classroom)


def _read_sheet(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _write_quizzes(course: Course, assignments: tuple[str, ...], form: str) -> str:
    from fairmark import exporters  # noqa: PLC0415

    if form == "gift":
        return exporters.write_gift(question for name in assignments for question in _questions(course, name))
    name = str(course.directory.course_id)
    found = [question for each in assignments for question in _questions(course, each)]
    return exporters.write_moodle_xml(found, "/".join(filter(None, (name, *assignments[:1]))))


def _questions(course: Course, assignment: str) -> Iterator[Question]:
    from fairmark.assembly import read_questions  # noqa: PLC0415
    from fairmark.authoring import read_assignment  # noqa: PLC0415

    for notebook in read_assignment(course, assignment).notebooks:
        yield from read_questions(notebook).values()
