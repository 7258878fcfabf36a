"""Classroom 50's ``result.json`` (schema ``classroom50/result/v1``)."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from fairmark.exporters.standing import show_to_student

if TYPE_CHECKING:
    from fairmark.exporters.standing import Standing

_FACTORS = (1, 2, 4, 5, 10, 20, 100)  # points are whole numbers there: halves become points of twice as many


def write_classroom50(
    standing: Standing, *, classroom: str, repository: str = "", submission: str = ""
) -> str:
    """Return one submission's result.

    Parameters
    ----------
    standing : Standing
        Its points are scaled up to whole numbers where they have fractions, the highest points alike.
    classroom : str
        Its short name.
    repository : str, optional
        The address of the student's repository; links lead there.
    submission : str, optional
        The tag ``submit/…`` that was graded; made from the moment of the hand-in where none is given.
    """
    items = show_to_student(standing.items)
    factor = _factor([number for item in items for number in (item.score, item.max_score)])
    tests = [
        _Test(item.title or item.id, item.status == "passed", *_whole(item.score, item.max_score, factor))
        for item in items
    ]
    most = sum(test.max_score for test in tests)
    penalty = round(standing.late_penalty * factor)
    commit = standing.result.submission.commit if standing.result else ""
    handed_in = _moment(standing.submitted_at)
    tag = submission or f"submit/{handed_in.replace(':', '-')}-{commit[:7] or 'unknown'}"
    link = f"{repository}/commit/{commit}" if repository and commit else commit or tag
    document = {
        "schema": "classroom50/result/v1",
        "classroom": classroom,
        "assignment": standing.assignment,
        "assignment_type": "individual",
        "owner": standing.person.id,
        "submission": tag,
        "commit": link,
        "release": f"{repository}/releases/tag/{tag}" if repository else tag,
        "review": link,
        "datetime": handed_in,
        "graded_at": _moment(standing.result.grader.graded_at if standing.result else None),
        "score": min(max(0, sum(test.score for test in tests) - penalty), most),
        "max-score": most,
        "tests": [
            {"test-name": name, "passed": passed, "score": score, "max-score": full}
            for name, passed, score, full in tests
        ],
    }
    return json.dumps(document, indent=2) + "\n"


class _Test(NamedTuple):
    name: str
    passed: bool
    score: int
    max_score: int


def _whole(score: float, most: float, factor: int) -> tuple[int, int]:
    return min(round(score * factor), round(most * factor)), round(most * factor)


def _factor(numbers: list[float]) -> int:
    whole = (
        factor
        for factor in _FACTORS
        if all(math.isclose(number * factor, round(number * factor), abs_tol=1e-9) for number in numbers)
    )
    return next(whole, _FACTORS[-1])


def _moment(moment: str | None) -> str:
    when = datetime.fromisoformat(moment) if moment else datetime.fromtimestamp(0, UTC)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
