"""What a class's results say, as plain figures: pure functions over result documents, and a page of them."""

from fairmark.statistics.figures import ClassWork, Figures, count
from fairmark.statistics.page import make_report
from fairmark.statistics.tables import Table, list_tables, to_csv, to_document

__all__ = ["ClassWork", "Figures", "Table", "count", "list_tables", "make_report", "to_csv", "to_document"]
