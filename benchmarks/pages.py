"""How long feedback pages and the class report take for a class of any size.

Copies the graded submissions of a course (``fairmark demo`` makes one) until there are enough, then writes
all pages and the report. Usage: ``python benchmarks/pages.py demo filters --students 300``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from fairmark.course import open_course
from fairmark.publishing import RESULT, find_graded, write_feedback
from fairmark.reporting import read_report, write_page


def copy_class(root: Path, assignment: str, number: int, folder: Path) -> Path:
    """Copy a course with `number` students, made of those who are there."""
    course = folder / "course"
    ignored = shutil.ignore_patterns("autograded", "submitted", "feedback", "report", "release")
    shutil.copytree(root, course, ignore=ignored)
    known = list(find_graded(open_course(root), assignment))
    for place, (_, graded) in zip(range(number), itertools.cycle(known), strict=False):
        student = f"student{place:04}"
        copy = course / "autograded" / student / assignment
        shutil.copytree(graded, copy)
        document = json.loads((copy / RESULT).read_text())
        document["submission"]["student"] = student
        (copy / RESULT).write_text(json.dumps(document))
    return course


def main() -> None:
    """Measure, and print one line a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("course", type=Path)
    parser.add_argument("assignment")
    parser.add_argument("--students", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = copy_class(options.course, options.assignment, options.students, Path(name))
        course = open_course(root)
        started, used = time.perf_counter(), time.process_time()
        pages = write_feedback(course, options.assignment).written
        sizes = [page.stat().st_size for page in pages]
        words = f"{len(pages)} pages, the largest {max(sizes) / 1e3:.0f} kB"
        sys.stdout.write(
            f"{words}: {time.perf_counter() - started:.1f} s, {time.process_time() - used:.1f} CPU s\n"
        )
        started, used = time.perf_counter(), time.process_time()
        page = write_page(course, read_report(course, (options.assignment,)))
        words = f"report of {options.students} students, {page.stat().st_size / 1e3:.0f} kB"
        sys.stdout.write(
            f"{words}: {time.perf_counter() - started:.1f} s, {time.process_time() - used:.1f} CPU s\n"
        )


if __name__ == "__main__":
    main()
