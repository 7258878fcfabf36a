"""nbgrader's tests of `nbgrader release_feedback`."""

from nbgrader.tests.apps.test_nbgrader_releasefeedback import TestNbGraderReleaseFeedback

__all__ = ["TestNbGraderReleaseFeedback"]
