"""Gradescope's ``results.json``, which an autograder leaves in ``/autograder/results``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairmark.exporters.standing import Standing
    from fairmark.results import Item

# What Gradescope calls a status; without one the page shows the points alone.
_STATUS = {"passed": "passed", "failed": "failed", "partial": "failed"}


def write_gradescope(standing: Standing) -> str:
    """Return one submission's results; Gradescope itself heeds the visibility words, which are its own."""
    notes = standing.result.notes if standing.result else ()
    if standing.status in ("ungradable", "error"):
        notes = (*notes, "This could not be graded; your instructor has to look at it.")
    document: dict[str, Any] = {
        "score": standing.score,
        "tests": [_test(number, item) for number, item in enumerate(standing.items, 1)],
        "stdout_visibility": "hidden",
        "output": "\n".join(notes),
        "output_format": "text",
        "execution_time": round(sum(item.duration_s for item in standing.items)),
        "extra_data": {"fairmark": {"status": standing.status, "needs_review": standing.needs_review}},
    }
    return json.dumps(document, indent=2) + "\n"


def _test(number: int, item: Item) -> dict[str, Any]:
    words = [item.message, f"Hint: {item.hint}" if item.hint else ""]
    for check in item.checks:
        mark = "passed" if check.status == "passed" else "failed"
        words += [
            f"[{mark}] {check.title}",
            check.message,
            check.hint and f"Hint: {check.hint}",
            check.diagnosis,
        ]
    test: dict[str, Any] = {
        "name": item.title,
        "number": str(number),
        "score": item.score,
        "max_score": item.max_score,
        "output": "\n".join(filter(None, words)),
        "output_format": "text",
        "name_format": "text",
        "visibility": item.visibility,
        "tags": [item.kind],
    }
    if item.status in _STATUS and not item.needs_review:
        test["status"] = _STATUS[item.status]
    return test
