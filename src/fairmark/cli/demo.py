"""``fairmark demo``: shows a whole course at work in a folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from fairmark.cli.arguments import add_course
from fairmark.cli.terminal import (
    FAILED,
    GOOD,
    STATUS_WORDS,
    console,
    remark,
    show_failures,
    show_progress,
    show_release,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from fairmark.batch import Batch
    from fairmark.cli.arguments import Commands
    from fairmark.course import Course
    from fairmark.results import SubmissionResult
    from fairmark.simulation import Recipe


def add_command(commands: Commands) -> None:
    """Declare the command's arguments."""
    command = commands.add_parser(
        "demo", help="release, a simulated class, grade, feedback: in a folder of its own"
    )
    command.add_argument(
        "--folder", metavar="DIR", type=Path, default=Path("demo"), help="made anew (default: demo)"
    )
    add_course(command)
    command.set_defaults(act=_demo)


def _demo(options: argparse.Namespace) -> int:
    from fairmark import demo  # noqa: PLC0415

    recipes = demo.read_class(options.course)
    course = demo.set_up(options.course, options.folder)
    console.rule("[bold]1. Release: blank has to score 0, the reference solution everything")
    for release in demo.release_all(course):
        show_release(course, release)
    console.rule(f"[bold]2. A class of {len(recipes)} hands in")
    batches = []
    with demo.serve_forge(course) as forge_url:
        demo.hand_in_class(course, recipes, forge_url)
        console.print(f"Written to {escape(str(course.root / 'submitted'))}", soft_wrap=True)
        console.print(f"Forks and pull requests: a stand-in forge served {escape(forge_url)}", soft_wrap=True)
        console.rule("[bold]3. Grade, student code and tests in separate rooms")
        for assignment in course.assignments():
            with show_progress(assignment) as progress:
                batches.append(demo.grade(course, assignment, progress.begin, progress.tell))
    show_class(recipes, batches)
    console.rule("[bold]4. Feedback, and the class report")
    for assignment in course.assignments():
        console.print(f"{demo.write_feedback(course, assignment)} pages for {escape(assignment)}")
    report = demo.write_report(course)
    console.print(f"Class report: {escape(str(report))}", soft_wrap=True)
    console.rule("[bold]Where to look next")
    _show_places(course, recipes[0].student)
    return FAILED if any(batch.failures for batch in batches) else GOOD


def show_class(recipes: Sequence[Recipe], batches: Sequence[Batch]) -> None:
    """Print what each simulated student did, and what it gave."""
    table = Table(show_lines=True)
    table.add_column("student")
    table.add_column("what was handed in", ratio=3)
    for batch in batches:
        table.add_column(batch.assignment, justify="right")
    table.add_column("what the grader saw", ratio=3)
    results = {
        (result.submission.student, result.assignment.id): result
        for batch in batches
        for result in batch.results
    }
    for recipe in recipes:
        found = [results.get((recipe.student, batch.assignment)) for batch in batches]
        points = [f"{result.score:.4g} of {result.max_score:g}" if result else "nothing" for result in found]
        remarks = dict.fromkeys(_state_and_remark(result) for result in found if result)
        table.add_row(recipe.student, escape(recipe.about), *points, "\n".join(filter(None, remarks)))
    console.print(table)
    for batch in batches:
        show_failures(batch)


def _state_and_remark(result: SubmissionResult) -> str:
    state = "" if result.status == "graded" else STATUS_WORDS[result.status]
    return ": ".join(filter(None, (state, escape(remark(result)))))


def _show_places(course: Course, student: str) -> None:
    programs = Path(sys.executable).parent
    page = next(course.feedback(student, course.assignments()[0]).glob("*.html"), course.root / "feedback")
    for what, place in (
        ("gradebook", course.db_url),
        ("a feedback page", page),
        ("the class report", course.root / "report" / "course.html"),
        ("all that grading found", course.autograded(student, course.assignments()[0]) / "result.json"),
        ("formgrader", f"cd {course.root} && {programs / 'jupyter'} lab   (menu Nbgrader → Formgrader)"),
        ("a table of grades", f"cd {course.root} && {programs / 'nbgrader'} export"),
    ):
        console.print(f"  {what:<24}{escape(str(place))}", soft_wrap=True, highlight=False)
