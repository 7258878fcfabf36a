"""Hand-ins are collected from an LMS's zip file and from folders, whatever lies in them, and nothing is lost."""

import zipfile

import pytest
from courses import make_course

from fairmark.collecting import CANVAS, MOODLE, collect_folders, collect_zip, find_student
from fairmark.errors import UsageError
from fairmark.repository.records import Student

ROSTER = (
    Student("anna", "Anna Berg", login="anna-b"),
    Student("ben", "Ben Öz Carl"),
    Student("dora", "Dora Eck"),
)
MOODLE_ZIP = {
    "Anna Berg_1234_assignsubmission_file_/numbers.ipynb": b"{}",
    "Ben Öz Carl_77_assignsubmission_file_numbers.ipynb": b"{}",
    "Nobody Here_9_assignsubmission_file_/numbers.ipynb": b"{}",
}
CANVAS_ZIP = {
    "berganna_123_456_numbers-2.ipynb": b"{}",
    "carlbenoz_LATE_124_457_numbers.ipynb": b"{}",
}


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path / "course")


@pytest.mark.parametrize("files", [MOODLE_ZIP, CANVAS_ZIP], ids=["moodle", "canvas"])
def test_a_zip_file_of_an_lms_is_collected(course, tmp_path, files):
    """Each file goes to its student; who handed in nothing is told."""
    found = collect_zip(course, "ps1", make_zip(tmp_path / "all.zip", files), ROSTER)
    states = {receipt.student: receipt.state for receipt in found.receipts}
    assert states == {"anna": "new", "ben": "new", "dora": "nothing"}
    assert (course.submitted("anna", "ps1") / "numbers.ipynb").read_bytes() == b"{}"
    assert (course.submitted("ben", "ps1") / "timestamp.txt").exists()
    assert len(found.remarks) == (files is MOODLE_ZIP)


def test_collecting_again_changes_nothing_and_keeps_every_version(course, tmp_path):
    """A changed hand-in takes the place of the old one, which is kept."""
    first = make_zip(tmp_path / "1.zip", MOODLE_ZIP)
    name = next(iter(MOODLE_ZIP))
    second = make_zip(tmp_path / "2.zip", {name: b'{"a": 1}'})
    states = [
        collect_zip(course, "ps1", path, ROSTER).receipts[0].state for path in (first, first, second, second)
    ]
    assert states == ["new", "same", "changed", "same"]
    kept = {path.read_bytes() for path in course.root.glob(".fairmark/collected/ps1/anna/*/numbers.ipynb")}
    assert kept == {b"{}", b'{"a": 1}'}


def test_names_that_lead_out_links_and_bombs_are_left_out(course, tmp_path):
    """And told; the rest of the hand-in is taken."""
    start = "Anna Berg_1_assignsubmission_file_/"
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../../evil.py", "a/../../evil.py", "/etc/evil", "c:\\evil", ".git/config"):
            archive.writestr(start + name, b"evil")
        link = zipfile.ZipInfo(start + "link.ipynb")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(start + "bomb.bin", b"\0" * (51 * 2**20))
        archive.writestr(start + "numbers.ipynb", b"{}")
    found = collect_zip(course, "ps1", path, ROSTER)
    assert len(found.remarks) == 7
    folder = course.submitted("anna", "ps1")
    assert sorted(each.name for each in folder.rglob("*")) == ["numbers.ipynb", "timestamp.txt"]
    assert not list(tmp_path.rglob("evil*"))


def test_a_file_that_is_no_zip_is_wrong_use(course, tmp_path):
    """The message names it."""
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(UsageError, match=r"x\.zip"):
        collect_zip(course, "ps1", tmp_path / "x.zip", ROSTER)


def test_folders_are_collected_without_following_links(course, tmp_path):
    """A handed-in repository is not entered."""
    folder = tmp_path / "in"
    (folder / "anna-b" / ".git").mkdir(parents=True)
    (folder / "anna-b" / ".git" / "config").write_text("[core]\nfsmonitor = touch owned\n")
    (folder / "anna-b" / "numbers.ipynb").write_text("{}")
    (folder / "anna-b" / "passwd").symlink_to("/etc/passwd")
    (folder / "ben").symlink_to("/etc")
    found = collect_folders(course, "ps1", folder, ROSTER)
    assert [receipt.state for receipt in found.receipts] == ["new", "nothing", "nothing"]
    names = sorted(path.name for path in course.submitted("anna", "ps1").rglob("*"))
    assert names == ["numbers.ipynb", "timestamp.txt"]


@pytest.mark.parametrize("text", ["Anna Berg", "berganna", "anna", "ANNA-B", "Berg Anna"])
def test_students_go_by_several_names(text):
    """Id, login, and the name in either order."""
    assert find_student(text, ROSTER) == "anna"


def test_the_two_systems_are_told_apart():
    """Canvas's names are no Moodle's."""
    assert not any(MOODLE.fullmatch(name) for name in CANVAS_ZIP)
    assert not any(CANVAS.fullmatch(name) for name in MOODLE_ZIP)
