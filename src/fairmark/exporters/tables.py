"""Tables as CSV: one line a student, or one line a student and graded cell."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairmark.exporters.standing import Standing

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Spreadsheets also take the full-width signs for the beginning of a formula.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20|%]|[\t\r\n]")
_PERSON = ("student", "last_name", "first_name", "email")


def defuse(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, without control characters."""
    text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
    text = text.encode("utf-8", "replace").decode()
    return f"'{text}" if _FORMULA.match(text) else text


def write_table(lines: Iterable[Sequence[object]]) -> str:
    """Return lines as CSV (RFC 4180); every text is quoted and defused, numbers stay numbers."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    for line in lines:
        writer.writerow(
            [
                cell if type(cell) in (int, float) else defuse("" if cell is None else str(cell))
                for cell in line
            ]
        )
    return file.getvalue()


def write_wide_table(standings: Sequence[Standing]) -> str:
    """Return one line per student and assignment, with a column for each graded cell."""
    cells = tuple(dict.fromkeys(_name(item.notebook, item.id) for each in standings for item in each.items))
    head = (*_PERSON, "assignment", "submitted_at", "status", "needs_review")
    lines: list[Sequence[object]] = [(*head, "score", "max_score", "late_penalty", *cells)]
    for each in standings:
        scores = {_name(item.notebook, item.id): item.score for item in each.items}
        numbers = (each.score, each.max_score, each.late_penalty)
        state = (each.assignment, each.submitted_at, each.status, "yes" if each.needs_review else "no")
        lines.append((*_person(each), *state, *numbers, *(scores.get(cell) for cell in cells)))
    return write_table(lines)


def write_long_table(standings: Sequence[Standing]) -> str:
    """Return one line per student, assignment and graded cell: what statistics programs like."""
    head = ("assignment", "notebook", "cell", "kind", "title", "status", "score", "max_score", "needs_review")
    lines: list[Sequence[object]] = [(*_PERSON, *head, "message")]
    for each in standings:
        for item in each.items:
            what = (each.assignment, item.notebook, item.id, item.kind, item.title, item.status)
            review = "yes" if item.needs_review else "no"
            lines.append((*_person(each), *what, item.score, item.max_score, review, item.message))
    return write_table(lines)


def _name(notebook: str, cell: str) -> str:
    return f"{notebook}/{cell}"


def _person(each: Standing) -> tuple[str, str, str, str]:
    return each.person.id, each.person.last_name, each.person.first_name, each.person.email
