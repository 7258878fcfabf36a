"""The architecture holds: imports go one way, down, and the rooms stay apart."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "fairmark"

FLOORS = (
    {"errors", "results", "names", "packages", "startup", "interrupts", "plainyaml"},
    {"compare", "quiz", "outputs", "inquiry", "settings", "provenance"},
    {"previews", "feedback", "statistics"},
    {"checks", "course", "exporters"},
    {"rooms", "intake", "faults", "seating", "environment", "repository", "fingerprint", "prepared"},
    {"proxy", "authoring", "proposals", "quality"},
    {"assembly", "sitting", "hall"},
    {"grading", "ledger", "autograded"},
    {"gradebook", "worker", "survey"},
    {"crew", "moves"},
    {"batch", "release", "personal", "simulation", "collecting", "doctor", "publishing", "standings"},
    {"reporting", "regrading", "ahead"},
    {"demo", "watch", "pipelines"},
    {"cli", "preprocessors", "plugins"},
)
NBGRADER = {
    "settings",
    "intake",
    "faults",
    "authoring",
    "gradebook.opening",
    "gradebook.assignments",
    "gradebook.writing",
    "gradebook.reading",
    "preprocessors",
    "release",
    "demo",
    "plugins",
    "pipelines.visible",
}
IN_THE_STUDENTS_ROOM = {
    "rooms.shell",
    "rooms.desk",
    "rooms.recall",
    "rooms.wire",
    "rooms.linux",
    "rooms.zygote",
    "rooms.watch",
    "rooms.confined",
}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            yield name, ast.parse(path.read_text())


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


each_module = pytest.mark.parametrize(
    ("name", "tree"), [pytest.param(*each, id=each[0]) for each in modules()]
)


def floor(name):
    top = name.partition(".")[0]
    found = [number for number, floor in enumerate(FLOORS) if top in floor]
    assert found, f"{name} stands on no floor: give it one"
    return found[0]


def is_module(top):
    return (PACKAGE / top).is_dir() or (PACKAGE / top).with_suffix(".py").exists()


def ours(tree):
    return {
        name.removeprefix("fairmark.")
        for name in imported(tree)
        if name.startswith("fairmark.") and is_module(name.split(".")[1])
    }


@each_module
def test_imports_go_down(name, tree):
    """A module imports what stands below it, or its neighbours in the same package."""
    for other in ours(tree):
        same = name.partition(".")[0] == other.partition(".")[0]
        assert same or floor(other) < floor(name), f"{name} imports {other}"


@each_module
def test_only_the_doors_know_nbgrader(name, tree):
    """Everything else would work with another notebook format."""
    if name not in NBGRADER:
        assert not [other for other in imported(tree) if other.split(".")[0] == "nbgrader"]


def test_the_students_room_holds_five_modules_of_ours_alone():
    """What runs beside student code imports nothing else of ours, save by name in the examiner's room."""
    for name, tree in modules():
        if name in IN_THE_STUDENTS_ROOM:
            found = {other for other in imported(tree) if other.startswith("fairmark.")}
            allowed = {f"fairmark.{each}" for each in IN_THE_STUDENTS_ROOM} | {"fairmark.rooms"}
            assert all(other in allowed or other.rpartition(".")[0] in allowed for other in found)


def test_every_module_says_its_job_in_one_line():
    """The first line of its docstring is one sentence."""
    for name, tree in modules():
        words = ast.get_docstring(tree)
        assert words, name
        assert words.split("\n")[0].endswith((".", ":")), name
