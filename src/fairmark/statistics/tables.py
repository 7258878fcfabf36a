"""The figures as plain tables: for the page, for CSV and for JSON."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairmark.statistics.figures import Figures

# Spreadsheets also take the full-width signs for the beginning of a formula, and pass over blanks before it.
_ACTIVE = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Value = str | float | int | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name in file names, a title, what it means, and its rows."""

    name: str
    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def list_tables(figures: Figures) -> tuple[Table, ...]:
    """Return all tables of an assignment, in the order of the page."""
    return (
        Table(
            "distribution",
            "Distribution",
            "Students by the part of the points that they have.",
            ("from %", "to %", "students"),
            tuple((10 * place, 10 * place + 10, number) for place, number in enumerate(figures.bins)),
        ),
        Table(
            "questions",
            "Questions",
            "Difficulty is the mean part of the points: 1 is easy, 0 is hard. Discrimination tells whether "
            "those who do well elsewhere do well here, too (correlation with all other points, from -1 "
            "to 1): near 0 the question tells little, below 0 look at its key or its wording.",
            (
                "question", "notebook", "kind", "points", "difficulty", "discrimination",
                "full marks", "no points", "waiting",
            ),
            tuple(
                (
                    each.id, each.notebook, each.kind, each.max_score, round(each.difficulty, 3),
                    None if each.discrimination is None else round(each.discrimination, 3),
                    each.full, each.none, each.waiting,
                )
                for each in figures.questions
            ),
        ),
        Table(
            "wrong_options",
            "Popular wrong answers",
            "Wrong options and wrong entries of quiz questions, the most popular first.",
            ("question", "answer", "chosen by", "of", "share %"),
            tuple(
                (
                    each.question, each.option, each.chosen, each.answers,
                    round(100 * each.chosen / each.answers, 1),
                )
                for each in figures.wrong_options
            ),
        ),
        Table(
            "diagnoses",
            "Common mistakes",
            "Results that are exactly what a known mistake gives.",
            ("question", "likely reason", "students", "who"),
            tuple(
                (each.question, each.diagnosis, len(each.students), ", ".join(each.students))
                for each in figures.diagnoses
            ),
        ),
        Table(
            "checks",
            "Checks",
            "How often each check passed.",
            ("question", "check", "passed", "failed", "not judged"),
            tuple(
                (each.question, each.check, each.passed, each.failed, each.unknown)
                for each in figures.checks
                if each.kind == "code"
            ),
        ),
        Table(
            "rules",
            "Repositories and environments",
            "How often each rule about git work or dependency files was met.",
            ("question", "rule", "met", "not met", "not known"),
            tuple(
                (each.question, each.check, each.passed, each.failed, each.unknown)
                for each in figures.checks
                if each.kind in ("git", "environment")
            ),
        ),
        Table(
            "waiting",
            "What a person has to look at",
            "Written answers, failures of ours, and submissions that were stopped or could not be read.",
            ("student", "question", "why"),
            tuple((each.student, each.question, each.why) for each in figures.waiting),
        ),
        Table(
            "moves",
            "What changed when it was graded again",
            "Automatic points of questions that came out differently than the time before, and why.",
            ("when", "student", "question", "before", "after", "of", "why"),
            tuple(
                (
                    each.at, each.student, each.id, each.before, each.after, each.max_score,
                    "; ".join(each.why) + (" (a person's score stands)" if each.kept else ""),
                )
                for each in figures.moves
            ),
        ),
        Table(
            "slow",
            "Slowest cells",
            "Seconds that the cell took: the median of the class, and the slowest student.",
            ("question", "median s", "slowest s", "student"),
            tuple(
                (each.id, round(each.seconds, 3), round(each.slowest, 3), each.slowest_student)
                for each in figures.slow
            ),
        ),
        Table(
            "equal",
            "Equal answers",
            "Cells of more than 40 tokens that are the same but for names, comments and layout. This proves "
            "nothing: a short task has few solutions, and students may work together, or from the same "
            "book. Read before you ask.",
            ("cell", "students", "who", "tokens"),
            tuple(
                (each.cell, len(each.students), ", ".join(each.students), each.tokens)
                for each in figures.equal
            )
            + tuple(("same commit", len(names), ", ".join(names), None) for _, names in figures.same_commit),
        ),
        Table(
            "alike",
            "Work that is much alike",
            "Pairs who share runs of 12 tokens that few others have; the share is that of the smaller one's "
            "rare runs. This proves nothing, either: it tells where a conversation may be worth while.",
            ("first", "second", "share %", "runs"),
            tuple((each.first, each.second, round(100 * each.share), each.runs) for each in figures.alike),
        ),
        Table(
            "missing",
            "Handed in nothing",
            "Students of the course without a graded submission.",
            ("student",),
            tuple((student,) for student in figures.missing),
        ),
        Table(
            "students",
            "Students",
            "Points with what people gave, after the late penalty.",
            ("student", "state", "points", "of", "%", "late penalty", "waiting", "seconds", "handed in"),
            tuple(
                (
                    each.student, each.status, each.score, each.max_score, round(each.percent, 1),
                    each.late_penalty, each.waiting, each.seconds, each.submitted_at,
                )
                for each in figures.students
            ),
        ),
    )  # fmt: skip


def to_csv(table: Table) -> str:
    """Return a table as CSV: everything quoted, and no text that a spreadsheet would run."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([_defuse(value) for value in row])
    return file.getvalue()


def _defuse(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    return f"'{value}" if value[:1] in ("\t", "\r", "\n") or value.lstrip().startswith(_ACTIVE) else value


def to_document(figures: Figures) -> dict[str, Any]:
    """Return the figures as plain data for JSON."""
    return {"schema": "fairmark/report/v1"} | asdict(figures) | {"seconds": figures.seconds}
