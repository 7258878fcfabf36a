"""Results in the formats of other programs: each writer is a pure function of `Standing`s or of questions."""

from fairmark.exporters.classroom50 import write_classroom50
from fairmark.exporters.gradescope import write_gradescope
from fairmark.exporters.junit import write_junit
from fairmark.exporters.lms import write_canvas, write_moodle
from fairmark.exporters.markdown import write_markdown
from fairmark.exporters.questions import write_gift, write_moodle_xml
from fairmark.exporters.standing import CellMark, Marks, Person, Standing, show_to_student, stand
from fairmark.exporters.tables import defuse, write_long_table, write_table, write_wide_table

__all__ = [
    "CellMark",
    "Marks",
    "Person",
    "Standing",
    "defuse",
    "show_to_student",
    "stand",
    "write_canvas",
    "write_classroom50",
    "write_gift",
    "write_gradescope",
    "write_junit",
    "write_long_table",
    "write_markdown",
    "write_moodle",
    "write_moodle_xml",
    "write_table",
    "write_wide_table",
]
