"""``fairmark grade``: grades what was handed in, and shows everybody's points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from fairmark.cli.arguments import add_course, positive
from fairmark.cli.terminal import FAILED, GOOD, console, show_batch, show_progress

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("grade", help="grade what was handed in for an assignment")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    command.add_argument(
        "--student", metavar="ID", action="append", default=[], help="only this one; may be repeated"
    )
    command.add_argument(
        "--workers", metavar="N", type=positive, help="processes at a time (default: one a core)"
    )
    add_course(command)
    command.set_defaults(act=_grade)


def _grade(options: argparse.Namespace) -> int:
    from fairmark.batch import grade_assignment  # noqa: PLC0415
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.intake import find_submissions  # noqa: PLC0415

    course = open_course(options.course)
    number = len(find_submissions(course, options.assignment, options.student))
    if not number and not options.student:
        console.print(f"Nothing was handed in: there is no {course.submitted('*', options.assignment)}.")
    with show_progress(options.assignment, number) as tell:
        batch = grade_assignment(
            course, options.assignment, tuple(options.student), workers=options.workers, tell=tell
        )
    show_batch(batch)
    console.print(f"Gradebook: {escape(course.db_url)}", soft_wrap=True)
    console.print(
        f"Notebooks and result.json: {escape(str(course.autograded('*', options.assignment)))}",
        soft_wrap=True,
    )
    return FAILED if batch.failures or any(result.status == "error" for result in batch.results) else GOOD
