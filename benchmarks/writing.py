"""What one graded submission costs the process that writes: processor time, in a growing gradebook.

A few submissions are graded once; then their results are written for any number of students, as a batch
does it, for the first time and over again.

python benchmarks/writing.py --submissions 10 1000
python benchmarks/writing.py --db-url postgresql+psycopg://grader@/marks?host=/tmp/postgres
"""

from __future__ import annotations

import argparse
import cProfile
import pickle
import pstats
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import workload
from compare import describe_machine, run

from fairmark.authoring import read_assignment
from fairmark.batch import Session, open_session
from fairmark.course import open_course
from fairmark.survey import Survey, survey_assignment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.course import Course, Submission


class Recorded:
    """A crew that has graded already: what comes back for each student is a copy of one of a few results."""

    def __init__(self, graded: list[bytes]) -> None:
        self.graded = graded

    def grade(self, submissions: Any, read: Any, _: Any = None) -> Iterator[tuple[Submission, Any, Any]]:
        """Hand parcels over and take results as from another process."""
        for number, submission in enumerate(submissions):
            parcel = read(submission)
            pickle.dumps(parcel)
            written = pickle.loads(self.graded[number % len(self.graded)])  # noqa: S301 - our own
            written.document["submission"]["student"] = submission.student
            yield submission, parcel, written

    def close(self, *, at_once: bool = False) -> None:
        """Nothing is left running."""


def write(course: Course, survey: Survey, graded: list[bytes]) -> list[float]:
    """Write the results of all of a survey's submissions; return the processor seconds that each took."""
    taken = []
    with Session(course, read_assignment(course, "ps1"), Recorded(graded)) as session:
        before = time.process_time()
        for student, outcome in session.grade(survey):
            if not hasattr(outcome, "items"):
                sys.exit(f"{student}: {outcome}")
            now = time.process_time()
            taken.append(now - before)
            before = now
    return taken


def tell(name: str, taken: list[float]) -> None:
    """Print a row of the table: medians of the first and of the last thirty, without the very first."""
    ends = [sorted(part)[len(part) // 2] * 1000 for part in (taken[1:31], taken[-30:])]
    mean = sum(taken[1:]) / max(len(taken) - 1, 1) * 1000
    print(f"| {name} | {len(taken)} | {ends[0]:.1f} | {ends[1]:.1f} | {mean:.1f} |", flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, nargs="+", default=[10])
    parser.add_argument("--graded", type=int, default=5, help="how many are really graded")
    parser.add_argument("--db-url", default="", help="of an empty database; default: SQLite")
    parser.add_argument("--profile", action="store_true", help="tell where the time of writing again goes")
    chosen = parser.parse_args()
    print(describe_machine())
    print("| | submissions | first ms | last ms | mean ms |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "course"
        workload.make_course(root, fairmark=True)
        if chosen.db_url:
            with (root / "nbgrader_config.py").open("a") as file:
                file.write(f"c.CourseDirectory.db_url = {chosen.db_url!r}\n")
        run(root, ("nbgrader", "generate_assignment", "ps1"))
        workload.hand_in(root, max(chosen.submissions))
        course = open_course(root)
        survey = survey_assignment(course, "ps1", force=True)
        with open_session(course, "ps1", workers=1) as session:
            few = replace(survey, todo=survey.todo[: chosen.graded])
            graded = [pickle.dumps(written) for _, written in session.run(few)]
        for number in sorted(chosen.submissions):
            part = replace(survey, todo=survey.todo[:number])
            tell("for the first time", write(course, part, graded))
            tell("again", write(course, part, graded))
        if chosen.profile:
            profile = cProfile.Profile()
            profile.runcall(write, course, replace(survey, todo=survey.todo[:40]), graded)
            pstats.Stats(profile).sort_stats("cumulative").print_stats(70)


if __name__ == "__main__":
    main()
