"""A summary in Markdown: for the job pages of GitHub and GitLab, and for comments on pull requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairmark.exporters.standing import show_to_student

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairmark.exporters.standing import Standing
    from fairmark.results import Item

_SIGNS = {"passed": "✅", "partial": "🟡", "failed": "❌", "skipped": "⏳", "error": "⚠️"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&:-])")
_LONGEST = 300


def escape(text: str) -> str:
    """Return a text that Markdown shows as it is: no markup, no mention of people or issues, one line."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    # A zero-width space parts what a forge would make a link of.
    return _SPECIAL.sub(r"\\\1", text).replace("@", "@\u200b").replace("www.", "www\u200b.")


def write_markdown(standings: Sequence[Standing], *, past_due: bool = False) -> str:
    """Return a page: for one student the questions with hints, for several a line each.

    Nothing is shown of questions that students may not see, but their points.
    """
    if len(standings) == 1:
        return _page(standings[0], past_due=past_due)
    lines = ["| student | assignment | points | state |", "| --- | --- | ---: | --- |"]
    for each in standings:
        state = "a person has to look" if each.needs_review else each.status
        cells = (
            escape(each.person.name),
            escape(each.assignment),
            _points(each.score, each.max_score),
            state,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _page(each: Standing, *, past_due: bool) -> str:
    items = show_to_student(each.items, past_due=past_due)
    lines = [f"## {escape(each.assignment)}: {_points(each.score, each.max_score)} points", ""]
    if each.late_penalty:
        lines += [f"{each.late_penalty:g} points were taken off because it was late.", ""]
    lines += [f"- {escape(note)}" for note in (each.result.notes if each.result else ())]
    lines += ["", "| | question | points | what to know |", "| --- | --- | ---: | --- |"]
    lines += [
        f"| {' | '.join((_SIGNS[item.status], escape(item.title), _points(item.score, item.max_score)))} "
        f"| {_words(item)} |"
        for item in items
    ]
    return "\n".join(lines) + "\n"


def _words(item: Item) -> str:
    return "<br>".join(escape(text) for text in (item.message, item.hint) if text)


def _points(score: float, most: float) -> str:
    return f"{score:g} of {most:g}"
