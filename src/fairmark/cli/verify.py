"""``fairmark verify``: grades a submission again, and shows that the same comes out, or what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import FAILED, GOOD, console

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("verify", help="grade a submission again and compare; writes nothing")
    command.add_argument("student", metavar="STUDENT")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    add_course(command)
    command.set_defaults(act=_verify)


def _verify(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.regrading import verify  # noqa: PLC0415

    course = open_course(options.course)
    found = verify(course, options.student, options.assignment)
    table = Table(title="What the grade rests on", title_justify="left")
    for column in ("part", "then", "now"):
        table.add_column(column)
    for part, then, now in found.parts:
        same = then == now
        table.add_row(part, then[:12], "the same" if same else f"[yellow]{now[:12]}[/]")
    console.print(table)
    for words in found.why:
        console.print(f"  {escape(words)}", highlight=False)
    if not found.differences:
        console.print(
            f"[green]The same comes out:[/] {found.score:g} of {found.max_score:g} points, in every question."
        )
        return GOOD
    console.print("[red]Something else comes out:[/]")
    for words in found.differences:
        console.print(f"  {escape(words)}", highlight=False)
    return FAILED
