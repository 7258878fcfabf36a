"""How one student stands in one assignment: what grading found, with the gradebook's marks in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairmark.results import Item

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairmark.results import Kind, Status, SubmissionResult


@dataclass(frozen=True, slots=True)
class Person:
    """A student as the gradebook knows one; all but `id` may be empty."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""

    @property
    def name(self) -> str:
        """First and last name, else the id."""
        return " ".join(filter(None, (self.first_name, self.last_name))) or self.id


@dataclass(frozen=True, slots=True)
class CellMark:
    """What the gradebook has for one graded cell.

    Parameters
    ----------
    auto_score, manual_score : float or None
        In points; a manual score wins.
    extra_credit : float
        Is added to either.
    comment : str
        A person's words for the student.
    """

    notebook: str
    cell: str
    max_score: float
    auto_score: float | None = None
    manual_score: float | None = None
    extra_credit: float = 0.0
    needs_review: bool = False
    comment: str = ""
    written: bool = False

    @property
    def score(self) -> float:
        """The points that count."""
        given = self.auto_score if self.manual_score is None else self.manual_score
        return (given or 0.0) + self.extra_credit


@dataclass(frozen=True, slots=True)
class Marks:
    """What the gradebook has for one submission; `late_penalty` is to be taken off."""

    person: Person
    cells: tuple[CellMark, ...]
    late_penalty: float = 0.0
    submitted_at: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """One student's standing in one assignment.

    Parameters
    ----------
    items : tuple of Item
        One per graded cell; scores, reviews and comments are the gradebook's where it has them.
    late_penalty : float
        In points.
    result : SubmissionResult or None
        What grading found; None where the gradebook alone knows the submission.
    """

    person: Person
    assignment: str
    items: tuple[Item, ...]
    late_penalty: float = 0.0
    submitted_at: str | None = None
    result: SubmissionResult | None = None

    @property
    def score(self) -> float:
        """Points that count, after the penalty for a late hand-in."""
        return max(0.0, sum(item.score for item in self.items) - self.late_penalty)

    @property
    def max_score(self) -> float:
        """The most that can be had without extra credit."""
        return sum(item.max_score for item in self.items)

    @property
    def needs_review(self) -> bool:
        """A person has still to look at something."""
        return any(item.needs_review for item in self.items)

    @property
    def status(self) -> str:
        """As in `fairmark.results.SubmissionStatus`."""
        return self.result.status if self.result else "graded"


def stand(assignment: str, result: SubmissionResult | None, marks: Marks | None) -> Standing:
    """Put what grading found and what the gradebook has together.

    Parameters
    ----------
    assignment : str
    result : SubmissionResult or None
    marks : Marks or None
        At least one of both is there.
    """
    items = {(item.notebook, item.id): item for item in result.items} if result else {}
    for mark in marks.cells if marks else ():
        key = (mark.notebook, mark.cell)
        items[key] = _with_mark(items.get(key) or _blank_item(mark), mark)
    handed_in = result.submission.submitted_at if result else None
    return Standing(
        person=marks.person if marks else Person(result.submission.student if result else ""),
        assignment=assignment,
        items=tuple(items.values()),
        late_penalty=marks.late_penalty if marks else 0.0,
        submitted_at=handed_in or (marks.submitted_at if marks else None),
        result=result,
    )


def _blank_item(mark: CellMark) -> Item:
    kind: Kind = "written" if mark.written else "code"
    return Item(mark.cell, mark.notebook, kind, mark.cell, "skipped", 0.0, mark.max_score)


def _with_mark(item: Item, mark: CellMark) -> Item:
    """Return an item with what the gradebook says about its cell."""
    by_hand = mark.manual_score is not None or mark.extra_credit
    message = "\n".join(filter(None, (item.message, mark.comment)))
    if not by_hand and item.status != "skipped":
        return replace(item, message=message, needs_review=mark.needs_review)
    status = item.status if mark.needs_review and not by_hand else _status(mark.score, mark.max_score)
    if by_hand and not mark.comment:
        message = item.message if item.kind != "written" else ""
    return replace(item, score=mark.score, status=status, message=message, needs_review=mark.needs_review)


def _status(score: float, most: float) -> Status:
    return "passed" if score >= most else "partial" if score > 0 else "failed"


def show_to_student(
    items: Iterable[Item], *, past_due: bool = False, published: bool = False
) -> tuple[Item, ...]:
    """Return what a student may see of items: one line stands for all that is not shown.

    Parameters
    ----------
    items : iterable of Item
    past_due, published : bool
        Whether items that are shown from then on are shown.
    """
    words = (
        {"visible"}
        | ({"after_due_date"} if past_due else set())
        | ({"after_published"} if published else set())
    )
    items = tuple(items)
    shown = [item for item in items if item.visibility in words]
    rest = [item for item in items if item.visibility not in words]
    if rest:
        most, score = sum(item.max_score for item in rest), sum(item.score for item in rest)
        status = "skipped" if any(item.needs_review for item in rest) else _status(score, most)
        shown.append(Item("not-shown", "", "code", f"{len(rest)} not shown", status, score, most))
    return tuple(shown)
