"""The command ``fairmark``: reads what is asked for, calls the part that does it, and shows what came out."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import fairmark
from fairmark.errors import AuthorError, FairmarkError, UsageError
from fairmark.results import SubmissionResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairmark.batch import Batch, Failure, Tell
    from fairmark.course import Course
    from fairmark.release import Release
    from fairmark.simulation import Recipe

GOOD, FAILED, WRONG_USE = 0, 1, 2
_STATUS_WORDS = {
    "graded": "graded",
    "ungradable": "[red]cannot be read[/]",
    "timeout": "[yellow]stopped: too long[/]",
    "out_of_memory": "[yellow]stopped: memory[/]",
    "crashed": "[yellow]crashed[/]",
    "error": "[red]our failure[/]",
}

# A pipe or a log has no width of its own; 80 columns would fold every sentence.
console = Console(width=None if sys.stdout.isatty() else 140)
complaints = Console(stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 good, 1 something failed on our side, 2 wrong use."""
    options = _read_arguments(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(options.act(options))
    except UsageError as error:
        complaints.print(f"[red]fairmark:[/] {escape(str(error))}")
        return WRONG_USE
    except AuthorError as error:
        complaints.print(f"[red]{len(error.faults)} faults[/] of the course have to be mended first:")
        for fault in error.faults:
            complaints.print(f"  {escape(str(fault))}", highlight=False, soft_wrap=True)
        return FAILED
    except FairmarkError as error:
        complaints.print(f"[red]fairmark:[/] {escape(str(error))}")
        return FAILED
    except KeyboardInterrupt:
        complaints.print("Interrupted. What was graded so far is written; start again to go on.")
        return 130
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "fairmark", description="Quizzes and sandboxed auto-grading for nbgrader courses."
    )
    parser.add_argument("--version", action="version", version=f"fairmark {fairmark.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    release = commands.add_parser("release", help="make and prove the students' version of an assignment")
    release.add_argument("assignment", metavar="ASSIGNMENT")
    release.set_defaults(act=_release)

    grade = commands.add_parser("grade", help="grade what was handed in for an assignment")
    grade.add_argument("assignment", metavar="ASSIGNMENT")
    grade.add_argument(
        "--student", metavar="ID", action="append", default=[], help="only this one; may be repeated"
    )
    grade.add_argument(
        "--workers", metavar="N", type=_positive, help="processes at a time (default: one a core)"
    )
    grade.set_defaults(act=_grade)

    demo = commands.add_parser(
        "demo", help="release, a simulated class, grade, feedback: in a folder of its own"
    )
    demo.add_argument(
        "--folder", metavar="DIR", type=Path, default=Path("demo"), help="made anew (default: demo)"
    )
    demo.set_defaults(act=_demo)

    doctor = commands.add_parser("doctor", help="look whether this machine can grade")
    doctor.set_defaults(act=_doctor)

    for command in (release, grade, demo):
        command.add_argument(
            "--course", metavar="DIR", type=Path, default=Path(), help="default: this folder"
        )
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return number


# --- release -----------------------------------------------------------------------------------------------


def _release(options: argparse.Namespace) -> int:
    from fairmark.course import open_course  # noqa: PLC0415 - nbgrader takes seconds to import
    from fairmark.release import release_assignment  # noqa: PLC0415

    course = open_course(options.course)
    with console.status(f"Releasing {options.assignment} and proving it …"):
        release = release_assignment(course, options.assignment)
    show_release(course, release)
    console.print(
        "[green]Proved:[/] the blank release scores 0, the reference solution scores full marks, and the "
        "release holds no key, solution, hidden test or explanation."
    )
    return GOOD


def show_release(course: Course, release: Release) -> None:
    """Print what a release was shown to give."""
    folder = course.release(release.assignment.id)
    table = Table(title=f"Released: {folder}", title_justify="left")
    table.add_column("notebook")
    for title in ("left blank", "reference solution", "points", "graded by hand"):
        table.add_column(title, justify="right")
    for proof in release.proofs:
        numbers = (proof.blank, proof.reference, proof.max_score, proof.written)
        table.add_row(escape(proof.notebook), *(f"{number:g}" for number in numbers))
    console.print(table)


# --- grade -------------------------------------------------------------------------------------------------


def _grade(options: argparse.Namespace) -> int:
    from fairmark.batch import grade_assignment  # noqa: PLC0415
    from fairmark.course import open_course  # noqa: PLC0415
    from fairmark.intake import find_submissions  # noqa: PLC0415

    course = open_course(options.course)
    number = len(find_submissions(course, options.assignment, options.student))
    if not number and not options.student:
        console.print(f"Nothing was handed in: there is no {course.submitted('*', options.assignment)}.")
    with show_progress(options.assignment, number) as tell:
        batch = grade_assignment(
            course, options.assignment, tuple(options.student), workers=options.workers, tell=tell
        )
    show_batch(batch)
    console.print(f"Gradebook: {escape(course.db_url)}", soft_wrap=True)
    console.print(
        f"Notebooks and result.json: {escape(str(course.autograded('*', options.assignment)))}",
        soft_wrap=True,
    )
    return FAILED if batch.failures or any(result.status == "error" for result in batch.results) else GOOD


@contextlib.contextmanager
def show_progress(assignment: str, number: int) -> Iterator[Tell]:
    """Show how far grading is on a terminal, and a line a submission elsewhere."""

    def line(student: str, outcome: SubmissionResult | Failure) -> None:
        console.print(f"{student}: {_outcome_words(outcome)}", markup=False, highlight=False)

    if not console.is_terminal:
        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"Grading {assignment}", total=number)

        def advance(student: str, outcome: SubmissionResult | Failure) -> None:  # noqa: ARG001
            progress.advance(task)

        yield advance


def _outcome_words(outcome: SubmissionResult | Failure) -> str:
    if isinstance(outcome, SubmissionResult):
        return f"{outcome.status}, {outcome.score:g} of {outcome.max_score:g} points"
    return f"not graded: {outcome.message}"


def show_batch(batch: Batch) -> None:
    """Print a table of an assignment's results, and what failed."""
    table = Table(title=f"Assignment {batch.assignment}", title_justify="left")
    table.add_column("student")
    for title in ("quiz", "code", "points", "of"):
        table.add_column(title, justify="right")
    table.add_column("state")
    table.add_column("remarks", overflow="fold")
    for result in batch.results:
        quiz, code = (
            sum(item.score for item in result.items if (item.kind == "quiz") is is_quiz)
            for is_quiz in (True, False)
        )
        table.add_row(
            escape(result.submission.student),
            *(f"{number:.4g}" for number in (quiz, code, result.score, result.max_score)),
            _STATUS_WORDS[result.status],
            escape(_remark(result)),
        )
    console.print(table)
    show_failures(batch)


def show_failures(batch: Batch) -> None:
    """Tell which submissions could not be graded by our fault."""
    for failure in batch.failures:
        complaints.print(
            f"[red]Not graded by our failure:[/] {escape(failure.student)}: {escape(failure.message)}\n"
            "  Nobody lost points by this. Mend the cause, then grade this student again with --student."
        )


def _remark(result: SubmissionResult) -> str:
    waiting = sum(item.needs_review for item in result.items)
    words = [f"{waiting} to be graded by a person"] if waiting else []
    words += [note for note in result.notes if note][:1]
    diagnoses = [check.diagnosis for item in result.items for check in item.checks if check.diagnosis]
    if diagnoses:
        words.append(diagnoses[0])
    return "; ".join(words)[:160]


# --- demo and doctor ---------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> int:
    from fairmark import demo  # noqa: PLC0415
    from fairmark.intake import find_submissions  # noqa: PLC0415

    recipes = demo.read_class(options.course)
    course = demo.set_up(options.course, options.folder)
    console.rule("[bold]1. Release: blank has to score 0, the reference solution everything")
    for release in demo.release_all(course):
        show_release(course, release)
    console.rule(f"[bold]2. A class of {len(recipes)} hands in")
    demo.hand_in_class(course, recipes)
    console.print(f"Written to {escape(str(course.root / 'submitted'))}", soft_wrap=True)
    console.rule("[bold]3. Grade, student code and tests in separate rooms")
    batches = []
    for assignment in course.assignments():
        with show_progress(assignment, len(find_submissions(course, assignment))) as tell:
            batches.append(demo.grade(course, assignment, tell))
    show_class(recipes, batches)
    console.rule("[bold]4. Feedback")
    for assignment in course.assignments():
        console.print(f"{demo.write_feedback(course, assignment)} pages for {escape(assignment)}")
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
    state = "" if result.status == "graded" else _STATUS_WORDS[result.status]
    return ": ".join(filter(None, (state, escape(_remark(result)))))


def _show_places(course: Course, student: str) -> None:
    programs = Path(sys.executable).parent
    page = next(course.feedback(student, course.assignments()[0]).glob("*.html"), course.root / "feedback")
    for what, place in (
        ("gradebook", course.db_url),
        ("a feedback page", page),
        ("all that grading found", course.autograded(student, course.assignments()[0]) / "result.json"),
        ("formgrader", f"cd {course.root} && {programs / 'jupyter'} lab   (menu Nbgrader → Formgrader)"),
        ("a table of grades", f"cd {course.root} && {programs / 'nbgrader'} export"),
    ):
        console.print(f"  {what:<24}{escape(str(place))}", soft_wrap=True, highlight=False)


def _doctor(options: argparse.Namespace) -> int:  # noqa: ARG001
    from fairmark.doctor import examine  # noqa: PLC0415

    good = True
    table = Table(show_header=False, box=None)
    for finding in examine():
        mark = "[green]✓[/]" if finding.good else "[red]✗[/]" if finding.needed else "[yellow]·[/]"
        table.add_row(mark, finding.what, escape(finding.found))
        if not finding.good:
            table.add_row("", "", f"[bold]{escape(finding.remedy)}[/]")
            good = good and not finding.needed
    console.print(table)
    console.print("This machine can grade." if good else "[red]This machine cannot grade yet.[/]")
    return GOOD if good else FAILED


if __name__ == "__main__":
    sys.exit(main())
