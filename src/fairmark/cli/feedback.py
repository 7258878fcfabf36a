"""``fairmark feedback``: writes the students' pages, and says which assignments are published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import FAILED, GOOD, complaints, console

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("feedback", help="write the students' feedback pages")
    command.add_argument("assignment", metavar="ASSIGNMENT", nargs="?", help="default: all that is graded")
    command.add_argument(
        "--student", metavar="ID", action="append", default=[], help="only this one; may be repeated"
    )
    grades = command.add_mutually_exclusive_group()
    grades.add_argument(
        "--publish", action="store_true", help="the grades are published: show what waits for that, too"
    )
    grades.add_argument("--withdraw", action="store_true", help="take --publish back")
    add_course(command)
    command.set_defaults(act=_feedback)


def _feedback(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.errors import UsageError  # noqa: PLC0415
    from fairmark.publishing import find_graded, publish, withdraw, write_feedback  # noqa: PLC0415

    course = open_course(options.course)
    if options.assignment:
        chosen: tuple[str, ...] = (options.assignment,)
    else:
        chosen = tuple(each for each in course.assignments() if any(find_graded(course, each)))
    if not chosen:
        raise UsageError("Nothing is graded yet: run `fairmark grade ASSIGNMENT` first.")
    code = GOOD
    for assignment in chosen:
        if options.publish:
            publish(course, assignment)
        elif options.withdraw:
            withdraw(course, assignment)
        pages = write_feedback(course, assignment, tuple(options.student))
        place = escape(str(course.feedback("*", assignment)))
        console.print(f"{assignment}: {len(pages.written)} pages in {place}", soft_wrap=True, highlight=False)
        for student, words in pages.failed:
            complaints.print(
                f"[red]No page for[/] {escape(student)}: {escape(words)}\n"
                f"  Grade it again: fairmark grade {escape(assignment)} --student {escape(student)}",
                soft_wrap=True,
            )
            code = FAILED
    return code
