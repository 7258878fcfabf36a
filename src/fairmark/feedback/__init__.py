"""A student's page: one self-contained HTML file per notebook that says what works, what not, and why."""

from fairmark.feedback.cards import Sheet
from fairmark.feedback.occasion import Occasion
from fairmark.feedback.page import make_page

__all__ = ["Occasion", "Sheet", "make_page"]
