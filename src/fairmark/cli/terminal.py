"""What commands show: the terminal, the exit codes, and the tables that several commands print."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fairmark.results import SubmissionResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.batch import Batch, Failure, Tell
    from fairmark.course import Course
    from fairmark.release import Release

GOOD, FAILED, WRONG_USE = 0, 1, 2
STATUS_WORDS = {
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
            STATUS_WORDS[result.status],
            escape(remark(result)),
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


def remark(result: SubmissionResult) -> str:
    """Return the most telling words about a submission, for one line of a table."""
    waiting = sum(item.needs_review for item in result.items)
    words = [f"{waiting} to be graded by a person"] if waiting else []
    words += [note for note in result.notes if note][:1]
    diagnoses = [check.diagnosis for item in result.items for check in item.checks if check.diagnosis]
    if diagnoses:
        words.append(diagnoses[0])
    return "; ".join(words)[:160]
