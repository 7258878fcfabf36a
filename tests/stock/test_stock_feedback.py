"""nbgrader's tests of `nbgrader generate_feedback`."""

from nbgrader.tests.apps.test_nbgrader_generate_feedback import TestNbGraderFeedback

__all__ = ["TestNbGraderFeedback"]
