"""Keeps imports that cost a second and that nobody needs out of fairmark's own processes."""

from __future__ import annotations

import sys


def skip_slow_imports() -> None:
    """Call this before nbgrader, nbconvert or nbformat is imported, in a process that is ours alone.

    jsonschema builds a grammar for internationalised web addresses as soon as it can, which takes over a
    second; no schema of Jupyter's uses that format. A name that stands for None cannot be imported, and
    jsonschema takes it as a part that is not installed.
    """
    if "jsonschema" not in sys.modules:
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
