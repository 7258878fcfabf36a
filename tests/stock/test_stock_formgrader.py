"""nbgrader's tests of what formgrader's buttons do."""

import pytest
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.tests.apps import test_api as stock
from nbgrader.tests.apps.base import BaseTestApp
from traitlets.config import Config

import fairmark


@pytest.fixture
def api(course_dir, db, exchange, cache):
    """As nbgrader's, with fairmark switched on."""
    config = Config()
    config.CourseDirectory.course_id = "abc101"
    config.Exchange.root = exchange
    config.Exchange.cache = cache
    config.CourseDirectory.root = course_dir
    config.CourseDirectory.db_url = db
    fairmark.enable(config)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


class TestFormgrader(BaseTestApp):
    """Those that release, grade or write feedback."""

    test_get_autograded_students = stock.TestNbGraderAPI.test_get_autograded_students
    test_generate_assignment = stock.TestNbGraderAPI.test_generate_assignment
    test_autograde = stock.TestNbGraderAPI.test_autograde
    test_generate_feedback = stock.TestNbGraderAPI.test_generate_feedback
