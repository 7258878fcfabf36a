"""Grades the same class by stock nbgrader and by fairmark, in turn, and compares times and every score.

The floor (see `floor.py`) runs the same cells and tests and does nothing else: no grader can be faster.

    python benchmarks/compare.py --students 30 --rounds 3 --otter /tmp/otter/bin/python

``--otter`` names the Python of an environment that has otter-grader, which then grades the class as well.

Prints a table in Markdown: medians of whole processes, how many times faster than stock nbgrader, and for how
many of all cells of all students the points are the same.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import floor
import otter_grader
import workload

if TYPE_CHECKING:
    from collections.abc import Callable

BIN = Path(sys.executable).parent
SCORES = """
    SELECT submitted_assignment.student_id, base_cell.name, grade.auto_score FROM grade
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN base_cell ON base_cell.id = grade.cell_id
"""


@dataclass(frozen=True, slots=True)
class Door:
    """One way to grade a class in a course of its own: what is timed, and where it leaves the points."""

    name: str
    grade: Callable[[Path], list[tuple[str, ...]]]
    read_scores: Callable[[Path], dict[tuple[str, str], float]]
    fairmark: bool = True
    prepare: Callable[[Path], list[tuple[str, ...]]] = lambda _: []


def list_doors(otter: Path | None) -> list[Door]:
    """Return what is compared, stock nbgrader first; `otter` is the Python that has otter-grader."""
    stock = ("nbgrader", "autograde", "ps1", "--force")
    ours = ("fairmark", "grade", "ps1", "--force", "--workers")
    doors = [
        Door("nbgrader autograde", lambda _: [stock], read_scores, fairmark=False),
        Door("nbgrader autograde, fairmark enabled", lambda _: [stock], read_scores),
        Door("fairmark grade --workers 1", lambda _: [(*ours, "1")], read_scores),
        Door("fairmark grade --workers 2", lambda _: [(*ours, "2")], read_scores),
        *(
            Door(f"floor, {workers} worker{'s' * (workers > 1)}", partial(_run_floor, workers), _read_nothing)
            for workers in (1, 2)
        ),
    ]
    if otter is not None:
        ways = {
            "otter run, one by one": otter_grader.grade_each,
            "otter.run, in one process": otter_grader.grade_all,
        }
        prepare = partial(otter_grader.generate, otter)
        doors += [
            Door(name, partial(way, otter), otter_grader.read_scores, fairmark=False, prepare=prepare)
            for name, way in ways.items()
        ]
    return doors


def _run_floor(workers: int, root: Path) -> list[tuple[str, ...]]:
    return [("python", str(Path(floor.__file__)), str(root), "--workers", str(workers))]


def _read_nothing(root: Path) -> dict[tuple[str, str], float]:  # noqa: ARG001 - as the others read
    return {}


def prepare(folder: Path, students: int, doors: list[Door]) -> dict[Door, Path]:
    """Make one course for each door, with the same class in it."""
    roots = {}
    for number, door in enumerate(doors):
        root = roots[door] = folder / f"course{number}"
        workload.make_course(root, fairmark=door.fairmark)
        run(root, ("nbgrader", "generate_assignment", "ps1"))
        workload.hand_in(root, students)
        for command in door.prepare(root):
            run(root, command)
    return roots


def run(root: Path, command: tuple[str, ...]) -> float:
    """Run a command in a course; return its seconds."""
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(root.parent)}
    started = time.perf_counter()
    done = subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return seconds


def read_scores(root: Path) -> dict[tuple[str, str], float]:
    """Return the points of every cell of every student."""
    with sqlite3.connect(root / "gradebook.db") as book:
        return {(student, cell): score for student, cell, score in book.execute(SCORES)}


def measure(students: int, rounds: int, doors: list[Door]) -> dict[Door, tuple[float, str]]:
    """Return each door's median seconds for a class, and whether its marks are those of stock nbgrader."""
    seconds: dict[Door, list[float]] = {door: [] for door in doors}
    with tempfile.TemporaryDirectory() as folder:
        roots = prepare(Path(folder), students, doors)
        for _ in range(rounds):
            for door in doors:  # in turn, so that all of them meet the machine in the same moods
                for path in ("autograded", "gradebook.db"):
                    target = roots[door] / path
                    shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
                run(roots[door], ("nbgrader", "generate_assignment", "ps1", "--force"))
                commands = door.grade(roots[door])
                seconds[door].append(sum(run(roots[door], command) for command in commands))
        scores = {door: door.read_scores(roots[door]) for door in doors}
    expected = scores[doors[0]]  # of stock nbgrader
    table = {}
    for door in doors:
        same = sum(scores[door].get(key) == score for key, score in expected.items())
        equal = f"{same} of {len(expected)}" if len(scores[door]) == len(expected) else "not all graded"
        table[door] = statistics.median(seconds[door]), equal if scores[door] else "no marks"
    return table


def describe_machine() -> str:
    """Return what the figures depend on."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {version(name)}" for name in ("fairmark", "nbgrader", "ipython", "numpy"))
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument(
        "--few", type=int, default=5, help="a smaller class, for the time that one more student takes"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--otter", type=Path, metavar="PYTHON", help="of an environment with otter-grader")
    options = parser.parse_args()
    otter = options.otter and options.otter.absolute()
    other = f"Without otter-grader, which needs `{otter_grader.INSTALL}` and `--otter /tmp/otter/bin/python`"
    if otter:
        try:
            other = otter_grader.describe(otter)
        except ValueError as error:
            parser.error(str(error))
    doors = list_doors(otter)
    many = measure(options.students, options.rounds, doors)
    few = measure(options.few, options.rounds, doors)
    sizes = options.few, options.students
    print(f"{describe_machine()}\n\n{other}\n\n`python {' '.join(sys.argv)}`\n")
    print(
        f"| | {sizes[0]} students, s | {sizes[1]} students, s | faster | one more, s | faster | equal marks |"
    )
    print("|---|---|---|---|---|---|---|")
    stock = doors[0]
    more = {door: (many[door][0] - few[door][0]) / (sizes[1] - sizes[0]) for door in doors}
    for door in doors:
        ratios = many[stock][0] / many[door][0], more[stock] / more[door] if more[door] > 0 else float("nan")
        print(
            f"| {door.name} | {few[door][0]:.1f} | {many[door][0]:.1f} | {ratios[0]:.1f}x | {more[door]:.2f} "
            f"| {ratios[1]:.1f}x | {many[door][1]} |"
        )


if __name__ == "__main__":
    main()
