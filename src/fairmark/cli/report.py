"""``fairmark report``: writes the class report as a page, as JSON or as CSV."""

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
    command = commands.add_parser("report", help="show how the class did, and where a person has to look")
    command.add_argument("assignment", metavar="ASSIGNMENT", nargs="?", help="default: all that are graded")
    command.add_argument("--json", action="store_true", help="write the figures as JSON instead of a page")
    command.add_argument(
        "--csv", action="store_true", help="write each table as a CSV file instead of a page"
    )
    add_course(command)
    command.set_defaults(act=_report)


def _report(options: argparse.Namespace) -> int:
    from fairmark import reporting  # noqa: PLC0415
    from fairmark.course import open_course  # noqa: PLC0415

    course = open_course(options.course)
    report = reporting.read_report(course, (options.assignment,) if options.assignment else ())
    places = [reporting.write_json(course, report)] if options.json else []
    places += [reporting.write_csv(course, report)] if options.csv else []
    for place in places or [reporting.write_page(course, report)]:
        console.print(f"Written: {escape(str(place))}", soft_wrap=True, highlight=False)
    for student, words in report.failed:
        complaints.print(f"[red]Left out:[/] {escape(student)}: {escape(words)}", soft_wrap=True)
    return FAILED if report.failed else GOOD
