"""``fairmark collect``: brings hand-ins from forks, from an LMS's zip file, or from folders."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import GOOD, complaints, console

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("collect", help="bring hand-ins from forks, a zip file, or folders")
    command.add_argument("assignment", metavar="ASSIGNMENT")
    places = command.add_mutually_exclusive_group(required=True)
    places.add_argument("--forks", action="store_true", help="notebooks in the students' forks, when due")
    places.add_argument("--zip", metavar="FILE", type=Path, help="all submissions, from Moodle or Canvas")
    places.add_argument("--folder", metavar="DIR", type=Path, help="one folder a student")
    command.add_argument("--roster", metavar="CSV", type=Path, help="default: roster.csv of the course")
    command.add_argument("--now", metavar="UNIX_TIME", type=float, help="the time of this look at the forks")
    add_course(command)
    command.set_defaults(act=_collect)


def _collect(options: argparse.Namespace) -> int:
    from fairmark.collecting import collect_folders, collect_forks, collect_zip  # noqa: PLC0415
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.repository.assignment import read_roster  # noqa: PLC0415
    from fairmark.repository.exercise import ROSTER_FILE, read_exercise  # noqa: PLC0415

    course = open_course(options.course)
    course.find_source(options.assignment)
    if options.forks:
        exercise = read_exercise(course, options.assignment)
        now = time.time() if options.now is None else options.now
        found = collect_forks(course, exercise, options.assignment, now)
    else:
        roster = read_roster(options.roster or course.root / ROSTER_FILE)
        collect, place = (collect_zip, options.zip) if options.zip else (collect_folders, options.folder)
        found = collect(course, options.assignment, place, roster)
    table = Table("student", "hand-in", "")
    for receipt in found.receipts:
        colour = "yellow" if receipt.state == "nothing" else "green"
        table.add_row(escape(receipt.student), f"[{colour}]{receipt.state}[/]", escape(receipt.words))
    console.print(table)
    counts = Counter(receipt.state for receipt in found.receipts)
    console.print(", ".join(f"{number} {state}" for state, number in sorted(counts.items())))
    for remark in found.remarks:
        complaints.print(f"[yellow]left out:[/] {escape(remark)}", highlight=False, soft_wrap=True)
    return GOOD
