"""Hands in for a simulated class: what each student did stands in a recipe, one TOML file a student.

A student begins with the released notebooks, filled in with the reference solution or left blank, leaves some
cells unanswered, answers others in an own way, and then does to the files what students do to files.

::

    about = "Forgot the border of the mean filter, and asked the wrong command of git."
    start = "reference"                        # or "blank"
    unanswered = ["sobel-*", "research_software/git/*"]
    repository = "no-pull-request"             # what was done in git, where an assignment asks for it

    [answers]                                  # by grade_id
    mean-answer = '''def mean_filter(image, size): ...'''
    median-is = "linear if"                    # an option, or a part of it that no other option has
    which-are-linear = ["mean filter", "threshold"]
    mean-hot-pixel = "28.3"
    four-pictures = { 1 = "A", 2 = "B" }       # rows and letters
    hot-pixel-order = ["median", "mean", "variance"]

    [[acts]]
    act = "duplicate"
    cell = "mean-answer"

    [expected.filters]
    score = 80.5
    others = "full"
    items = { mean-hidden = 2.0 }

Cells are named by ``grade_id`` or by ``assignment/notebook/grade_id``, and ``*`` stands for anything; cells
that nbgrader does not know go by nbformat's cell id. What fits no cell is a fault of the recipe.
"""

from __future__ import annotations

import inspect
import os
import re
import tomllib
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from fairmark import quiz
from fairmark.authoring import is_question, read_assignment
from fairmark.errors import AuthorError, Fault, UsageError
from fairmark.repository.exercise import find_exercises
from fairmark.repository.practice import practise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbformat import NotebookNode

    from fairmark.course import Assignment, Course

# What lies in a student's folder: contents by name, or the place that a link leads to.
Files = dict[str, bytes | Path]

_KINDS = {"str": (str, "a text"), "int": (int, "a whole number"), "dict[str, Any]": (dict, "a table")}
FORK_CELL = "fork-address"  # where an exercise in git asks for the address of the fork
# What the target of an act is called in a recipe, and which is meant where none is named.
_TARGETS = {
    "cell": ("cell", None),
    "notebook": ("notebook", "*"),
    "file": ("notebook", None),
    "folder": ("assignment", "*"),
}
_TOLERANCE = re.compile(r"\s*(?:±|\+/?-)\s*[\d.,eE+-]+(?:\s*%)?")


# ---------------------------------------------------------------------------------------------------------
# Recipes


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a student did to the hand-in.

    Parameters
    ----------
    name : str
        One of `ACTS`.
    where : str
        The cells, notebooks or assignments it was done to.
    options : mapping of str to object
        What else the act has to know.
    """

    name: str
    where: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a hand-in deserves.

    Parameters
    ----------
    score : float
        Of the whole assignment.
    status : str
        Of the submission.
    others : {'full', 'zero', ''}
        What all items have that `items` does not name; empty where it is left open.
    items : mapping of str to float
        Points by ``grade_id``.
    says : mapping of str to str
        A part of what the student is told about an item, by ``grade_id``.
    notes : tuple of str
        Parts of the notes on the submission.
    """

    score: float
    status: str = "graded"
    others: str = ""
    items: Mapping[str, float] = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one student of the class did.

    Parameters
    ----------
    student : str
        The name of the recipe's file without its ending.
    about : str
        One sentence about the student's work.
    file : str
        Where the recipe stands, for messages.
    start : {'reference', 'blank'}
        What is in the cells that the recipe does not speak of.
    assignments : tuple of str
        Patterns of the assignments that were handed in.
    late_hours : float
        Hours after the deadline; below 0 before it.
    honest : bool
        Meant as an answer to the task: stock nbgrader has to give the code cells the same marks.
    unanswered : tuple of str
        Patterns of cells that stay as they were released.
    answers : mapping of str to object
        Answers by patterns of cells; where several fit, the last one counts.
    acts : tuple of Act
    repository : str
        What the student does where the work is done in git; one of `fairmark.repository.rehearsal.ACTS`.
    expected : mapping of str to Expected
        By assignment.
    """

    student: str
    about: str
    file: str = ""
    start: str = "reference"
    assignments: tuple[str, ...] = ("*",)
    late_hours: float = -20.0
    honest: bool = False
    unanswered: tuple[str, ...] = ()
    answers: Mapping[str, Any] = field(default_factory=dict)
    acts: tuple[Act, ...] = ()
    repository: str = "perfect"
    expected: Mapping[str, Expected] = field(default_factory=dict)


def read_recipes(folder: Path) -> tuple[Recipe, ...]:
    """Read all recipes of a folder, sorted by student.

    Parameters
    ----------
    folder : Path
        Its files ``*.toml`` are the recipes, each named after its student.

    Raises
    ------
    AuthorError
        With all faults of all files at once.
    """
    recipes, faults = [], []
    for path in sorted(folder.glob("*.toml")):
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            faults.append(Fault(str(path), "", f"is not valid TOML: {error}."))
            continue
        table = _Table(document, str(path))
        recipes.append(_read_recipe(path, table))
        faults += table.faults
    if faults:
        raise AuthorError(tuple(faults))
    if not recipes:
        raise AuthorError((Fault(str(folder), "", "holds no recipe: no file that ends with .toml."),))
    return tuple(recipes)


class _Table:
    """A TOML table that notes what is wrong with its entries, with their place."""

    def __init__(self, entries: Mapping[str, Any], file: str, place: str = "") -> None:
        self.entries = dict(entries)
        self.file = file
        self.place = place
        self.faults: list[Fault] = []

    def blame(self, key: str, message: str) -> None:
        """Note a fault of the entry `key`."""
        self.faults.append(Fault(self.file, f"{self.place}{key}", message))

    def take(self, key: str, kind: type | tuple[type, ...], words: str, default: Any = None) -> Any:
        """Return the entry `key`, which is `words`; without a default it has to be there."""
        if key not in self.entries:
            if default is None:
                self.blame(key, f"is missing: give {words}.")
            return default
        value = self.entries.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.blame(key, f"must be {words}, not {value!r}.")
            return default
        return value

    def take_text(self, key: str, default: str | None = None, *, choices: Sequence[str] = ()) -> str:
        """Return a text, one of `choices` where there are any."""
        value = self.take(key, str, "a text", default)
        if choices and value not in (*choices, default):
            self.blame(key, f"must be one of {', '.join(choices)}, not {value!r}.")
        return value or ""

    def take_texts(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self.take(key, list, "a list of texts", list(default))
        if not all(isinstance(value, str) for value in values):
            self.blame(key, "must be a list of texts.")
            return tuple(default)
        return tuple(values)

    def take_tables(self, key: str) -> Iterator[tuple[str, _Table]]:
        """Yield the named tables in the table `key`."""
        for name, value in self.take(key, dict, "a table", {}).items():
            if isinstance(value, dict):
                yield name, self.enter(value, f"{key}.{name}")
            else:
                self.blame(f"{key}.{name}", f"must be a table, not {value!r}.")

    def enter(self, entries: Mapping[str, Any], key: str) -> _Table:
        """Return a table inside of this one; its faults are this one's."""
        inner = _Table(entries, self.file, f"{self.place}{key}.")
        inner.faults = self.faults
        return inner

    def close(self) -> None:
        """Note the entries that nobody asked for."""
        for key in self.entries:
            self.blame(key, "is no word of recipes; is it spelled right?")


def _read_recipe(path: Path, table: _Table) -> Recipe:
    answers = table.take("answers", dict, "a table", {})
    for key, value in answers.items():
        if not _is_answer(value):
            table.blame(f"answers.{key}", "must be a text, a number, a list of texts, or a table of letters.")
    recipe = Recipe(
        student=path.stem,
        about=table.take_text("about"),
        file=str(path),
        start=table.take_text("start", "reference", choices=("reference", "blank")),
        assignments=table.take_texts("assignments", ("*",)),
        late_hours=float(table.take("late_hours", (int, float), "a number", -20.0)),
        honest=table.take("honest", bool, "true or false", default=False),
        unanswered=table.take_texts("unanswered"),
        answers=answers,
        acts=tuple(_read_acts(table)),
        repository=table.take_text("repository", "perfect"),
        expected={name: _read_expected(inner) for name, inner in table.take_tables("expected")},
    )
    table.close()
    return recipe


def _is_answer(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(letter, str) for letter in value.values())
    parts = value if isinstance(value, list) else [value]
    return all(isinstance(part, str | int | float) and not isinstance(part, bool) for part in parts)


def _read_expected(table: _Table) -> Expected:
    numbers = (int, float)
    items = table.take("items", dict, "a table of points", {})
    says = table.take("says", dict, "a table of texts", {})
    for key, entries, kind in (("items", items, numbers), ("says", says, str)):
        for name, value in entries.items():
            if not isinstance(value, kind) or isinstance(value, bool):
                table.blame(f"{key}.{name}", f"must be {'a text' if kind is str else 'a number'}.")
    expected = Expected(
        score=table.take("score", numbers, "a number"),
        status=table.take_text("status", "graded"),
        others=table.take_text("others", "", choices=("full", "zero")),
        items=items,
        says=says,
        notes=table.take_texts("notes"),
    )
    table.close()
    return expected


def _read_acts(table: _Table) -> Iterator[Act]:
    for number, entries in enumerate(table.take("acts", list, "a list of tables", []), 1):
        inner = table.enter(entries if isinstance(entries, dict) else {}, f"acts[{number}]")
        name = inner.take_text("act", choices=tuple(ACTS))
        if name not in ACTS:
            continue
        function, target = ACTS[name]
        key, everything = _TARGETS[target]
        where = inner.take_text(key, everything)
        options = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                kind, words = _KINDS[parameter.annotation]
                default = None if parameter.default is parameter.empty else parameter.default
                options[parameter.name] = inner.take(parameter.name, kind, words, default)
        inner.close()
        yield Act(name, where, options)


# ---------------------------------------------------------------------------------------------------------
# Acts on cells: the notebook's cells, and the place of the one that is meant


def duplicate(cells: list[NotebookNode], place: int, *, text: str = "") -> None:
    """Copy a cell below itself, with the same metadata; `text` is what the copy then holds."""
    copy = deepcopy(cells[place])
    copy.id = f"{copy.id[:58]}-copy"
    copy.source = text or copy.source
    cells.insert(place + 1, copy)


def delete(cells: list[NotebookNode], place: int) -> None:
    """Delete a cell."""
    del cells[place]


def move(cells: list[NotebookNode], place: int, *, to: str = "end") -> None:
    """Move a cell to the ``start`` or to the ``end`` of its notebook."""
    cell = cells.pop(place)
    cells.insert(0 if to == "start" else len(cells), cell)


def edit(cells: list[NotebookNode], place: int, *, find: str, put: str) -> None:
    """Replace a piece of a cell's text."""
    if find not in cells[place].source:
        raise ValueError(f"the cell does not hold {find!r}")
    cells[place].source = cells[place].source.replace(find, put)


def rewrite(cells: list[NotebookNode], place: int, *, text: str) -> None:
    """Replace a cell's whole text, whatever cell it is."""
    cells[place].source = text


def retype(cells: list[NotebookNode], place: int, *, to: str) -> None:
    """Make a cell a ``raw``, ``markdown`` or ``code`` cell."""
    cells[place] = _new_cell(to, cells[place].source, cells[place].id, cells[place].metadata)


def forge(cells: list[NotebookNode], place: int, *, metadata: dict[str, Any]) -> None:
    """Write into a cell's metadata; tables are merged."""
    _merge(cells[place].metadata, metadata)


def show(cells: list[NotebookNode], place: int, *, html: str, times: int = 1) -> None:
    """Give a code cell an output that it never had."""
    from nbformat.v4 import new_output  # noqa: PLC0415 - nbformat costs a second

    data = {"text/html": html * times, "text/plain": html * times}
    cells[place].outputs = [new_output("execute_result", data=data, execution_count=1)]


# ---------------------------------------------------------------------------------------------------------
# Acts on notebooks


def insert(node: NotebookNode, *, text: str, after: str = "", kind: str = "code") -> None:
    """Add a cell of the student's own behind the cell `after`, or at the end."""
    names = [_name_of(cell) for cell in node.cells]
    if after and after not in names:
        raise ValueError(f"the notebook has no cell {after!r}")
    place = names.index(after) + 1 if after else len(names)
    node.cells.insert(place, _new_cell(kind, text, f"own-{len(names)}", {}))


def strip_metadata(node: NotebookNode) -> None:
    """Remove all metadata of the notebook and of its cells, as a converter may do."""
    node.metadata = type(node)()
    for cell in node.cells:
        cell.metadata = type(node)()


# ---------------------------------------------------------------------------------------------------------
# Acts on a notebook's file, and on the folder


def add_byte_order_mark(files: Files, name: str) -> None:
    """Save a notebook as some editors on Windows do."""
    files[name] = b"\xef\xbb\xbf" + _content(files, name)


def cut(files: Files, name: str) -> None:
    """Keep only the first half of a notebook's file: what is left is not JSON."""
    files[name] = _content(files, name)[: len(_content(files, name)) // 2]


def link(files: Files, name: str, *, to: str) -> None:
    """Put a link in a notebook's place; `to` counts from the student's folder."""
    files[name] = Path(to)


def leave_out(files: Files, name: str) -> None:
    """Do not hand in a notebook."""
    del files[name]


def add_file(files: Files, *, name: str, text: str, times: int = 1) -> None:
    """Put a file beside the notebooks."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"{name!r} leads out of the student's folder")
    files[name] = (text * times).encode()


ACTS: dict[str, tuple[Callable[..., None], str]] = {
    "duplicate": (duplicate, "cell"),
    "delete": (delete, "cell"),
    "move": (move, "cell"),
    "edit": (edit, "cell"),
    "rewrite": (rewrite, "cell"),
    "retype": (retype, "cell"),
    "forge": (forge, "cell"),
    "show": (show, "cell"),
    "insert": (insert, "notebook"),
    "strip-metadata": (strip_metadata, "notebook"),
    "byte-order-mark": (add_byte_order_mark, "file"),
    "cut": (cut, "file"),
    "link": (link, "file"),
    "leave-out": (leave_out, "file"),
    "add-file": (add_file, "folder"),
}


def _content(files: Files, name: str) -> bytes:
    content = files[name]
    if isinstance(content, Path):
        raise ValueError(f"{name} is a link by now")  # noqa: TRY004 - the order of the acts is wrong, no type
    return content


def _new_cell(kind: str, text: str, cell_id: str, metadata: Mapping[str, Any]) -> NotebookNode:
    from nbformat import v4  # noqa: PLC0415 - nbformat costs a second

    makers = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell, "raw": v4.new_raw_cell}
    if kind not in makers:
        raise ValueError(f"there are no {kind!r} cells")
    cell: NotebookNode = makers[kind](text, id=cell_id, metadata=metadata)  # type: ignore[no-untyped-call]
    return cell


def _merge(old: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value


# ---------------------------------------------------------------------------------------------------------
# Handing in


def hand_in(course: Course, *recipes: Recipe, due: datetime | None = None, forge_url: str = "") -> None:
    """Write what students hand in, as it comes out of their recipes.

    Parameters
    ----------
    course : Course
        Any nbgrader course; what its assignments give to students has to be released.
    *recipes : Recipe
        All faults of all of them are told before anything is written.
    due : datetime, optional
        The deadline that lateness counts from; by default now.
    forge_url : str
        Where the course's stand-in forge is served, for work in git; by default it is read by path.

    Raises
    ------
    AuthorError
        Where a recipe speaks of something that the course does not have.
    UsageError
        Where an assignment is not released, or something was handed in already: nothing is overwritten.
    """
    due = due or datetime.now(UTC).replace(microsecond=0)
    recipes = _work_in_git(course, recipes, due, forge_url)
    desks = tuple(_read_desk(course, read_assignment(course, name)) for name in course.assignments())
    faults: list[Fault] = []
    folders = [
        (_folder(course, recipe, desk), files)
        for recipe in recipes
        for desk, files in _follow(recipe, desks, due, faults)
    ]
    if faults:
        raise AuthorError(tuple(faults))
    for folder, _ in folders:
        if folder.exists():
            raise UsageError(f"{folder} exists: remove it first, hand-ins are never overwritten.")
    for folder, files in folders:
        _write(folder, files)


def _work_in_git(
    course: Course, recipes: tuple[Recipe, ...], due: datetime, forge_url: str
) -> tuple[Recipe, ...]:
    """Let the class work on a stand-in forge; return its recipes with the forks' addresses as answers."""
    for assignment in find_exercises(course):
        working = [
            recipe for recipe in recipes if any(fnmatchcase(assignment, name) for name in recipe.assignments)
        ]
        if not working:
            continue
        states = {recipe.student: recipe.repository for recipe in working}
        forks = practise(course, assignment, states, due.timestamp(), forge_url)
        cell = f"{assignment}/*/{FORK_CELL}"
        recipes = tuple(
            _with_answer(recipe, cell, f'fork_url = "{forks[recipe.student]}"')
            if recipe.student in forks and recipe.start == "reference"
            else recipe
            for recipe in recipes
        )
    return recipes


def _with_answer(recipe: Recipe, cell: str, text: str) -> Recipe:
    """Add an answer; one that the recipe gives itself counts more."""
    return replace(recipe, answers={cell: text, **recipe.answers})


@dataclass(frozen=True, slots=True)
class _Place:
    """One cell that a student may write into: its names, its released text and the reference answer."""

    address: str
    source: str
    question: quiz.Question | None


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a student begins an assignment with: the released files, and by notebook the places to fill in."""

    assignment: str
    notebooks: dict[str, NotebookNode]
    places: dict[str, dict[str, _Place]]
    files: Files


def _read_desk(course: Course, assignment: Assignment) -> _Desk:
    import nbformat  # noqa: PLC0415 - costs a second

    folder = course.release(assignment.id)
    marks = course.config.get("ClearSolutions", {})
    delimiters = (
        str(marks.get("begin_solution_delimeter", "BEGIN SOLUTION")),
        str(marks.get("end_solution_delimeter", "END SOLUTION")),
    )
    notebooks, places = {}, {}
    for source in assignment.notebooks:
        path = folder / f"{source.name}.ipynb"
        if not path.is_file():
            raise UsageError(f"{path} is missing. Release first: fairmark release {assignment.id}")
        notebooks[source.name] = nbformat.read(path, as_version=4)
        places[source.name] = {
            _name_of(cell): _read_place(cell, f"{assignment.id}/{source.name}/{_name_of(cell)}", delimiters)
            for cell in source.node.cells
            if cell.metadata.get("nbgrader", {}).get("solution")
        }
    files: Files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".ipynb"
    }
    return _Desk(assignment.id, notebooks, places, files)


def _read_place(cell: NotebookNode, address: str, delimiters: Sequence[str]) -> _Place:
    question = None
    if is_question(cell):
        nbgrader, settings = cell.metadata.nbgrader, cell.metadata.get("fairmark")
        question = quiz.read_question(
            cell.source, id=nbgrader.grade_id, points=nbgrader.points, settings=settings
        )
    source = quiz.split_variants(cell.source)[0] if question is not None else cell.source
    lines = [line for line in source.split("\n") if not any(mark in line for mark in delimiters)]
    return _Place(address, "\n".join(lines), question)


def _name_of(cell: NotebookNode) -> str:
    """Return what recipes call a cell."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", ""))


def _fits(pattern: str, address: str) -> bool:
    """Tell whether a pattern names what `address` leads to, by its last name or by the whole address."""
    return fnmatchcase(address if "/" in pattern else address.rpartition("/")[2], pattern)


def _folder(course: Course, recipe: Recipe, desk: _Desk) -> Path:
    directory = course.directory
    path = directory.format_path(directory.submitted_directory, recipe.student, desk.assignment)
    return Path(os.path.normpath(path))


def _write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content)


# ---------------------------------------------------------------------------------------------------------
# From the recipe to the files


def _follow(
    recipe: Recipe, desks: Sequence[_Desk], due: datetime, faults: list[Fault]
) -> list[tuple[_Desk, Files]]:
    """Return what the student hands in; note what the recipe says that fits nothing."""
    doing = _Doing(recipe, faults)
    mine = [desk for desk in desks if any(fnmatchcase(desk.assignment, name) for name in recipe.assignments)]
    done = [(desk, _work(desk, doing, due)) for desk in mine]
    if not mine:
        doing.blame("assignments", "fits no assignment of the course.")
    doing.blame_the_unused()
    return done


class _Doing:
    """A recipe that is being followed, and which of its parts have found their place."""

    def __init__(self, recipe: Recipe, faults: list[Fault]) -> None:
        self.recipe = recipe
        self.faults = faults
        self.keys = {f"unanswered.{pattern}" for pattern in recipe.unanswered}
        self.keys |= {f"answers.{pattern}" for pattern in recipe.answers}
        self.keys |= {f"acts[{number}]" for number in range(1, len(recipe.acts) + 1)}

    def blame(self, key: str, message: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(self.recipe.file or self.recipe.student, key, message))

    def blame_the_unused(self) -> None:
        """Note the parts that found no place."""
        for key in sorted(self.keys):
            self.blame(key, "fits nothing in the assignments that are handed in.")

    def answer(self, place: _Place, released: str) -> str:
        """Return what the student has in a cell."""
        reference = self.recipe.start == "reference"
        for pattern in self.recipe.unanswered:
            if _fits(pattern, place.address):
                self.keys.discard(f"unanswered.{pattern}")
                reference = False
        text = _write_reference(place) if reference else released
        for pattern, value in self.recipe.answers.items():
            if _fits(pattern, place.address):
                self.keys.discard(f"answers.{pattern}")
                try:
                    text = write_answer(place.question, value) if place.question else str(value)
                except ValueError as error:
                    self.blame(f"answers.{pattern}", f"{place.address}: {error}.")
        return text

    def acts_on(self, target: str, address: str) -> Iterator[tuple[Callable[..., None], Mapping[str, Any]]]:
        """Yield the acts that are done to what has this address."""
        for number, act in enumerate(self.recipe.acts, 1):
            function, wanted = ACTS[act.name]
            if wanted == target and _fits(act.where, address):
                self.keys.discard(f"acts[{number}]")
                yield self._guarded(function, f"acts[{number}]", address), act.options

    def _guarded(self, function: Callable[..., None], key: str, address: str) -> Callable[..., None]:
        def act(*arguments: Any, **options: Any) -> None:
            try:
                function(*arguments, **options)
            except ValueError as error:
                self.blame(key, f"{address}: {error}.")

        return act


def _work(desk: _Desk, doing: _Doing, due: datetime) -> Files:
    files = dict(desk.files)
    for name, released in desk.notebooks.items():
        files[f"{name}.ipynb"] = _work_on_notebook(desk, name, deepcopy(released), doing)
    for name in desk.notebooks:
        for act, options in doing.acts_on("file", f"{desk.assignment}/{name}"):
            act(files, f"{name}.ipynb", **options)
    for act, options in doing.acts_on("folder", desk.assignment):
        act(files, **options)
    moment = due + timedelta(hours=doing.recipe.late_hours)
    files["timestamp.txt"] = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC\n".encode()
    return files


def _work_on_notebook(desk: _Desk, name: str, node: NotebookNode, doing: _Doing) -> bytes:
    import nbformat  # noqa: PLC0415 - costs a second

    places = desk.places[name]
    for cell in node.cells:
        if _name_of(cell) in places:
            cell.source = doing.answer(places[_name_of(cell)], cell.source)
    for original in list(node.cells):
        # An act may put another object in the cell's place, or delete it: its id stays the same.
        for act, options in doing.acts_on("cell", f"{desk.assignment}/{name}/{_name_of(original)}"):
            place = next((i for i, cell in enumerate(node.cells) if cell.id == original.id), None)
            if place is not None:
                act(node.cells, place, **options)
    for act, options in doing.acts_on("notebook", f"{desk.assignment}/{name}"):
        act(node, **options)
    text: str = nbformat.writes(node, version=nbformat.NO_CONVERT)
    return f"{text}\n".encode()


# ---------------------------------------------------------------------------------------------------------
# Answers


def _write_reference(place: _Place) -> str:
    return place.source if place.question is None else write_answer(place.question, _key_of(place.question))


def _key_of(question: quiz.Question) -> Any:
    """Return the right answer in a recipe's words."""
    match question.kind:
        case "one" | "any":
            return [option.text for option in question.options if option.right]
        case "match":
            return {pair.term: pair.letter for pair in question.pairs}
        case "order":
            return [option.text for option in question.options]
        case "number":
            return _TOLERANCE.sub("", question.accepted[0])
        case _:
            return question.accepted[0]


def write_answer(question: quiz.Question, value: Any) -> str:
    """Return a question's released text with an answer in it, as a student leaves it.

    Parameters
    ----------
    question : Question
    value : str, number, list of str or mapping of str to str
        Options or lines in the student's order by their text or a part of it that no other has; letters
        by the row; anything for a written answer.

    Raises
    ------
    ValueError
        Where the question has no such option, line or row.
    """
    texts = [option.text for option in question.options]
    if question.kind not in ("one", "any", "match", "order"):
        lines = question.released.split("\n")
        place = next(i for i, line in enumerate(lines) if line.strip().startswith("Answer:"))
        lines[place] = f"{lines[place].rstrip()} {value}"
        return "\n".join(lines)
    if question.kind == "match":
        if not isinstance(value, dict):
            raise ValueError("a matching question takes a table of rows and letters")
        terms = [pair.term for pair in question.pairs]
        written = [f"| {_find(row, terms)} | {letter} |" for row, letter in value.items()]
    else:
        chosen = [_find(part, texts) for part in (value if isinstance(value, list) else [value])]
        marks = ["- [x]"] * len(chosen)
        if question.kind == "order":
            marks = [f"{number}." for number in range(1, len(chosen) + 1)]
        written = [f"{mark} {text}" for mark, text in zip(marks, chosen, strict=True)]
    return quiz.assemble(question, "\n".join(written))


def _find(part: Any, texts: Sequence[str]) -> str:
    """Return the only text that is `part` or holds it."""
    part = str(part)
    found = [text for text in texts if text == part] or [text for text in texts if part in text]
    if len(found) != 1:
        raise ValueError(f"{part!r} is in {len(found)} of the lines {', '.join(map(repr, texts))}")
    return found[0]
