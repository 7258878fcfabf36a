"""``fairmark repository``: judges forks and pull requests, and records what servers show."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import FAILED, GOOD, complaints, console
from fairmark.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from fairmark.cli.arguments import Commands
    from fairmark.repository.checking import Checked
    from fairmark.repository.records import Student

TOKEN_VARIABLE = "FAIRMARK_FORGE_TOKEN"  # noqa: S105 - the name of a variable
_MARKS = {"pass": "[green]✓[/]", "fail": "[red]✗[/]", "unknown": "[yellow]?[/]", "na": "·"}


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser("repository", help="judge git work: forks, commits, pull requests")
    parts = command.add_subparsers(title="what to do", required=True, metavar="ACT")
    check = parts.add_parser("check", help="judge one student's fork and pull request by all rules")
    check.add_argument("--task", metavar="TASK.toml", type=Path, required=True, help="what was asked for")
    check.add_argument("--roster", metavar="ROSTER.csv", type=Path, required=True, help="who is in the class")
    check.add_argument("--student", metavar="ID", required=True, help="whose work it is, as in the roster")
    check.add_argument("--upstream", metavar="ADDRESS", help="the original repository (default: the task's)")
    check.add_argument("--fork", metavar="ADDRESS", help="the student's fork (default: the roster's)")
    check.add_argument("--ledger", metavar="FILE", type=Path, help="remember there what is seen, and when")
    check.add_argument(
        "--mirror", metavar="DIR", type=Path, help="keep what is fetched (default: throw it away)"
    )
    check.add_argument(
        "--now", metavar="UNIX_TIME", type=float, help="the time of this look (default: the clock's)"
    )
    check.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    _add_local(check)
    check.set_defaults(act=_check)
    observe = parts.add_parser("observe", help="look at the whole class's work, and remember what is seen")
    observe.add_argument("assignment", metavar="ASSIGNMENT")
    observe.add_argument(
        "--api",
        action="store_true",
        help=f"also ask the forge who opened what, and when (a token in {TOKEN_VARIABLE} is used)",
    )
    observe.add_argument("--now", metavar="UNIX_TIME", type=float, help="the time of this look")
    add_course(observe)
    observe.set_defaults(act=_observe)


def _add_local(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow-local",
        action="store_true",
        help="allow paths, bundles and http on this machine as addresses: for practice and offline work",
    )


def _observe(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.repository.api import ask_forge  # noqa: PLC0415
    from fairmark.repository.exercise import read_exercise  # noqa: PLC0415
    from fairmark.repository.observing import observe_class  # noqa: PLC0415
    from fairmark.repository.rules import count_passed  # noqa: PLC0415

    exercise = read_exercise(open_course(options.course), options.assignment)
    now = time.time() if options.now is None else options.now
    ask = partial(ask_forge, token=os.environ.get(TOKEN_VARIABLE, "")) if options.api else None
    found = observe_class(exercise, now, ask_forge=ask)
    table = Table()
    for title in ("student", "pull request", "rules passed", "first seen", "what to look at"):
        table.add_column(title)
    for student, checked in found.checked.items():
        work = checked.evidence.work
        failed = [
            each.rule for each in checked.findings if each.verdict == "fail" and each.rule != "pr_merged"
        ]
        pull = f"#{work.pull}" if work and work.pull is not None else "none"
        seen = f"{datetime.fromtimestamp(work.seen_at, UTC):%Y-%m-%d %H:%M}" if work else ""
        table.add_row(escape(student), pull, str(count_passed(checked.findings)), seen, ", ".join(failed))
    console.print(table)
    console.print(f"{found.asked} forks were asked. Ledger: {escape(str(exercise.ledger))}", soft_wrap=True)
    for remark in found.remarks:
        complaints.print(f"[yellow]fairmark:[/] {escape(remark)}", highlight=False, soft_wrap=True)
    return FAILED if found.remarks else GOOD


def _check(options: argparse.Namespace) -> int:
    from fairmark.repository.address import (  # noqa: PLC0415
        PUBLIC_HOSTS,
        AddressError,
        read_address,
        spell_host,
    )
    from fairmark.repository.assignment import read_papers  # noqa: PLC0415
    from fairmark.repository.checking import Bench, check_student, look_at_upstream  # noqa: PLC0415
    from fairmark.repository.ledger import Ledger  # noqa: PLC0415
    from fairmark.repository.mirror import Mirror  # noqa: PLC0415

    task, roster = read_papers(options.task, options.roster)
    student = _find_student(roster, options.student)
    text = options.upstream or task.upstream
    try:
        hosts = (*PUBLIC_HOSTS, *task.hosts, *spell_host(text))
        address = read_address(text, hosts, local=options.allow_local)
    except AddressError as error:
        hint = "" if options.allow_local else " (a path or http on this machine needs --allow-local)"
        raise UsageError(f"The upstream address {text!r} cannot be used: {error}{hint}.") from error
    with (
        tempfile.TemporaryDirectory(prefix="fairmark-") as scratch,
        Mirror(options.mirror or Path(scratch) / "mirror.git") as mirror,
        mirror.locked(),
    ):
        bench = Bench(
            mirror,
            task,
            roster,
            look_at_upstream(mirror, address),
            now=time.time() if options.now is None else options.now,
            ledger=Ledger(options.ledger) if options.ledger else None,
            local=options.allow_local,
        )
        checked = check_student(bench, student, student.fork if options.fork is None else options.fork)
    for remark in (checked.evidence.upstream, *checked.remarks):
        if remark:
            complaints.print(f"[yellow]fairmark:[/] {escape(remark)}", highlight=False, soft_wrap=True)
    if options.json:
        sys.stdout.write(json.dumps(as_document(checked), indent=2) + "\n")
    else:
        _show(checked)
    return FAILED if checked.evidence.upstream else GOOD


def _find_student(roster: tuple[Student, ...], wanted: str) -> Student:
    for student in roster:
        if student.id == wanted:
            return student
    near = get_close_matches(wanted, [student.id for student in roster], 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"The roster has no student {wanted!r}.{hint}")


def as_document(checked: Checked) -> dict[str, object]:
    """Return the verdicts as plain data."""
    work = checked.evidence.work
    return {
        "student": checked.evidence.student.id,
        "pull_request": work.pull if work else None,
        "head": work.head if work else None,
        "seen_at": work.seen_at if work else None,
        "rules": {
            finding.rule: {"verdict": finding.verdict, "message": finding.message, "hint": finding.hint}
            for finding in checked.findings
        },
    }


def _show(checked: Checked) -> None:
    table = Table(show_header=False, box=None)
    for finding in checked.findings:
        table.add_row(_MARKS[finding.verdict], finding.rule, escape(finding.message))
        if finding.hint and finding.verdict != "na":
            table.add_row("", "", f"[dim]{escape(finding.hint)}[/]")
    console.print(table)
