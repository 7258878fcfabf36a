"""The command ``fairmark``. What takes a moment to import is imported when interrupts are heard already."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from fairmark.interrupts import hear_interrupts
from fairmark.startup import skip_slow_imports

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130  # as a shell tells it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: see `fairmark.cli.commands.run`, and 130 for an interrupt."""
    try:
        with hear_interrupts():
            skip_slow_imports()
            from fairmark.cli.commands import run  # noqa: PLC0415

            return run(arguments)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal is closed
            sys.stderr.write("Interrupted. What was graded so far is written; start again to go on.\n")
        return INTERRUPTED
