"""What several commands read from their arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def add_course(command: argparse.ArgumentParser) -> None:
    """Let a command be told where the course lies."""
    command.add_argument("--course", metavar="DIR", type=Path, default=Path(), help="default: this folder")


def positive(text: str) -> int:
    """Return a whole number that is 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return number
