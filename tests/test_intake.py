"""What was handed in cannot do harm by being found and read."""

import json
import os
from datetime import UTC, datetime

import pytest
from courses import make_course
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.utils import parse_utc

from fairmark import intake
from fairmark.authoring import read_assignment
from fairmark.errors import Ungradable
from fairmark.intake import (
    collect_files,
    find_submissions,
    is_active,
    is_entered,
    parse_time,
    read_notebook,
    read_timestamp,
)


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
    ann, bob = find_submissions(course, "ps1")
    assert (ann.student, ann.notebooks) == ("ann", ("numbers",))
    assert ann.timestamp == datetime(2026, 5, 4, 8, tzinfo=UTC)
    assert (bob.notebooks, bob.timestamp, bob.notes) == ((), None, ())
    assert find_submissions(course, "ps1", ["bob", "nobody"]) == (bob,)


def test_submissions_are_found_where_the_course_keeps_them(tmp_path):
    """The structure of the course's own configuration is honoured."""
    structure = "{nbgrader_step}/{assignment_id}/{student_id}"
    course = make_course(tmp_path, config=f'c.CourseDirectory.directory_structure = "{structure}"')
    course.submitted("ann", "ps1").mkdir(parents=True)
    assert [submission.student for submission in find_submissions(course, "ps1")] == ["ann"]


def test_an_unreadable_time_costs_only_the_time(course):
    """Nonsense in timestamp.txt is told, and the submission is still there."""
    (hand_in(course, "ann", GOOD) / "timestamp.txt").write_text("yesterday")
    (submission,) = find_submissions(course, "ps1")
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
    eve, mallory = find_submissions(course, "ps1")
    assert (eve.notebooks, mallory.notebooks) == ((), ())
    assert "link" in eve.notes[0]
    assert "not an ordinary file" in mallory.notes[0]


def test_folder_names_that_no_database_can_hold_are_made_printable(course):
    """A name with control characters or broken encoding becomes a name that can be written down."""
    for name in (b"a\nb", b"\xff\xfe"):
        hand_in(course, os.fsdecode(name))
    for submission in find_submissions(course, "ps1"):
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
    "old and endless": (
        b'{"nbformat": 3, "worksheets": [{"cells": [' + b"{}," * 200_000 + b"{}]}]}",
        "too much",
    ),
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
    monkeypatch.setattr(intake, "MAX_NOTEBOOK_BYTES", 10)
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
    (submission,) = find_submissions(course, "ps1")
    return collect_files(course, read_assignment(course, "ps1"), submission)


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


def test_of_thousands_of_links_the_first_are_told(course):
    """Beside the notebook, and in the place of notebooks."""
    folder = hand_in(course, "ann", GOOD)
    for number in range(intake.MAX_NOTES + 20):
        (folder / f"{number}.txt").symlink_to("/")
        (folder / f"{number}.ipynb").symlink_to("/")
    (submission,) = find_submissions(course, "ps1")
    for notes, others in ((submission.notes, 20), (collect(course).notes, intake.MAX_NOTES + 40)):
        assert len(notes) == intake.MAX_NOTES + 1
        assert notes[-1] == f"There are {others} more such notes."


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


@pytest.mark.parametrize(
    "name", ["a.html", "b/c.SVG", "data:,x.html", "data:text/plain,a.xhtml", "a.html.gz"]
)
def test_what_a_browser_might_run_is_told_by_its_whole_name(name):
    """Also where the name reads as an address that says of what type it is."""
    assert is_active(name)
    assert not is_active(name + ".csv")


def test_size_and_number_of_files_are_limited(course, monkeypatch):
    """What is too much is left out, and that is told."""
    folder = hand_in(course, "ann", GOOD)
    for number in range(5):
        (folder / f"{number}.txt").write_bytes(b"x" * 10)
    monkeypatch.setattr(intake, "MAX_FILES_BYTES", 25)
    assert [name for name, _ in collect(course).files] == ["0.txt", "1.txt"]
    monkeypatch.setattr(intake, "MAX_FILES", 1)
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


def test_folders_that_are_links_are_not_entered(course):
    """nbgrader would grade, under one name, what lies under another."""
    folder = hand_in(course, "ann", GOOD)
    assert is_entered(course, folder)
    (course.root / "submitted" / "eve").symlink_to("ann")
    assert not is_entered(course, course.root / "submitted" / "eve" / "ps1")
    assert not is_entered(course, course.root / "submitted" / "e\nve" / "ps1")


@pytest.mark.parametrize(
    "text", ["", "soon", "9999-99-99 99:99:99", "\0", "9" * 5000, "10" * 200, "0001-01-01 00:00 +2359"]
)
def test_a_timestamp_that_tells_no_time_is_none(course, text):
    """Whatever a student writes there, the hand-in is graded, and the time is not known."""
    folder = hand_in(course, "ann", GOOD)
    (folder / "timestamp.txt").write_text(text)
    moment, told = read_timestamp(folder)
    assert moment is None
    assert "not known" in told[0]


def test_a_timestamp_is_waited_for_by_nobody(course):
    """A pipe in its place is no ordinary file."""
    folder = hand_in(course, "ann", GOOD)
    os.mkfifo(folder / "timestamp.txt")
    moment, told = read_timestamp(folder)
    assert moment is None
    assert "not an ordinary file" in told[0]


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01 12:00:00 UTC",
        "2026-05-01 12:00:00.123456 UTC",
        "2026-05-01 12:00:00 Europe/Berlin",
        "2026-05-01T12:00:00+02:00",
        "2026-05-01 12:00:00",
        "1 May 2026 12:00",
        "2026-05-01 12:00:00 CET",
        "2026-05-01 12:00:00 Nowhere/Atlantis",
        "2026-05-01 12:00:00 3600",
    ],
)
def test_times_are_read_as_nbgrader_reads_them(text):
    """The same moment as in the installed nbgrader, which is not imported for it."""
    assert parse_time(text) == parse_utc(text).replace(tzinfo=UTC)
