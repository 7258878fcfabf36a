"""How grading grows with submissions, cells and output; how fast nothing is done; what a thousand take.

python benchmarks/growth.py --submissions 10 100 1000
python benchmarks/growth.py --cells 1 4 --output 0 1000000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import workload
from compare import BIN, describe_machine, run


def grade(root: Path, *arguments: str) -> tuple[float, int, str]:
    """Grade a class; return seconds, the most memory of the grader itself in MiB, and what it told."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [BIN / "fairmark", "grade", "ps1", *arguments], cwd=root, stdout=told, stderr=told
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        told.seek(0)
        text = told.read().decode()
    if status:
        sys.exit(text[-4000:])
    return seconds, used.ru_maxrss // 1024, text


def _rename(exercise: workload.Exercise, name: str) -> workload.Exercise:
    old = exercise.name
    return replace(
        exercise,
        name=name,
        right=tuple(text.replace(old, name) for text in exercise.right),
        wrong=exercise.wrong.replace(old, name),
        tests=tuple(text.replace(f"{old}(", f"{name}(") for text in exercise.tests),
        look=exercise.look.replace(old, name),
    )


def measure(students: int, copies: int, output: int, workers: str) -> str:
    """Grade a class for the first time and again; return a row of the table."""
    exercises = tuple(
        _rename(exercise, f"{exercise.name}{copy or ''}")
        for copy in range(copies)
        for exercise in workload.EXERCISES
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "course"
        workload.make_course(root, exercises, fairmark=True, output=output)
        run(root, ("nbgrader", "generate_assignment", "ps1"))
        workload.hand_in(root, students, exercises)
        seconds, peak, _ = grade(root, "--workers", workers)
        again, _, told = grade(root)
        assert f"{students} submission" in told
        assert "unchanged" in told
    cells = len(workload.source_notebook(exercises)["cells"])
    each = seconds / students
    return f"| {students} | {cells} | {output} | {seconds:.1f} | {each:.3f} | {peak} | {again:.2f} |"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, nargs="+", default=[10])
    parser.add_argument(
        "--cells", type=int, nargs="+", default=[1], help="how often the exercises are repeated"
    )
    parser.add_argument("--output", type=int, nargs="+", default=[0], help="characters that some cells print")
    parser.add_argument("--workers", default="2")
    options = parser.parse_args()
    print(f"{describe_machine()}\n`python {' '.join(sys.argv)}`\n")
    print("| submissions | cells | output | first time, s | each, s | grader's peak, MiB | unchanged, s |")
    print("|---|---|---|---|---|---|---|")
    for students in options.submissions:
        for copies in options.cells:
            for output in options.output:
                print(measure(students, copies, output, options.workers), flush=True)


if __name__ == "__main__":
    main()
