"""``fairmark release``: makes the students' version, and shows the proof of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import GOOD, console, show_release

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("release", help="make and prove the students' version of an assignment")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_course(command)
    command.set_defaults(act=_release)


def _release(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415 - nbgrader takes seconds to import
    from fairmark.release import release_assignment  # noqa: PLC0415

    course = open_course(options.course)
    with console.status(f"Releasing {options.assignment} and proving it …"):
        release = release_assignment(course, options.assignment)
    show_release(course, release)
    console.print(
        "[green]Proved:[/] the blank release scores 0, the reference solution scores full marks, and the "
        "release holds no key, solution, hidden test or explanation."
    )
    return GOOD
