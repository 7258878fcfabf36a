"""Puts a notebook's cards into one self-contained HTML file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fairmark.feedback import markup
from fairmark.feedback.cards import make_cards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairmark.feedback.cards import Card, Sheet
    from fairmark.results import NotebookMarks

MAX_PAGE = 1_000_000  # bytes
_ROOMS = (550_000, 200_000, 20_000)  # bytes for the student's own work and for pictures, tried in turn
_MAX_NOTES = 40
_STATES = {
    "ungradable": "This notebook could not be read.",
    "timeout": "Something in your work ran for too long and was stopped.",
    "out_of_memory": "Something in your work used too much memory and was stopped.",
    "crashed": "Something in your work ended Python itself.",
    "error": "Something of ours failed while we graded. It costs you no points: a person looks at it.",
}


@dataclass(frozen=True, slots=True)
class Total:
    """Points of a notebook or an assignment, as far as they may be told."""

    score: float
    max_score: float
    later: float = 0.0
    waiting: int = 0
    penalty: float = 0.0

    @property
    def share(self) -> float:
        """Part of the points that was reached, 0 to 1."""
        return min(max(self.score / self.max_score, 0.0), 1.0) if self.max_score else 0.0


def make_page(sheet: Sheet) -> str:
    """Return the page of one notebook of a submission, smaller than `MAX_PAGE`.

    Nothing in it runs or is loaded from elsewhere. Nothing of a test's source is in it.
    """
    result = sheet.result
    page = ""
    stops = tuple(_find_stops(sheet.cells))
    for room in _ROOMS:
        cards = make_cards(sheet, room)
        page = _template().render(
            title=sheet.notebook.replace("_", " ").strip().capitalize(),
            result=result,
            submitted=_tell_time(result.submission.submitted_at),
            graded=_tell_time(result.grader.graded_at),
            total=_add_up(cards, sheet.marks),
            cards=cards,
            state=_tell_state(sheet, stops),
            notes=[markup.printable(markup.shorten(note, 500)) for note in result.notes[:_MAX_NOTES]],
            stops=stops,
            style=_style(),
        )
        if len(page.encode()) < MAX_PAGE:
            break
    return page


def _add_up(cards: Iterable[Card], marks: NotebookMarks | None) -> Total:
    cards = tuple(cards)
    told = [card for card in cards if card.is_counted]
    penalty = marks.late_penalty if marks else 0.0
    return Total(
        score=sum(card.score for card in told) - penalty,
        max_score=sum(card.max_score for card in told),
        later=sum(card.max_score for card in cards if not card.is_counted),
        waiting=sum(card.verdict == "waits" for card in told),
        penalty=penalty,
    )


def _tell_state(sheet: Sheet, stops: tuple[tuple[str, str], ...]) -> str:
    """Return what happened to the submission, where it happened in this notebook and not in another one."""
    items = [item for item in sheet.result.items if item.notebook == sheet.notebook]
    status = sheet.result.status
    here = {
        "ungradable": True,
        "error": any(item.status == "error" for item in items),
    }.get(status, bool(stops) or any(item.limit for item in items))
    return _STATES.get(status, "") if here else ""


def _find_stops(cells: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    """Yield the first line of each of the student's cells that was stopped, with the limit it hit."""
    for cell in cells:
        settings = cell.get("metadata", {}).get("nbgrader", {})
        if settings.get("grade"):
            continue  # told on its card
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error" and output.get("ename") in ("Stopped", "GraderFailure"):
                lines = (line.strip() for line in markup.join(cell.get("source")).splitlines())
                first = next((line for line in lines if line), "an empty cell")
                yield markup.printable(first)[:100], markup.printable(str(output.get("evalue", "")))[:300]
                break


def _tell_time(moment: str | None) -> str:
    if not moment:
        return ""
    time = datetime.fromisoformat(moment)
    time = time.astimezone(UTC) if time.tzinfo else time
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


@cache
def _style() -> Markup:
    return Markup(files("fairmark.feedback").joinpath("page.css").read_text(encoding="utf-8"))  # noqa: S704 - ours


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("fairmark.feedback", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = lambda number: f"{number:.4g}"
    return environment.get_template("page.html")
