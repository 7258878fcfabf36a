"""Where the time of one submission goes, and what no grader can go below.

python benchmarks/parts.py --students 30

Three ways take turns: all cells and tests in one warm process, without any protection (the floor); in one
room, where the student's code could read the tests; and in two rooms, as fairmark grades. The parts are those
of the last.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import workload
from compare import describe_machine, run

from fairmark import sitting, worker
from fairmark.assembly import assemble
from fairmark.authoring import read_assignment
from fairmark.course import open_course
from fairmark.hall import Hall
from fairmark.intake import parse_notebook, read_parcel
from fairmark.rooms import room
from fairmark.seating import Role
from fairmark.survey import survey_assignment

if TYPE_CHECKING:
    from fairmark.assembly import AssembledNotebook

SPENT: dict[str, float] = defaultdict(float)
PARTS = (
    (room.Opening, "wait", "opening the two rooms"),
    (room.Zygote, "close_room", "ending them"),
    (sitting.Sitting, "run_student", "the student's cells"),
    (sitting.Sitting, "run_test", "tests, and the instructor's cells"),
    (sitting._Conversation, "_carry", "… of it the student's functions that they call"),  # noqa: SLF001
    (sitting.Sitting, "_fetch_files", "… of it files that the student's cells wrote"),
    (worker, "grade_parcel", "all of it but the gradebook"),
)


def clock(owner: Any, name: str, words: str) -> None:
    """Add up what a function takes."""
    function = getattr(owner, name)

    def timed(*args: Any, **more: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*args, **more)
        finally:
            SPENT[words] += time.perf_counter() - started

    setattr(owner, name, timed)


def run_plainly(assembled: AssembledNotebook) -> None:
    """Run all cells and tests in this process."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in assembled.cells:
            if cell.cell_type == "code":
                with contextlib.suppress(Exception):
                    source = cell.trusted if cell.role is Role.TEST else cell.source
                    exec(compile(source, "cell", "exec"), names)  # noqa: S102 - it was generated here


def run_in_one_room(hall: Hall, assembled: AssembledNotebook) -> None:
    """Run all cells and tests in the student's room."""
    with sitting.Sitting(*hall.zygotes(), work={}, trusted={}, seeds=(1, 2)) as seat:
        for cell in assembled.cells:
            if cell.cell_type == "code":
                seat.run_student(cell.trusted if cell.role is Role.TEST else cell.source)


def measure(root: Path) -> dict[str, float]:
    """Return milliseconds a submission of each way, and of the parts of the last."""
    course = open_course(root)
    assignment = read_assignment(course, "ps1")
    todo = survey_assignment(course, "ps1", force=True).todo
    parcels = [read_parcel(course, assignment, submission) for submission in todo]
    taken: dict[str, list[float]] = defaultdict(list)
    with Hall(course, assignment) as hall:
        worker.grade_in(hall, parcels[0])
        for part in PARTS:
            clock(*part)
        for parcel in parcels:
            node = parse_notebook(parcel.notebooks["filters"])
            assembled = assemble(assignment.notebooks[0], node)
            for words, act in (
                ("floor: one warm process", lambda: run_plainly(assembled)),  # noqa: B023 - called at once
                ("one room, tests beside the student's code", lambda: run_in_one_room(hall, assembled)),  # noqa: B023
            ):
                started = time.perf_counter()
                act()
                taken[words].append(time.perf_counter() - started)
            SPENT.clear()
            worker.grade_in(hall, parcel)
            for _, _, words in PARTS:
                taken[words].append(SPENT[words])
    return {words: 1000 * statistics.mean(each) for words, each in taken.items()}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--students", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "course"
        workload.make_course(root, fairmark=True)
        run(root, ("nbgrader", "generate_assignment", "ps1"))
        workload.hand_in(root, options.students)
        found = measure(root)
    print(f"{describe_machine()}\n`python {' '.join(sys.argv)}`\n")
    print("| | ms a submission |\n|---|---|")
    for words, milliseconds in found.items():
        print(f"| {words} | {milliseconds:.0f} |")
    whole, one, floor = (
        found[words]
        for words in (PARTS[-1][2], "one room, tests beside the student's code", "floor: one warm process")
    )
    print(
        f"\nTwo rooms take {whole / one:.2f} times what one takes, and {whole / floor:.2f} times the floor."
    )


if __name__ == "__main__":
    main()
