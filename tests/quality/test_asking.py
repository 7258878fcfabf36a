"""A student's repository is graded in a notebook's cell: the grader looks, the test in its room judges."""

import pytest
from courses import answer, check, make_course, notebook, write
from test_quality import GOOD

from fairmark.batch import grade_assignment
from fairmark.release import release_assignment
from fairmark.repository.exercise import SETTINGS_FILE
from fairmark.repository.forge import Forge, Signature

POINTS = {"licence": 2, "citation": 2, "readme": 1, "dependencies": 1, "large_files": 1, "messages": 1}
EXERCISE = f"""from pathlib import Path

from fairmark.quality import Checklist

tidy = Checklist("Your repository", {POINTS}, folder=Path(__file__).parent)
"""
ADDRESS = """### BEGIN SOLUTION
repository = "https://github.com/course/example"
### END SOLUTION"""
TEST = """### BEGIN HIDDEN TESTS
from autograder.ps1 import tidy
tidy.grade_repository(repository)
### END HIDDEN TESTS"""


def cells(address=ADDRESS):
    return notebook(answer(address, "address"), check(TEST, "tidy", points=sum(POINTS.values())))


@pytest.fixture(scope="module")
def class_of_four(tmp_path_factory):
    """A course whose students hand in the addresses of repositories on a forge of this machine."""
    root = tmp_path_factory.mktemp("asking") / "course"
    course = make_course(root, {"tidy": cells()})
    for path, text in {"__init__.py": "", "ps1/__init__.py": EXERCISE}.items():
        (root / "autograder" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "autograder" / path).write_text(text)
    for path, text in GOOD.items():
        (root / "autograder/ps1/reference" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "autograder/ps1/reference" / path).write_text(text)
    (root / ".fairmark").mkdir()
    (root / ".fairmark" / SETTINGS_FILE).write_text("[ps1]\nallow_local = true\n")
    forge = Forge(root / "forge")
    good, poor = forge.create("ada/spots"), forge.create("bob/spots")
    good.commit("main", GOOD, "Count spots in images", Signature("Ada <ada@uni.example>"))
    poor.commit("main", {"count.py": "print(1)\n"}, "upd", Signature("Bob <bob@uni.example>"))
    addresses = {"ada": str(good.folder), "bob": str(poor.folder), "cem": "", "dan": str(root / "nothing")}
    for student, address in addresses.items():
        write(root / f"submitted/{student}/ps1/tidy.ipynb", cells(f"repository = {address!r}"))
    forge.close()
    return course


def test_the_reference_is_proved_by_the_files_that_the_author_lays_down(class_of_four):
    """The release is made: the reference's repository gets full marks, and an empty answer none."""
    release_assignment(class_of_four, "ps1")
    assert (class_of_four.root / "release/ps1/tidy.ipynb").exists()


def test_each_repository_gets_what_it_deserves(class_of_four):
    """Partial points by check; who named no repository, or one that does not exist, is told so."""
    batch = grade_assignment(class_of_four, "ps1", workers=1)
    assert batch.failures == ()
    items = {result.submission.student: result.items[0] for result in batch.results}
    assert {student: (item.kind, item.score) for student, item in items.items()} == {
        "ada": ("git", 8.0),
        "bob": ("git", 1.0),
        "cem": ("git", 0.0),
        "dan": ("git", 0.0),
    }
    assert not any(item.needs_review for item in items.values())
    assert "no address was given yet" in items["cem"].checks[0].message
    assert "no such repository" in items["dan"].checks[0].message
