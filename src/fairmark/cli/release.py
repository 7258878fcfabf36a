"""``fairmark release``: makes the students' version, and shows the proof of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.cli.arguments import add_course, add_sandbox, choose_sandbox
from fairmark.cli.terminal import GOOD, console, show_release

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("release", help="make and prove the students' version of an assignment")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--per-student",
        metavar="ROSTER.csv",
        type=Path,
        help="also make each student's own copy: variants drawn, options shuffled",
    )
    add_course(command)
    add_sandbox(command)
    command.set_defaults(act=_release)


def _release(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415 - nbgrader takes seconds to import
    from fairmark.personal import FOLDER, read_roster, release_per_student  # noqa: PLC0415
    from fairmark.release import release_assignment  # noqa: PLC0415

    course = open_course(options.course)
    students = read_roster(options.per_student) if options.per_student else ()
    choose_sandbox(course, options.sandbox)
    with console.status(f"Releasing {options.assignment} and proving it …"):
        release = release_assignment(course, options.assignment)
    show_release(course, release)
    console.print(
        "[green]Proved:[/] the blank release scores 0, the reference solution scores full marks, and the "
        "release holds no key, solution, hidden test or explanation."
    )
    if students:
        with console.status(f"Drawing for {len(students)} students …"):
            release_per_student(course, release.assignment, students)
        console.print(
            f"Drawn for {len(students)} students: {FOLDER}/<student>/{options.assignment}", highlight=False
        )
    return GOOD
