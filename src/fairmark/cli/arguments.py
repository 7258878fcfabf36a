"""What several commands read from their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from fairmark.cli.terminal import complaints
from fairmark.rooms.policy import LEVELS, NONE, WARNING

if TYPE_CHECKING:
    from fairmark.course import Course

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def add_course(command: argparse.ArgumentParser) -> None:
    """Let a command be told where the course lies."""
    command.add_argument("--course", metavar="DIR", type=Path, default=Path(), help="default: this folder")


def add_sandbox(command: argparse.ArgumentParser) -> None:
    """Let a command be told at which level of the sandbox student code runs."""
    command.add_argument(
        "--sandbox",
        metavar="LEVEL",
        choices=(*LEVELS, NONE),
        help=f"{', '.join(LEVELS)}, or none: no protection at all (default: the best that holds here)",
    )


def choose_sandbox(course: Course, level: str | None) -> None:
    """Set the level of the sandbox for a course, where one was given; warn where there will be none."""
    if level is not None:
        course.config.Fairmark.sandbox = level
    if course.sandbox == NONE:
        complaints.print(f"[bold red]{WARNING}[/]")


def positive(text: str) -> int:
    """Return a whole number that is 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return number
