"""A course is read as nbgrader reads it; what was handed in cannot do harm by being read."""

import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import nbgrader
import pytest
from courses import (
    HIDDEN,
    QUESTION,
    answer,
    cells,
    check,
    code,
    make_course,
    markdown,
    notebook,
    question,
    run_nbgrader,
    write,
    written,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fairmark import course as course_module
from fairmark.course import (
    collect_files,
    faults_of_release,
    find_faults,
    find_oddities,
    open_course,
    read_notebook,
)
from fairmark.errors import AuthorError, Ungradable, UsageError


@pytest.fixture
def course(tmp_path):
    """A course whose one notebook has a cell of each kind."""
    return make_course(tmp_path)


def messages(faults):
    return "\n".join(map(str, faults))


# --- the course and its assignments


def test_importing_fairmark_is_light():
    """Neither nbgrader nor nbformat is imported before it is needed."""
    program = "import fairmark, fairmark.course, sys; print({'nbgrader', 'nbformat'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
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
    (tmp_path / "submitted" / "ps2" / "ann").mkdir(parents=True)
    course = open_course(tmp_path)
    assert course.assignments() == ("ps2",)
    assert course.autograded("ann", "ps2") == tmp_path / "autograded" / "ps2" / "ann"
    assert course.db_url == f"sqlite:///{tmp_path}/marks.db"
    assert [submission.student for submission in course.submissions("ps2")] == ["ann"]


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
        course.assignment("ps")


def test_released_cells_lack_solutions_and_keys_but_not_hidden_tests(course):
    """The two versions of a notebook go cell by cell and have the same checksums."""
    (made,) = course.assignment("ps1").notebooks
    assert [cell.id for cell in made.node.cells] == [cell.id for cell in made.released.cells]
    full, released = (nbformat.writes(node) for node in (made.node, made.released))
    for secret in ("fmean", "[x] seven", "Seven is a number", "Because of the mean"):
        assert secret in full
        assert secret not in released
    assert "7.5" in released
    assert made.released.cells[6].metadata.fairmark == {"kind": "one"}
    for one, other in zip(made.node.cells, made.released.cells, strict=True):
        assert one.metadata.get("nbgrader", {}).get("checksum") == other.metadata.get("nbgrader", {}).get(
            "checksum"
        )


def test_what_the_gradebook_keeps_is_what_nbgrader_writes(released):
    """`released` without hidden tests is, cell by cell, what nbgrader's own command gives to students."""
    handed = nbformat.read(released.release("ps1") / "numbers.ipynb", as_version=4)
    (made,) = released.assignment("ps1").notebooks
    assert [(cell.id, cell.source) for cell in handed.cells] == [
        (cell.id, cell.source.split("\n### BEGIN HIDDEN")[0]) for cell in made.released.cells
    ]
    assert handed.cells[6].metadata == made.released.cells[6].metadata


def test_nbgraders_own_example_course_is_read(tmp_path):
    """The course of ``nbgrader quickstart``, with its header notebook and cells without ids, works."""
    source = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide" / "source"
    shutil.copytree(source / "ps1", tmp_path / "source" / "ps1")
    shutil.copy(source / "header.ipynb", tmp_path / "source")
    (tmp_path / "nbgrader_config.py").write_text(
        'get_config().IncludeHeaderFooter.header = "source/header.ipynb"\n'
    )
    assignment = open_course(tmp_path).assignment("ps1")
    first, second = assignment.notebooks
    assert (first.name, second.name) == ("problem1", "problem2")
    assert first.node.cells[1].source.startswith("NAME =")
    assert [path.name for path in assignment.files] == ["jupyter.png"]
    ids = [cell.id for cell in first.node.cells]
    assert len(set(ids)) == len(ids)
    assert assignment == open_course(tmp_path).assignment("ps1")


def test_the_digest_changes_with_notebooks_and_files(course):
    """A regrade is due when a test, a key or a data file changed."""
    before = course.assignment("ps1").sha256
    assert course.assignment("ps1").sha256 == before
    (course.source("ps1") / "data.csv").write_text("1,2\n")
    with_file = course.assignment("ps1").sha256
    write(course.source("ps1") / "numbers.ipynb", notebook(*cells(), question(grade_id="more")))
    assert len({before, with_file, course.assignment("ps1").sha256}) == 3


def test_copied_cells_get_ids_that_stay(tmp_path):
    """Two cells with one cell id, as copying makes them, get the same ids whenever the source is read."""
    course = make_course(tmp_path, {"n": notebook(code("x = 1", "twin"), code("x = 2", "twin"))})
    first, second = (course.assignment("ps1").notebooks[0].released for _ in range(2))
    assert first == second
    assert len({cell.id for cell in first.cells}) == 2


def test_pictures_of_model_answers_are_not_released(tmp_path):
    """nbgrader empties a written answer but leaves what is attached to it; we do not."""
    model = written("See ![](attachment:proof.png)")
    model["attachments"] = {"proof.png": {"image/png": "iVBORw0KGgo="}}
    course = make_course(tmp_path, {"n": notebook(model)})
    (made,) = course.assignment("ps1").notebooks
    assert made.released.cells[0].attachments == {}
    run_nbgrader(course.root, "generate_assignment", "ps1")
    assert "proof.png" not in (course.release("ps1") / "n.ipynb").read_text()


def test_the_secret_is_made_once_and_only_the_owner_reads_it(course):
    """32 random bytes that stay the same."""
    secret = course.secret()
    assert len(secret) == 32
    assert course.secret() == secret
    assert stat.S_IMODE((course.root / ".fairmark" / "secret").stat().st_mode) == 0o600
    assert [path.name for path in (course.root / ".fairmark").iterdir()] == ["secret"]


# --- faults of authors


def bad_points(points):
    cell = check()
    cell.metadata.nbgrader["points"] = points
    return cell


def old_schema():
    cell = check()
    cell.metadata.nbgrader["schema_version"] = 2
    return cell


def no_name():
    return code("x = 1", "c", grade_id="", solution=True)


def odd_name():
    return code("x = 1", "c", grade_id="a b", solution=True)


def no_points():
    cell = check()
    del cell.metadata.nbgrader["points"]
    return cell


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        ([answer(), answer()], "mean: 2 cells have this grade_id"),
        ([no_points()], "mean-test: has no points"),
        ([bad_points(-1)], "negative points"),
        ([bad_points("4")], "points that are no number"),
        ([old_schema()], "nbgrader update"),
        ([check(extra=1)], "nbgrader does not accept"),
        ([no_name()], "cell 1: has no grade_id"),
        ([odd_name()], "nbgrader does not accept"),
        ([answer("### BEGIN SOLUTION\nx = 1")], "begins, but never ends"),
        ([answer("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION")], "begins within another"),
        ([answer("x = 1\n### END SOLUTION")], "ends, but none began"),
        (
            [code("### BEGIN SOLUTION\n### END SOLUTION", "c")],
            "cell 1: has a solution region, but is not an answer",
        ),
        ([check("### BEGIN HIDDEN TESTS\nassert 1")], "hidden-test region begins, but never ends"),
        ([answer(HIDDEN)], "hidden-test region, but is not an automatic test"),
        ([markdown("Why?", "m", grade_id="m", grade=True, points=1)], "automatic test, but Markdown"),
        ([markdown("Why?", "m", grade_id="m", solution=True)], "Markdown without points"),
        ([code("1", "t", grade_id="t", task=True, points=1)], "is a task, but not Markdown"),
        ([question(QUESTION.replace("[x]", "[ ]"))], "colours: "),
        ([markdown("Read.", "m", fairmark={"kind": "one"})], "quiz settings but is not graded"),
    ],
)
def test_an_authors_fault_is_told_with_its_place(tmp_path, faulty, message):
    """Each fault names the file, the cell and what is wrong."""
    course = make_course(tmp_path, {"n": notebook(*faulty)})
    told = messages(find_faults(course, "ps1"))
    assert message in told
    assert "source/ps1/n.ipynb" in told
    with pytest.raises(AuthorError):
        course.assignment("ps1")


def test_all_faults_are_told_at_once(tmp_path):
    """Several notebooks with several faults give one list."""
    broken = {"a": notebook(no_points(), answer("### BEGIN SOLUTION")), "b": notebook(bad_points(-1))}
    course = make_course(tmp_path, broken)
    (course.source("ps1") / "c.ipynb").write_text("{")
    told = messages(find_faults(course, "ps1"))
    for message in ("has no points", "never ends", "negative points", "this is no notebook"):
        assert message in told


def test_names_that_other_systems_cannot_hold_are_faults(tmp_path):
    """Students work on systems that know no colons and no difference of case."""
    course = make_course(tmp_path, {name: notebook(*cells()) for name in ("Week 1", "week 1", "a:b")})
    told = messages(find_faults(course, "ps1"))
    assert "same name" in told
    assert "a:b.ipynb: the name has characters" in told


def test_a_missing_header_is_a_fault(tmp_path):
    """The header notebook that the configuration names has to be there."""
    course = make_course(tmp_path, config='c.IncludeHeaderFooter.header = "source/header.ipynb"')
    assert "source/header.ipynb" in messages(find_faults(course, "ps1"))


def test_a_good_course_has_no_faults(course):
    """Nothing is told about a course that is right."""
    assert find_faults(course, "ps1") == ()


# --- what a release gives away


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A course folder with its release made by nbgrader's own command."""
    course = make_course(tmp_path_factory.mktemp("generated"))
    run_nbgrader(course.root, "generate_assignment", "ps1")
    return course.root


@pytest.fixture
def released(generated, tmp_path):
    """A course of one's own with that release."""
    return open_course(shutil.copytree(generated, tmp_path / "course"))


def leak(course, number, **changes):
    path = course.release("ps1") / "numbers.ipynb"
    node = nbformat.read(path, as_version=4)
    node.cells[number].update(changes)
    write(path, node)
    return messages(faults_of_release(course, course.assignment("ps1"), course.release("ps1")))


def test_a_good_release_gives_nothing_away(released):
    """The release of nbgrader's own command is clean."""
    assert faults_of_release(released, released.assignment("ps1"), released.release("ps1")) == ()


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (3, {"source": "def mean(numbers):\n    return statistics.fmean(numbers)"}, "mean: gives away"),
        (5, {"source": HIDDEN}, "mean-test: gives away"),
        (5, {"source": "### BEGIN HIDDEN TESTS"}, "still holds the mark"),
        (6, {"source": QUESTION}, "colours: still shows the key"),
        (6, {"source": "> Seven is a number, whatever it looks like."}, "colours: gives away"),
        (1, {"outputs": [nbformat.v4.new_output("stream", text="1")]}, "holds outputs"),
        (7, {"source": "Because of the mean."}, "why: gives away"),
        (0, {"metadata": {"note": "assert mean([2, 4, 8, 16]) == 7.5"}}, "gives away"),
        (7, {"attachments": {"proof.png": {"image/png": "iVBORw0KGgo="}}}, "picture of the model answer"),
    ],
)
def test_a_release_that_gives_something_away_is_told(released, number, changes, message):
    """Solutions, hidden tests, keys, explanations and outputs are found cell by cell."""
    assert message in leak(released, number, **changes)


def test_forgotten_notebooks_in_a_release_are_told(released):
    """A checkpoint may hold what the release does not."""
    write(released.release("ps1") / ".ipynb_checkpoints" / "numbers.ipynb", notebook())
    assert "not in the source" in messages(
        faults_of_release(released, released.assignment("ps1"), released.release("ps1"))
    )


# --- reading what was handed in


def hand_in(course, student, content=None, name="numbers.ipynb"):
    folder = course.root / "submitted" / student / "ps1"
    folder.mkdir(parents=True, exist_ok=True)
    if content is not None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


GOOD = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []})


def test_submissions_are_found_with_time_and_notebooks(course):
    """Student, notebooks and the time of handing in, in UTC."""
    folder = hand_in(course, "ann", GOOD)
    (folder / "timestamp.txt").write_text("2026-05-04 10:00:00 +0200")
    hand_in(course, "bob")
    ann, bob = course.submissions("ps1")
    assert (ann.student, ann.notebooks) == ("ann", ("numbers",))
    assert ann.timestamp == datetime(2026, 5, 4, 8, tzinfo=UTC)
    assert (bob.notebooks, bob.timestamp, bob.notes) == ((), None, ())
    assert course.submissions("ps1", ["bob", "nobody"]) == (bob,)


def test_an_unreadable_time_costs_only_the_time(course):
    """Nonsense in timestamp.txt is told, and the submission is still there."""
    (hand_in(course, "ann", GOOD) / "timestamp.txt").write_text("yesterday")
    (submission,) = course.submissions("ps1")
    assert submission.timestamp is None
    assert "timestamp.txt" in submission.notes[0]


def test_links_are_found_by_name_and_not_followed(course, tmp_path_factory):
    """A folder that is a link is reported; a notebook that is a link is not among the notebooks."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "ps1").mkdir()
    (elsewhere / "ps1" / "numbers.ipynb").write_text(GOOD)
    (course.root / "submitted").mkdir()
    (course.root / "submitted" / "eve").symlink_to(elsewhere)
    (hand_in(course, "mallory") / "numbers.ipynb").symlink_to(course.source("ps1") / "numbers.ipynb")
    eve, mallory = course.submissions("ps1")
    assert (eve.notebooks, mallory.notebooks) == ((), ())
    assert "link" in eve.notes[0]
    assert "not an ordinary file" in mallory.notes[0]


def test_folder_names_that_no_database_can_hold_are_made_printable(course):
    """A name with control characters or broken encoding becomes a name that can be written down."""
    for name in (b"a\nb", b"\xff\xfe"):
        hand_in(course, os.fsdecode(name))
    for submission in course.submissions("ps1"):
        submission.student.encode("utf-8")
        assert submission.student.isprintable()


def test_a_good_notebook_is_read(course):
    """Also with a byte order mark."""
    folder = hand_in(course, "ann", b"\xef\xbb\xbf" + GOOD.encode())
    assert read_notebook(folder / "numbers.ipynb").cells == []


def test_an_old_notebook_is_upgraded(course):
    """Format 3, with its worksheets, is read as format 4."""
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [
        {"cell_type": "code", "input": "x = 1", "outputs": [], "language": "python", "collapsed": False}
    ]}]}  # fmt: skip
    folder = hand_in(course, "ann", json.dumps(old))
    assert read_notebook(folder / "numbers.ipynb").cells[0].source == "x = 1"


BROKEN = {
    "empty": (b"", "empty"),
    "cut off": (GOOD[:-10].encode(), "not JSON"),
    "html": (b"<html>", "not JSON"),
    "a list": (b"[]", "no notebook"),
    "latin 1": ('{"nbformat": 4, "x": "ä"}'.encode("latin-1"), "UTF-8"),
    "no cells": (b'{"nbformat": 4}', "cells"),
    "version 2": (b'{"nbformat": 2}', "format"),
    "version 99": (b'{"nbformat": 99}', "format"),
    "broken version 3": (b'{"nbformat": 3, "worksheets": 7}', "old format"),
    "deep": (b'{"nbformat": 4, "cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deep"),
    "many values": (b'{"nbformat": 4, "cells": [' + b"1," * 5_000_001 + b"1]}", "too much"),
    "a long number": (b'{"nbformat": 4, "cells": ' + b"1" * 10_000 + b"}", "not JSON"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_ungradable_with_a_sentence(course, case):
    """Every broken file ends in a message for the student."""
    content, message = BROKEN[case]
    folder = hand_in(course, "ann", content)
    with pytest.raises(Ungradable, match=message):
        read_notebook(folder / "numbers.ipynb")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_raises_anything_else(tmp_path_factory, content):
    """Whatever the bytes are, the answer is a notebook or `Ungradable`."""
    path = tmp_path_factory.mktemp("any") / "n.ipynb"
    path.write_bytes(content)
    with pytest.raises(Ungradable):
        read_notebook(path)


def test_links_pipes_folders_and_giants_are_not_read(course, monkeypatch):
    """Nothing is followed, nothing blocks, nothing large is taken in."""
    folder = hand_in(course, "ann", GOOD)
    (folder / "link.ipynb").symlink_to("numbers.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "folder.ipynb").mkdir()
    monkeypatch.setattr(course_module, "MAX_NOTEBOOK_BYTES", 10)
    for name, message in (
        ("link", "link"),
        ("pipe", "not an ordinary file"),
        ("folder", "not an ordinary file"),
        ("numbers", "larger than"),
        ("nothing", "missing"),
    ):
        with pytest.raises(Ungradable, match=message):
            read_notebook(folder / f"{name}.ipynb")


# --- files beside the notebooks


def collect(course):
    (submission,) = course.submissions("ps1")
    return collect_files(course, course.assignment("ps1"), submission)


def test_data_and_modules_of_the_student_are_collected(course):
    """Files in folders keep their relative names; caches and notebooks are not taken."""
    folder = hand_in(course, "ann", GOOD)
    (folder / "pkg" / "__pycache__").mkdir(parents=True)
    (folder / "pkg" / "helper.py").write_text("x = 1")
    (folder / "pkg" / "__pycache__" / "helper.pyc").write_bytes(b"")
    (folder / "data.csv").write_text("1")
    assert collect(course).files == (("data.csv", b"1"), ("pkg/helper.py", b"x = 1"))


def test_the_instructors_files_win_unless_the_course_says_otherwise(tmp_path):
    """A student's file of the same name counts only where students are meant to change it."""
    config = 'c.Autograde.exclude_overwriting = {"ps1": ["mine.py"]}'
    course = make_course(tmp_path, config=config)
    for name in ("given.py", "mine.py"):
        (course.source("ps1") / name).write_text("instructor")
        (hand_in(course, "ann", GOOD) / name).write_text("student")
    assert collect(course).files == (("mine.py", b"student"),)


def test_links_and_pipes_beside_the_notebook_are_left_out_and_told(course):
    """A link to the solution, to a folder or to a device, and a pipe, are not taken."""
    folder = hand_in(course, "ann", GOOD)
    (folder / "solution").symlink_to(course.source("ps1") / "numbers.ipynb")
    (folder / "everything").symlink_to("/")
    (folder / "zero").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    collected = collect(course)
    assert collected.files == ()
    assert len(collected.notes) == 4


def test_files_in_the_way_of_grading_are_left_out(tmp_path):
    """A folder named as the notebook, a result document, a file in place of the instructor's folder."""
    course = make_course(tmp_path)
    (course.source("ps1") / "data").mkdir()
    (course.source("ps1") / "data" / "a.csv").write_text("1")
    folder = hand_in(course, "ann", GOOD)
    (folder / "other.ipynb").mkdir()
    for name in ("other.ipynb/x", "result.json", "data"):
        (folder / name).write_text("x")
    collected = collect(course)
    assert collected.files == ()
    assert len(collected.notes) == 3


def test_size_and_number_of_files_are_limited(course, monkeypatch):
    """What is too much is left out, and that is told."""
    folder = hand_in(course, "ann", GOOD)
    for number in range(5):
        (folder / f"{number}.txt").write_bytes(b"x" * 10)
    monkeypatch.setattr(course_module, "MAX_FILES_BYTES", 25)
    assert [name for name, _ in collect(course).files] == ["0.txt", "1.txt"]
    monkeypatch.setattr(course_module, "MAX_FILES", 1)
    collected = collect(course)
    assert len(collected.files) == 1
    assert "More than 1 files" in collected.notes[-1]


def test_very_deep_folders_are_left_out(course):
    """A tower of folders ends where nobody would put a file."""
    folder = hand_in(course, "ann", GOOD)
    for _ in range(40):
        folder /= "d"
        folder.mkdir()
    (folder / "deep.txt").write_text("x")
    collected = collect(course)
    assert collected.files == ()
    assert "too many folders" in collected.notes[0]


def test_odd_names_are_left_out(course):
    """A name with a line break or a broken encoding is told in a harmless form."""
    folder = hand_in(course, "ann", GOOD)
    for name in (b"a\nb.txt", b"\xff.txt"):
        (folder / os.fsdecode(name)).write_text("x")
    collected = collect(course)
    assert collected.files == ()
    assert all(note.isprintable() for note in collected.notes)


def test_oddities_are_named_for_nbgraders_own_intake(course):
    """nbgrader copies what links lead to and waits for pipes: it is told what to leave out."""
    folder = hand_in(course, "ann", GOOD)
    assert find_oddities(course, folder) == ()
    (folder / "link").symlink_to("/etc/hostname")
    assert find_oddities(course, folder) == (folder / "link",)
    os.mkfifo(folder / "timestamp.txt")
    assert find_oddities(course, folder) is None
    (course.root / "submitted" / "eve").symlink_to("ann")
    assert find_oddities(course, course.root / "submitted" / "eve" / "ps1") is None
