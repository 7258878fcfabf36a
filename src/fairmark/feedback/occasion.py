"""What a student may read of each item, and when: the author's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from fairmark.results import Visibility


@dataclass(frozen=True, slots=True)
class Occasion:
    """When pages are made, and what had happened by then.

    Parameters
    ----------
    now : datetime
        With a time zone.
    due : datetime or None
        An assignment that is never due counts as one that was due.
    published : bool
        The instructor has published the grades.
    """

    now: datetime
    due: datetime | None = None
    published: bool = False

    @property
    def is_past_due(self) -> bool:
        """Whether everybody has handed in."""
        return self.due is None or self.due <= self.now

    def shows_points(self, visibility: Visibility) -> bool:
        """Tell whether points and verdict may be read: they can give an answer away, too."""
        return {
            "visible": True,
            "hidden": self.is_past_due or self.published,
            "after_due_date": self.is_past_due or self.published,
            "after_published": self.published,
        }[visibility]

    def shows_details(self, visibility: Visibility) -> bool:
        """Tell whether messages, hints, keys, explanations and pictures may be read."""
        return visibility != "hidden" and self.shows_points(visibility)

    def tell_when(self, visibility: Visibility) -> str:
        """Return when the student can read more, as a sentence; empty where everything can be read."""
        if self.shows_points(visibility):
            return "" if visibility != "hidden" else "Your teacher keeps the details of this one back."
        if visibility == "after_published":
            return "Told when the grades are published."
        assert self.due is not None  # noqa: S101 - else it would be past due; for the type checker
        return f"Told after the due date, {self.due:%d %B %Y, %H:%M} UTC."
