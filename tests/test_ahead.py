"""Submissions are graded before they are asked for, and everybody gets what was handed in then."""

import pytest
from courses import RIGHT_ANSWER, hand_in, make_course
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from scores import read_scores

from fairmark.ahead import Ahead
from fairmark.authoring import read_assignment
from fairmark.batch import open_session
from fairmark.course import open_course
from fairmark.gradebook.assignments import ensure_assignment
from fairmark.intake import find_submissions

# SQLAlchemy, of how nbgrader adds a submission
pytestmark = pytest.mark.filterwarnings("ignore:Object of type")

WRONG_ANSWER = "def mean(numbers):\n    return 0"
HOOK = """
def correct(notebooks, **_):
    from pathlib import Path
    for path in map(Path, notebooks):
        path.write_text(path.read_text().replace("return 0", "return sum(numbers) / len(numbers)"))
c.Autograde.pre_convert_hook = correct
"""


@pytest.fixture
def course(tmp_path):
    """A class of four, of whom one is wrong."""
    made = make_course(tmp_path)
    for student in ("ann", "bob", "cem"):
        hand_in(made, student)
    hand_in(made, "dee", WRONG_ANSWER)
    return made


def autograde(course):
    """Let nbgrader grade the class."""
    ensure_assignment(course, read_assignment(course, "ps1"))
    directory = CourseDirectory(root=str(course.root), assignment_id="ps1", config=course.config)
    Autograde(coursedir=directory, config=course.config).start()


def points(outcome):
    _, written = outcome
    return sum(item.score for item in written.result.items)


def test_everybody_gets_their_own_marks_in_whatever_order_they_are_asked_for(course):
    """One was expected first and comes last, one was never expected, one has handed in again meanwhile."""
    ann, bob, cem, dee = find_submissions(course, "ps1")
    with open_session(course, "ps1", workers=2) as session:
        ahead = Ahead(session, (dee, ann, cem))
        first = {"ann": points(ahead.grade(ann)), "bob": points(ahead.grade(bob))}
        hand_in(course, "cem", WRONG_ANSWER)
        parcel, written = ahead.grade(cem)
        assert b"return 0" in parcel.notebooks["numbers"]
        last = {"cem": points((parcel, written)), "dee": points(ahead.grade(dee))}
        again = points(ahead.grade(ann))
    assert (first, last, again) == ({"ann": 6, "bob": 6}, {"cem": 2, "dee": 2}, 6)


def test_what_fails_is_the_failure_of_the_one_who_is_asked_for(course, monkeypatch):
    """The others are graded, before and after."""
    ann, bob, cem, _ = find_submissions(course, "ps1")
    with open_session(course, "ps1", workers=1) as session:
        grade = session.crew.grade

        def fail_for_bob(submissions, read, meanwhile=None):
            for submission, parcel, written in grade(submissions, read, meanwhile):
                yield submission, parcel, OSError("no more") if submission == bob else written

        monkeypatch.setattr(session.crew, "grade", fail_for_bob)
        ahead = Ahead(session, (ann, bob, cem))
        assert points(ahead.grade(ann)) == 6
        with pytest.raises(OSError, match="no more"):
            ahead.grade(bob)
        assert points(ahead.grade(cem)) == 6


def test_nbgraders_own_hook_may_still_change_what_was_handed_in(course):
    """It is called for one student after the other, when the next one's work was graded already."""
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(HOOK)
    autograde(open_course(course.root))
    assert {score.score for score in read_scores(course, "ps1")} == {6}


def test_what_nbgrader_would_leave_out_is_not_graded_ahead(course, monkeypatch):
    """Without --force only those are graded again who have handed in again."""
    expected = []
    begin = Ahead.__init__

    def note(self, session, upcoming):
        expected.append([submission.student for submission in upcoming])
        begin(self, session, upcoming)

    monkeypatch.setattr(Ahead, "__init__", note)
    for student in ("ann", "bob", "cem", "dee"):
        (course.submitted(student, "ps1") / "timestamp.txt").write_text("2026-01-01 10:00:00 UTC")
    autograde(course)
    hand_in(course, "dee", RIGHT_ANSWER)
    (course.submitted("dee", "ps1") / "timestamp.txt").write_text("2026-01-02 10:00:00 UTC")
    autograde(course)
    assert expected == [["ann", "bob", "cem", "dee"], ["dee"]]
    assert {score.student: score.score for score in read_scores(course, "ps1")}["dee"] == 6
