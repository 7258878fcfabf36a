"""nbgrader's tests of `nbgrader autograde`."""

from nbgrader.tests.apps.test_nbgrader_autograde import TestNbGraderAutograde

__all__ = ["TestNbGraderAutograde"]
