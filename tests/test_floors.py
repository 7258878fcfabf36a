"""The architecture holds: imports go one way, down, and the rooms stay apart."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "fairmark"

FLOORS = (
    {"errors", "results"},
    {"compare", "quiz", "outputs"},
    {"checks", "course"},
    {"rooms"},
    {"proxy"},
    {"assembly", "sitting"},
    {"grading", "gradebook"},
    {"batch", "release", "simulation", "doctor"},
    {"demo"},
    {"cli", "preprocessors"},
)
NBGRADER = {"course", "gradebook", "preprocessors", "release", "demo"}
IN_THE_STUDENTS_ROOM = {"rooms.shell", "rooms.wire", "rooms.linux", "rooms.zygote"}


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


def floor(name):
    top = name.partition(".")[0]
    found = [number for number, floor in enumerate(FLOORS) if top in floor]
    assert found, f"{name} stands on no floor: give it one"
    return found[0]


def ours(tree):
    return {
        name.removeprefix("fairmark.")
        for name in imported(tree)
        if name.startswith("fairmark.") and (PACKAGE / name.split(".")[1]).with_suffix(".py").exists()
        or name.startswith("fairmark.") and (PACKAGE / name.split(".")[1]).is_dir()
    }


@pytest.mark.parametrize(("name", "tree"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_go_down(name, tree):
    """A module imports what stands below it, or its neighbours in the same package."""
    for other in ours(tree):
        same = name.partition(".")[0] == other.partition(".")[0]
        assert same or floor(other) < floor(name), f"{name} imports {other}"


@pytest.mark.parametrize(("name", "tree"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_only_the_doors_know_nbgrader(name, tree):
    """Everything else would work with another notebook format."""
    if name not in NBGRADER:
        assert not [other for other in imported(tree) if other.split(".")[0] == "nbgrader"]


def test_the_students_room_holds_four_modules_of_ours_alone():
    """What runs beside student code imports nothing else of fairmark, except in the examiner's room by name."""
    for name, tree in modules():
        if name in IN_THE_STUDENTS_ROOM:
            found = {other for other in imported(tree) if other.startswith("fairmark.")}
            allowed = {f"fairmark.{each}" for each in IN_THE_STUDENTS_ROOM} | {"fairmark.rooms"}
            assert all(any(other == each or other.startswith(each + ".") for each in allowed) for other in found)


def test_every_module_says_its_job_in_one_line():
    """The first line of its docstring is one sentence."""
    for name, tree in modules():
        words = ast.get_docstring(tree)
        assert words, name
        assert words.split("\n")[0].endswith((".", ":")), name
