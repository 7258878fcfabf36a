"""The grading sheets that Moodle and Canvas take back; a sheet that was downloaded there is filled in."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING

from fairmark.errors import UsageError
from fairmark.exporters.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairmark.exporters.standing import Standing

_MOODLE = (
    "Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed",
    "Last modified (submission)", "Last modified (grade)", "Feedback comments",
)  # fmt: skip
_CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


def write_moodle(standings: Sequence[Standing], sheet: str = "") -> str:
    """Return Moodle's offline grading worksheet for one assignment.

    Parameters
    ----------
    standings : sequence of Standing
        Of one assignment.
    sheet : str, optional
        The worksheet as downloaded from Moodle: its lines are kept, and the grades of the students that are
        found by e-mail address, by id, or by their number in ``Identifier`` are filled in. Without it the
        numbers are the gradebook's ``lms_user_id``.
    """
    if sheet:
        by = _index(standings)
        head, lines = _read_sheet(sheet, ("Identifier", "Grade"))
        for line in lines:
            keys = (line.get("Email address"), line.get("ID number"), line.get("Username"))
            each = _find(by, *keys, str(line["Identifier"]).removeprefix("Participant ").strip())
            if each is not None:
                line["Grade"] = each.score
                if "Feedback comments" in line:
                    line["Feedback comments"] = _comment(each)
        return write_table([head, *([line.get(name, "") for name in head] for line in lines)])
    rows = [
        (
            f"Participant {each.person.lms_id}" if each.person.lms_id else "",
            each.person.name,
            each.person.email,
            "Submitted for grading - Graded",
            each.score,
            each.max_score,
            "Yes",
            _moodle_date(each.submitted_at),
            _moodle_date(each.result.grader.graded_at if each.result else None),
            _comment(each),
        )
        for each in standings
    ]
    return write_table([_MOODLE, *rows])


def write_canvas(standings: Sequence[Standing], sheet: str = "") -> str:
    """Return Canvas's gradebook file, with a column for each assignment.

    Parameters
    ----------
    standings : sequence of Standing
    sheet : str, optional
        The gradebook as exported from Canvas: students are found by their ids there, and a column whose name
        begins with the assignment's is filled in (``Filters (1234)``), so that no second one is made.
    """
    head, lines = _read_sheet(sheet, ("Student", "ID")) if sheet else (list(_CANVAS), [])
    points = next((line for line in lines if str(line["Student"]).strip() == "Points Possible"), None)
    if points is None:
        points = {"Student": "    Points Possible"}
        lines.insert(0, points)
    for assignment in dict.fromkeys(each.assignment for each in standings):
        theirs = [each for each in standings if each.assignment == assignment]
        column = next((name for name in head if name.partition(" (")[0] == assignment), None)
        if column is None:
            column = assignment
            head.append(column)
            points[column] = max((each.max_score for each in theirs), default=0.0)
        by = _index(theirs)
        for line in lines:
            keys = (line.get(name) for name in ("SIS Login ID", "SIS User ID", "ID"))
            each = _find(by, *keys)
            if each is not None:
                line[column] = each.score
        if not sheet:
            for each in theirs:
                _line_of(lines, each)[column] = each.score
    return write_table([head, *([line.get(name, "") for name in head] for line in lines)])


def _line_of(lines: list[dict[str, object]], each: Standing) -> dict[str, object]:
    for line in lines:
        if line.get("SIS Login ID") == each.person.id:
            return line
    last_first = ", ".join(filter(None, (each.person.last_name, each.person.first_name))) or each.person.id
    lines.append({"Student": last_first, "ID": each.person.lms_id, "SIS Login ID": each.person.id})
    return lines[-1]


def _read_sheet(sheet: str, needed: tuple[str, ...]) -> tuple[list[str], list[dict[str, object]]]:
    reader = csv.DictReader(io.StringIO(sheet.removeprefix("\ufeff")), restval="", restkey="")
    head = [name for name in reader.fieldnames or () if name is not None]
    missing = [name for name in needed if name not in head]
    if missing:
        raise UsageError(
            f"The sheet has no column {', '.join(map(repr, missing))}: give the file as it was downloaded."
        )
    return head, [{name: line[name] for name in head} for line in reader]


def _index(standings: Sequence[Standing]) -> dict[str, Standing]:
    """Return standings by whatever names their person; a name that two persons share names nobody."""
    found: dict[str, Standing | None] = {}
    for each in standings:
        for key in {each.person.id, each.person.email, each.person.lms_id} - {""}:
            found[key.casefold()] = None if key.casefold() in found else each
    return {key: each for key, each in found.items() if each is not None}


def _find(by: Mapping[str, Standing], *keys: object) -> Standing | None:
    return next((by[key.casefold()] for key in keys if isinstance(key, str) and key.casefold() in by), None)


def _comment(each: Standing) -> str:
    return "\n".join(
        f"{item.title}: {item.message}" for item in each.items if _by_hand(item.message, item.kind)
    )


def _by_hand(message: str, kind: str) -> bool:
    return bool(message) and kind == "written"


def _moodle_date(moment: str | None) -> str:
    return datetime.fromisoformat(moment).strftime("%A, %d %B %Y, %I:%M %p") if moment else "-"
