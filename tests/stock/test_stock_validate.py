"""nbgrader's tests of `nbgrader validate`."""

from nbgrader.tests.apps.test_nbgrader_validate import TestNbGraderValidate

__all__ = ["TestNbGraderValidate"]
