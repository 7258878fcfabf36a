"""The class report: one self-contained HTML page with tables, and plots that can be pointed at."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fairmark.statistics.plots import bundle, plot_distribution, plot_questions, plot_slow, write_json
from fairmark.statistics.tables import list_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fairmark.statistics.figures import Figures

MOST_ROWS = 1_500  # of one table on the page; CSV and JSON hold all
_PLOTS = {"distribution": plot_distribution, "questions": plot_questions, "slow": plot_slow}
_OPEN = ("distribution", "questions", "wrong_options", "diagnoses", "waiting", "moves")


def make_report(course: str, assignments: Sequence[Figures], made_at: datetime) -> str:
    """Return the report of some assignments as one page that loads nothing from elsewhere.

    Parameters
    ----------
    course : str
        Its name.
    assignments : sequence of Figures
    made_at : datetime
        In UTC.
    """
    sections = []
    for place, figures in enumerate(assignments, 1):
        tables = [table for table in list_tables(figures) if table.rows]
        plots = {
            table.name: Markup(write_json(_PLOTS[table.name](figures)))  # noqa: S704 - nothing in it ends a script
            for table in tables
            if table.name in _PLOTS
        }
        sections.append({"place": place, "figures": figures, "tables": tables, "plots": plots})
    return str(
        _template().render(
            course=course,
            sections=sections,
            made_at=f"{made_at.day} {made_at:%B %Y, %H:%M} UTC",
            style=_style(),
            script=Markup(bundle()),  # noqa: S704 - Vega's
            most_rows=MOST_ROWS,
            opened=_OPEN,
        )
    )


@cache
def _style() -> Markup:
    styles = files("fairmark")
    base = styles.joinpath("feedback", "page.css").read_text(encoding="utf-8")
    own = styles.joinpath("statistics", "page.css").read_text(encoding="utf-8")
    return Markup(base + own)  # noqa: S704 - ours


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("fairmark.statistics", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: "–" if value is None else f"{value:.4g}"  # noqa: RUF001
    return environment.get_template("page.html")
