"""Interactive plots of the figures, drawn by Vega-Lite from inside the page."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import vl_convert

if TYPE_CHECKING:
    from fairmark.statistics.figures import Figures

_HEIGHT = 260
_MOST_BARS = 15


def plot_distribution(figures: Figures) -> dict[str, Any]:
    """Return a histogram of the class's points."""
    values = [
        {"from": 10 * place, "to": 10 * place + 10, "students": number}
        for place, number in enumerate(figures.bins)
    ]
    return _plot(
        f"How many students of {figures.assignment} have which part of the points",
        values,
        mark={"type": "bar", "tooltip": True},
        encoding={
            "x": {
                "field": "from",
                "type": "quantitative",
                "bin": {"binned": True, "step": 10},
                "title": "points in %",
            },
            "x2": {"field": "to"},
            "y": {
                "field": "students",
                "type": "quantitative",
                "title": "students",
                "axis": {"tickMinStep": 1},
            },
        },
    )


def plot_questions(figures: Figures) -> dict[str, Any]:
    """Return each question's discrimination over its difficulty."""
    values = [
        {
            "question": each.id,
            "title": each.title,
            "kind": each.kind,
            "difficulty": round(each.difficulty, 3),
            "discrimination": round(each.discrimination, 3),
        }
        for each in figures.questions
        if each.discrimination is not None
    ]
    return _plot(
        f"How hard each question of {figures.assignment} is, and how well it tells students apart",
        values,
        mark={"type": "point", "filled": True, "size": 90, "tooltip": {"content": "data"}},
        encoding={
            "x": {
                "field": "difficulty",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "title": "mean part of the points (1 is easy)",
            },
            "y": {
                "field": "discrimination",
                "type": "quantitative",
                "scale": {"domain": [-1, 1]},
                "title": "discrimination",
            },
            "shape": {"field": "kind", "type": "nominal"},
            "color": {"field": "kind", "type": "nominal"},
        },
    )


def plot_slow(figures: Figures) -> dict[str, Any]:
    """Return the slowest cells as bars."""
    values = [
        {
            "question": each.id,
            "median": each.seconds,
            "slowest": each.slowest,
            "student": each.slowest_student,
        }
        for each in figures.slow[:_MOST_BARS]
    ]
    return _plot(
        f"Seconds that the slowest cells of {figures.assignment} took",
        values,
        mark={"type": "bar", "tooltip": {"content": "data"}},
        encoding={
            "y": {"field": "question", "type": "nominal", "sort": "-x", "title": None},
            "x": {"field": "slowest", "type": "quantitative", "title": "slowest student, seconds"},
        },
        height=max(22 * len(values), 60),
    )


def _plot(
    description: str, values: list[dict[str, Any]], *, mark: Any, encoding: Any, height: int = _HEIGHT
) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "width": "container",
        "height": height,
        "data": {"values": values},
        "mark": mark | {"aria": False},  # the table beside it says the same
        "encoding": encoding,
    }


def write_json(document: Any) -> str:
    """Return JSON that may stand in a script element."""
    text = json.dumps(document, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and what draws our plots as one script."""
    return vl_convert.javascript_bundle(_DRAW).replace("</script", "<\\/script")


# Redrawn when the reader's computer changes between light and dark; `ast` needs no `eval`.
_DRAW = """
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const draw = () => {
  const ink = dark.matches ? "#e7ecf1" : "#1f2328", line = dark.matches ? "#3a434d" : "#c9d1d9";
  const range = dark.matches
    ? ["#78b8ff", "#f3cd66", "#8ce6ab", "#ffb6b0", "#d8b4fe"]
    : ["#0a4fb0", "#8a5a00", "#0c6b2e", "#98101f", "#6b21a8"];
  const config = {
    background: "transparent", font: "system-ui, sans-serif",
    view: { stroke: line }, range: { category: range },
    bar: { color: range[0] }, point: { color: range[0] },
    axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line,
      labelLimit: 220, labelFontSize: 12, titleFontSize: 12 },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12 },
  };
  for (const place of document.querySelectorAll("[data-plot]")) {
    const spec = JSON.parse(document.getElementById(place.dataset.plot).textContent);
    vegaEmbed(place, spec, { ast: true, actions: false, renderer: "svg", config });
  }
};
draw();
dark.addEventListener("change", draw);
"""
