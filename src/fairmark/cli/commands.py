"""Reads what is asked for on the command line, calls the part that does it, and tells what failed."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from rich.markup import escape

import fairmark
from fairmark.cli import (
    ci,
    collect,
    demo,
    doctor,
    export,
    feedback,
    forge,
    grade,
    release,
    report,
    repository,
    verify,
)
from fairmark.cli.terminal import FAILED, WRONG_USE, complaints
from fairmark.errors import AuthorError, FairmarkError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order in which a course uses them. Each module imports what does the work only when it is asked for:
# nbgrader takes seconds.
_COMMANDS = (release, collect, repository, forge, grade, verify, feedback, report, export, ci, demo, doctor)


def run(arguments: Sequence[str] | None) -> int:
    """Run a command; return its exit code: 0 good, 1 something failed on our side, 2 wrong use."""
    options = _read_arguments(arguments)
    try:
        return int(options.act(options))
    except UsageError as error:
        complaints.print(f"[red]fairmark:[/] {escape(str(error))}")
        return WRONG_USE
    except AuthorError as error:
        complaints.print(f"[red]{len(error.faults)} faults[/] of the course have to be mended first:")
        for fault in error.faults:
            complaints.print(f"  {escape(str(fault))}", highlight=False, soft_wrap=True)
        return FAILED
    except FairmarkError as error:
        complaints.print(f"[red]fairmark:[/] {escape(str(error))}")
        return FAILED
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "fairmark", description="Quizzes and sandboxed auto-grading for nbgrader courses."
    )
    parser.add_argument("--version", action="version", version=f"fairmark {fairmark.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_command(commands)
    return parser.parse_args(arguments)
