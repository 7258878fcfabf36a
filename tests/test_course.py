"""A course is read as nbgrader reads it."""

import stat
import subprocess
import sys

import pytest
from courses import cells, make_course, notebook, write

from fairmark.course import open_course
from fairmark.errors import UsageError
from fairmark.settings import CourseDirectory


def test_importing_fairmark_is_light():
    """Neither nbgrader nor nbformat is imported before it is needed."""
    program = (
        "import fairmark.authoring, fairmark.intake, sys; print({'nbgrader', 'nbformat'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_configuration_is_nbgraders(tmp_path):
    """Folder names, gradebook and structure of the course's own configuration are honoured."""
    config = (
        'c.CourseDirectory.source_directory = "instructor"\n'
        'c.CourseDirectory.directory_structure = "{nbgrader_step}/{assignment_id}/{student_id}"\n'
        'c.CourseDirectory.db_url = "sqlite:///marks.db"\n'
    )
    make_course(tmp_path, config=config)
    write(tmp_path / "instructor" / "ps2" / "numbers.ipynb", notebook(*cells()))
    course = open_course(tmp_path)
    assert course.assignments() == ("ps2",)
    assert course.autograded("ann", "ps2") == tmp_path / "autograded" / "ps2" / "ann"
    assert course.db_url == f"sqlite:///{tmp_path}/marks.db"
    assert course.submitted("ann", "ps2") == tmp_path / "submitted" / "ps2" / "ann"


def test_a_broken_configuration_is_told(tmp_path):
    """An error in nbgrader_config.py is not passed over in silence."""
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n1 / 0\n")
    with pytest.raises(UsageError, match="division by zero"):
        open_course(tmp_path)


def test_a_folder_without_a_course_is_told(tmp_path):
    """Neither configuration nor source folder: the message says what is missing."""
    with pytest.raises(UsageError, match="not a course folder"):
        open_course(tmp_path)


def test_an_unknown_assignment_is_told_with_its_nearest_name(course):
    """A slip of the pen is answered with the name that was meant."""
    with pytest.raises(UsageError, match="Did you mean 'ps1'"):
        course.find_source("ps")


def test_the_secret_is_made_once_and_only_the_owner_reads_it(course):
    """32 random bytes that stay the same."""
    secret = course.secret()
    assert len(secret) == 32
    assert course.secret() == secret
    assert stat.S_IMODE((course.root / ".fairmark" / "secret").stat().st_mode) == 0o600
    assert [path.name for path in (course.root / ".fairmark").iterdir()] == ["secret"]


def test_our_settings_are_nbgraders():
    """The same names, kinds and defaults as in the installed nbgrader, which is not imported to read them."""
    from nbgrader.coursedir import CourseDirectory as Stock  # noqa: PLC0415

    def settings(kind):
        made = kind(root="/somewhere")
        return {
            name: (type(trait).__name__, getattr(made, name))
            for name, trait in kind.class_traits(config=True).items()
        }

    assert settings(CourseDirectory) == settings(Stock)
    ours, stock = CourseDirectory(root="/here"), Stock(root="/here")
    assert ours.format_path("a", "b", "c") == stock.format_path("a", "b", "c")


def test_opening_a_course_does_not_import_nbgrader(course):
    """It takes seconds, and many commands end before it is needed."""
    program = (
        "import sys, fairmark.course as c, fairmark.intake as i; course = c.open_course('.');"
        "i.find_submissions(course, 'ps1'); print({'nbgrader', 'nbformat'} & set(sys.modules))"
    )
    write(course.root / "submitted/ann/ps1/numbers.ipynb", notebook(*cells()))
    (course.root / "submitted/ann/ps1/timestamp.txt").write_text("2026-05-01 12:00:00 UTC")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=course.root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_settings_by_names_of_the_past_are_read_by_nbgrader(tmp_path):
    """A course from years ago keeps its folders."""
    make_course(tmp_path, config='c.NbGrader.submitted_directory = "handed"\nc.NbGrader.course_id = "old"')
    course = open_course(tmp_path)
    assert course.submitted("ann", "ps1") == tmp_path / "handed" / "ann" / "ps1"
    assert course.directory.course_id == "old"
