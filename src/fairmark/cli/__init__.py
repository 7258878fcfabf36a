"""The command ``fairmark``. What takes a moment to import is imported when interrupts are heard already."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fairmark.interrupts import hear_interrupts
from fairmark.startup import skip_slow_imports

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130  # as a shell tells it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: see `fairmark.cli.commands.run`, and 130 for an interrupt."""
    _need_outputs()
    try:
        with hear_interrupts():
            skip_slow_imports()
            from fairmark.cli.commands import run  # noqa: PLC0415

            return run(arguments)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal is closed
            sys.stderr.write("Interrupted. What was graded so far is written; start again to go on.\n")
        return INTERRUPTED


def _need_outputs() -> None:
    """Write to nowhere where the command was started without outputs, as a service may be."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
