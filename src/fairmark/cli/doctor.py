"""``fairmark doctor``: shows whether this machine can grade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from fairmark.cli.terminal import FAILED, GOOD, console

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("doctor", help="look whether this machine can grade")
    command.set_defaults(act=_doctor)


def _doctor(options: argparse.Namespace) -> int:  # noqa: ARG001
    from fairmark.doctor import examine  # noqa: PLC0415

    good = True
    table = Table(show_header=False, box=None)
    for finding in examine():
        mark = "[green]✓[/]" if finding.good else "[red]✗[/]" if finding.needed else "[yellow]·[/]"
        table.add_row(mark, finding.what, escape(finding.found))
        if not finding.good:
            table.add_row("", "", f"[bold]{escape(finding.remedy)}[/]")
            good = good and not finding.needed
    console.print(table)
    console.print("This machine can grade." if good else "[red]This machine cannot grade yet.[/]")
    return GOOD if good else FAILED
