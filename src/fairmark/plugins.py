"""The tables as plug-ins of nbgrader: ``nbgrader export --exporter=fairmark.plugins.WideTable``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbgrader.plugins import ExportPlugin

from fairmark import exporters
from fairmark.course import Course
from fairmark.standings import read_standings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairmark.exporters import Standing


class WideTable(ExportPlugin):  # type: ignore[misc]
    """One line a student and assignment."""

    def write(self, standings: Sequence[Standing]) -> str:
        """Return the table."""
        return exporters.write_wide_table(standings)

    def export(self, gradebook: Any) -> None:
        """Write the file that ``--to`` names, or ``grades.csv``."""
        converter = self.parent
        course = Course(Path(converter.coursedir.root), converter.config, converter.coursedir)
        wanted = [str(each) for each in self.assignment] or [each.name for each in gradebook.assignments]
        students = tuple(str(each) for each in self.student)
        standings = [each for name in sorted(wanted) for each in read_standings(course, name, students)]
        path = Path(self.to or "grades.csv")
        path.write_text(self.write(standings), encoding="utf-8", newline="")
        self.log.info("Wrote %s", path)


class LongTable(WideTable):
    """One line a student and graded cell."""

    def write(self, standings: Sequence[Standing]) -> str:
        """Return the table."""
        return exporters.write_long_table(standings)


class Moodle(WideTable):
    """Moodle's offline grading worksheet."""

    def write(self, standings: Sequence[Standing]) -> str:
        """Return the table."""
        return exporters.write_moodle(standings)


class Canvas(WideTable):
    """Canvas's gradebook."""

    def write(self, standings: Sequence[Standing]) -> str:
        """Return the table."""
        return exporters.write_canvas(standings)
