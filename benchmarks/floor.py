"""Runs the cells and tests of a class in warm processes, and does nothing else: no grader can be faster.

    python benchmarks/floor.py COURSE --workers 2

Nothing is protected, checked, limited, collected or written, and the tests share the cells' namespace.
`compare.py` measures it beside the graders: what it takes is the students' own work.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import workload

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Return a notebook's code cells."""
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def run_cells(sources: Sequence[str]) -> None:
    """Run cells one after the other; what they show is dropped, and one that fails stops nothing."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in sources:
            with contextlib.suppress(Exception):
                exec(compile(source, "cell", "exec"), names)  # noqa: S102 - it was generated here


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("course", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    ours = read_cells(options.course / "source" / "ps1" / "filters.ipynb")
    exec(workload.SETUP, {})  # noqa: S102 - the imports, once for all
    todo = []
    for path in sorted(options.course.glob("submitted/*/ps1/filters.ipynb")):
        pairs = zip(ours, read_cells(path), strict=True)
        tests = [(cell["metadata"].get("nbgrader", {}).get("grade"), cell, theirs) for cell, theirs in pairs]
        todo.append(["".join((cell if test else theirs)["source"]) for test, cell, theirs in tests])
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        pool.map(run_cells, todo, chunksize=1)


if __name__ == "__main__":
    main()
