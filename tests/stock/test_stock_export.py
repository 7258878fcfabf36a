"""nbgrader's tests of `nbgrader export`."""

from nbgrader.tests.apps.test_nbgrader_export import TestNbGraderExport

__all__ = ["TestNbGraderExport"]
