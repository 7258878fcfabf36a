"""What commands show: the terminal, the exit codes, and the tables that several commands print."""

from __future__ import annotations

import contextlib
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from fairmark.results import SubmissionResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairmark.batch import Batch, Failure
    from fairmark.course import Course
    from fairmark.regrading import Forecast
    from fairmark.release import Release
    from fairmark.survey import Survey

GOOD, FAILED, WRONG_USE = 0, 1, 2
STATUS_WORDS = {
    "graded": "graded",
    "ungradable": "[red]cannot be read[/]",
    "timeout": "[yellow]stopped: too long[/]",
    "out_of_memory": "[yellow]stopped: memory[/]",
    "crashed": "[yellow]crashed[/]",
    "error": "[red]our failure[/]",
}


_NARROW = 70  # columns: a table leaves out what can be read elsewhere

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


class GradingProgress:
    """Shows how far grading is: on a terminal that can, a moving line; elsewhere one line a submission.

    Such a line holds the student, the status, points, highest points and the seconds that the cells took,
    with tabs between; a submission that was not graded by our fault has the status ``failed`` and the reason.
    """

    def __init__(self, assignment: str, *, moving: bool = True) -> None:
        self.assignment = assignment
        self.moving = moving and console.is_terminal and not console.is_dumb_terminal
        self.failed = 0
        self.slowest = (0.0, "")
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def begin(self, found: Survey) -> None:
        """Say what there is to do, and why."""
        for reason, number in sorted(found.reasons.items()):
            console.print(
                f"{_count(number, 'submission')}: {reason}", markup=False, highlight=False, soft_wrap=True
            )
        if found.unchanged:
            words = (
                f"{_count(len(found.unchanged), 'submission')}: unchanged, not graded again (--force does)"
            )
            console.print(words, markup=False, highlight=False)
        if self.moving and found.todo:
            self._bar = Progress(*_columns(), console=console, transient=True, expand=True)
            self._task = self._bar.add_task(f"Grading {self.assignment}", total=len(found.todo), words="")
            self._bar.start()

    def tell(self, student: str, outcome: SubmissionResult | Failure) -> None:
        """Take note of one submission."""
        if isinstance(outcome, SubmissionResult):
            for item in outcome.items:
                self.slowest = max(self.slowest, (item.duration_s, f"{item.id} of {student}"))
        else:
            self.failed += 1
        if self._bar is None:
            sys.stdout.write(_line(student, outcome) + "\n")  # rich would make spaces of the tabs
            sys.stdout.flush()
        else:
            self._bar.update(self._task, advance=1, words=self._words())

    def complain(self, words: str) -> None:
        """Say what keeps the course from being graded."""
        complaints.print(words, markup=False, highlight=False, soft_wrap=True)

    def _words(self) -> str:
        assert self._bar is not None  # noqa: S101 - for the type checker
        speed = self._bar.tasks[0].speed
        seconds, cell = self.slowest
        words = [
            f"[red]{self.failed} failed[/]" if self.failed else "",
            f"{speed * 60:.0f} a minute" if speed else "",
            f"slowest {escape(cell)} {seconds:.1f} s" if cell else "",
        ]
        return ", ".join(word for word in words if word)

    def end(self) -> None:
        """Take the moving line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _columns() -> tuple[ProgressColumn, ...]:
    """Return the parts of the moving line: in a narrow window first the words are cut off, then the bar."""
    return (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20, table_column=Column()),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[words]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )


@contextlib.contextmanager
def show_progress(assignment: str) -> Iterator[GradingProgress]:
    """Show how far grading is, until it has ended or was interrupted."""
    progress = GradingProgress(assignment)
    try:
        yield progress
    finally:
        progress.end()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _line(student: str, outcome: SubmissionResult | Failure) -> str:
    if isinstance(outcome, SubmissionResult):
        seconds = sum(item.duration_s for item in outcome.items)
        return f"{student}\t{outcome.status}\t{outcome.score:g}\t{outcome.max_score:g}\t{seconds:.2f}"
    return f"{student}\tfailed\t{' '.join(outcome.message.split())}"


def show_batch(batch: Batch) -> None:
    """Print a table of what was graded of an assignment, and what failed."""
    graded = [result for result in batch.results if result.submission.student not in batch.unchanged]
    if not graded:
        show_failures(batch)
        return
    wide = console.width >= _NARROW
    table = Table(title=f"Assignment {batch.assignment}", title_justify="left")
    table.add_column("student", overflow="fold")  # a name that is cut off would be nobody's
    for title in ("quiz", "code", "points", "of") if wide else ("points", "of"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("state", overflow="fold")
    if wide:
        table.add_column("remarks", overflow="fold")
    for result in graded:
        parts = [
            sum(item.score for item in result.items if (item.kind == "quiz") is is_quiz)
            for is_quiz in (True, False)
        ]
        numbers = [*(parts if wide else ()), result.score, result.max_score]
        table.add_row(
            escape(result.submission.student),
            *(f"{number:.4g}" for number in numbers),
            STATUS_WORDS[result.status],
            *([escape(remark(result))] if wide else ()),
        )
    console.print(table)
    show_failures(batch)


def show_forecast(assignment: str, forecast: Forecast) -> None:
    """Print whose points grading now would move, and why."""
    if forecast.moves:
        table = Table(title=f"What grading {assignment} now would move", title_justify="left")
        table.add_column("student")
        table.add_column("question")
        for title in ("before", "after", "of"):
            table.add_column(title, justify="right")
        table.add_column("why", overflow="fold")
        for move in forecast.moves:
            why = "; ".join(move.why) + (" (a person's score stands: nothing changes)" if move.kept else "")
            numbers = (move.before, move.after, move.max_score)
            table.add_row(
                escape(move.student), escape(move.id), *(f"{number:.4g}" for number in numbers), escape(why)
            )
        console.print(table)
    change: defaultdict[str, float] = defaultdict(float)
    for move in forecast.moves:
        change[move.student] += 0.0 if move.kept else move.after - move.before
    gain, lose = sum(each > 0 for each in change.values()), sum(each < 0 for each in change.values())
    console.print(
        f"{_count(gain, 'student')} would gain, {lose} would lose, {forecast.still} would keep their points, "
        f"{len(forecast.fresh)} would be graded for the first time. Nothing was written.",
        highlight=False,
    )
    show_failures(forecast)


def show_failures(batch: Batch | Forecast) -> None:
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
