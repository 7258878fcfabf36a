"""What authors got wrong in the source of an assignment, and what a release gives away."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from fairmark import quiz
from fairmark.course import PYTHON, find_language
from fairmark.errors import Fault
from fairmark.names import find_modules
from fairmark.packages import find_package, suggest
from fairmark.results import Visibility

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nbformat import NotebookNode

    from fairmark.course import Assignment, Course, SourceNotebook

# nbgrader and nbformat cost seconds to import: both are imported where they are needed.

_NO_PLACE = "it forbids packages, but no Markdown cell could tell students so: begin it with a title."
# Lines of a solution or a hidden test that are shorter than this give nothing away.
_TELLING = 8

_WRITES_FILE = re.compile(r"%%(?:writefile|file)\s+(\S+)\s*$")
_ODD_IN_A_NAME = re.compile(r"""[\\/:*?"<>|+%#&$`'~{}\x00-\x1f\x7f]|^[.\s-]|\s$""")


# ---------------------------------------------------------------------------------------------------------
# Faults of a source


def find_faults(course: Course, assignment: str) -> tuple[Fault, ...]:
    """List everything that is wrong with an assignment's source, all at once.

    Raises
    ------
    UsageError
        Where the course has no such assignment.
    """
    paths = sorted(course.find_source(assignment).glob("*.ipynb"))
    faults = list(_faults_of_names(course, assignment, paths))
    marks = _Marks.of(course)
    frame = {}
    for edge, path in _frame_paths(course).items():
        frame[edge], told = _read_cells(course, path)
        faults += told
    for path in paths:
        cells, told = _read_cells(course, path)
        faults += told
        if not told:
            faults += _faults_of_kernel(course, path)
            faults += _faults_of_forbidden(course, path, cells)
            faults += _faults_of_cells((*frame.get("header", ()), *cells, *frame.get("footer", ())), marks)
    return tuple(dict.fromkeys(faults))


@dataclass(frozen=True, slots=True)
class _Marks:
    """The words that begin and end regions, as the course has set them."""

    begin_solution: str
    end_solution: str
    begin_hidden: str
    end_hidden: str

    @classmethod
    def of(cls, course: Course) -> _Marks:
        """Read them from the course's configuration."""
        from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions  # noqa: PLC0415

        solutions, tests = ClearSolutions(config=course.config), ClearHiddenTests(config=course.config)
        return cls(
            solutions.begin_solution_delimeter,
            solutions.end_solution_delimeter,
            tests.begin_test_delimeter,
            tests.end_test_delimeter,
        )


@dataclass(frozen=True, slots=True)
class _Cell:
    """One cell of a source file, with what is needed to tell where it is."""

    file: str
    number: int
    node: NotebookNode

    @property
    def label(self) -> str:
        nbgrader = self.node.metadata.get("nbgrader")
        grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
        return grade_id if isinstance(grade_id, str) and grade_id else f"cell {self.number}"

    @property
    def is_question(self) -> bool:
        return quiz.is_question(self.node.cell_type, self.node.source, self.node.metadata)

    def fault(self, message: str) -> Fault:
        return Fault(self.file, self.label, message)


def _frame_paths(course: Course) -> dict[str, Path]:
    """Return the header and footer notebooks of the course."""
    from nbgrader.preprocessors import IncludeHeaderFooter  # noqa: PLC0415

    step = IncludeHeaderFooter(config=course.config)
    return {
        edge: course.root / path for edge, path in (("header", step.header), ("footer", step.footer)) if path
    }


def _faults_of_names(course: Course, assignment: str, paths: Sequence[Path]) -> Iterator[Fault]:
    folder = course.source(assignment)
    if _ODD_IN_A_NAME.search(assignment):
        yield Fault(
            course.relative(folder),
            "",
            "the folder's name has characters that paths and addresses cannot hold.",
        )
    for path in paths:
        if _ODD_IN_A_NAME.search(path.stem):
            yield Fault(
                course.relative(path),
                "",
                "the name has characters that some systems cannot hold; use letters, digits, - and _.",
            )
    seen: dict[str, Path] = {}
    for path in paths:
        twin = seen.setdefault(path.stem.casefold(), path)
        if twin is not path:
            yield Fault(
                course.relative(path),
                "",
                f"on many computers this is the same name as {twin.name}; rename one of them.",
            )


def _read_cells(course: Course, path: Path) -> tuple[tuple[_Cell, ...], tuple[Fault, ...]]:
    import nbformat  # noqa: PLC0415

    file = course.relative(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return (), (Fault(file, "", f"the file cannot be read: {error}."),)
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("nbformat") != 4:
            return (), (Fault(file, "", "this is no notebook of format 4; open and save it in JupyterLab."),)
        nbformat.validate(document)
        node = nbformat.reads(text, as_version=4)
    except ValueError as error:
        return (), (Fault(file, "", f"this is no notebook: {error}."),)
    except nbformat.ValidationError as error:
        first = str(error).split("\n", 1)[0]
        return (), (Fault(file, "", f"Jupyter's own check of the notebook fails: {first}."),)
    return tuple(_Cell(file, number, cell) for number, cell in enumerate(node.cells, 1)), ()


def _faults_of_kernel(course: Course, path: Path) -> Iterator[Fault]:
    language = find_language(json.loads(path.read_text(encoding="utf-8"))["metadata"])
    if language not in ("", PYTHON):
        yield Fault(
            course.relative(path),
            "",
            f"its kernel is {language!r}; fairmark grades Python alone. Choose a kernel for Python in "
            "JupyterLab, or grade this assignment with nbgrader itself: in a course without fairmark.",
        )


def _faults_of_forbidden(course: Course, path: Path, cells: Sequence[_Cell]) -> Iterator[Fault]:
    """Yield what is wrong with the packages that a notebook has to be solved without."""
    settings = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("fairmark", {})
    names = settings.get("forbidden", []) if isinstance(settings, dict) else None
    file = course.relative(path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        words = 'the metadata "fairmark" of the notebook must look like {"forbidden": ["scipy", "skimage"]}.'
        yield Fault(file, "", words)
        return
    modules: set[str] = set()
    for name in names:
        package = find_package(name)
        if package is None:
            yield Fault(file, "", f"it forbids {name!r}, but no such package is installed.{suggest(name)}")
        else:
            modules |= set(package.modules)
    if modules and not any(_is_free_text(cell.node) for cell in cells):
        yield Fault(file, "", _NO_PLACE)
    for cell in cells:
        if modules and cell.node.cell_type == "code" and "grade" not in _flags(cell.node):
            imported = find_modules(cell.node.source)
            needed = modules & {part for name in imported for part in _with_parents(name)}
            if needed:
                yield cell.fault(f"imports {', '.join(sorted(needed))}, which the notebook forbids.")


def _is_free_text(node: NotebookNode) -> bool:
    """Tell whether a cell is text that nbgrader does not know: there students are told what is forbidden."""
    return bool(node.cell_type == "markdown" and "nbgrader" not in node.metadata)


def _with_parents(module: str) -> tuple[str, ...]:
    parts = module.split(".")
    return tuple(".".join(parts[:number]) for number in range(1, len(parts) + 1))


def _faults_of_cells(cells: Sequence[_Cell], marks: _Marks) -> Iterator[Fault]:
    for cell in cells:
        yield from _faults_of_metadata(cell)
        yield from _faults_of_regions(cell, marks)
    known = [cell for cell in cells if _flags(cell.node) and cell.label != f"cell {cell.number}"]
    counts = Counter(cell.label for cell in known)
    for cell in known:
        if counts[cell.label] > 1:
            yield cell.fault(f"{counts[cell.label]} cells have this grade_id; each needs its own.")


def _flags(node: NotebookNode) -> frozenset[str]:
    """Return which of nbgrader's flags are set."""
    nbgrader = node.metadata.get("nbgrader")
    if not isinstance(nbgrader, dict):
        return frozenset()
    return frozenset(flag for flag in ("grade", "solution", "locked", "task") if nbgrader.get(flag))


def _faults_of_metadata(cell: _Cell) -> Iterator[Fault]:
    node, flags = cell.node, _flags(cell.node)
    if "nbgrader" not in node.metadata:
        if "fairmark" in node.metadata:
            yield cell.fault("has quiz settings but is not graded; mark it as a manually graded answer.")
        return
    told = tuple(_faults_of_nbgrader(cell, node.metadata.nbgrader, flags))
    yield from told
    if not told:
        yield from _faults_by_nbgrader(cell)
    if cell.is_question:
        nbgrader = node.metadata.nbgrader
        for message in quiz.find_faults(
            node.source, id=cell.label, points=nbgrader.get("points"), settings=node.metadata.get("fairmark")
        ):
            yield cell.fault(message)
    elif "fairmark" in node.metadata:
        yield from _faults_of_settings(cell, node.metadata.fairmark, flags)


def _faults_of_settings(cell: _Cell, settings: Any, flags: frozenset[str]) -> Iterator[Fault]:
    """Yield what is wrong with the settings of a cell that is no question: it may say when it is shown."""
    if not isinstance(settings, dict) or settings.keys() != {"visibility"} or not flags & {"grade", "task"}:
        yield cell.fault("has quiz settings but is no quiz question; it must be a graded Markdown answer.")
    elif settings["visibility"] not in get_args(Visibility):
        known = ", ".join(get_args(Visibility))
        yield cell.fault(
            f"has the visibility {settings['visibility']!r}, which is unknown; known are {known}."
        )


def _faults_of_nbgrader(cell: _Cell, nbgrader: Any, flags: frozenset[str]) -> Iterator[Fault]:
    if not isinstance(nbgrader, dict):
        yield cell.fault("nbgrader's metadata is damaged; set the cell's type anew in JupyterLab.")
        return
    version = nbgrader.get("schema_version", 0)
    if version != 3:
        newer = isinstance(version, int) and version > 3
        hint = "update nbgrader" if newer else "run: nbgrader update ."
        yield cell.fault(f"has nbgrader's metadata in version {version}, version 3 is needed; {hint}")
    if flags and not nbgrader.get("grade_id"):
        yield cell.fault("has no grade_id; set one in JupyterLab's nbgrader panel.")
    if flags & {"grade", "task"} and not cell.is_question:
        yield from _faults_of_points(cell, nbgrader.get("points"))
    yield from _faults_of_cell_type(cell, flags)


def _faults_of_cell_type(cell: _Cell, flags: frozenset[str]) -> Iterator[Fault]:
    kind = cell.node.cell_type
    if "task" in flags:
        if kind != "markdown":
            yield cell.fault("is a task, but not Markdown.")
    elif kind != "code" and flags & {"grade", "solution"}:
        if kind != "markdown":
            yield cell.fault("is graded, but neither code nor Markdown.")
        elif "solution" not in flags:
            yield cell.fault("is an automatic test, but Markdown; change it to code.")
        elif "grade" not in flags:
            yield cell.fault("is an answer in Markdown without points; mark it as manually graded.")


def _faults_of_points(cell: _Cell, points: object) -> Iterator[Fault]:
    if points is None:
        yield cell.fault("has no points; set them in JupyterLab's nbgrader panel.")
    elif isinstance(points, bool) or not isinstance(points, int | float) or not math.isfinite(points):
        yield cell.fault(f"has points that are no number: {points!r}.")
    elif points < 0:
        yield cell.fault(f"has negative points: {points:g}.")


def _faults_by_nbgrader(cell: _Cell) -> Iterator[Fault]:
    from nbgrader.nbgraderformat import MetadataValidator, ValidationError  # noqa: PLC0415

    try:
        MetadataValidator().validate_cell(cell.node)
    except ValidationError as error:
        yield cell.fault(f"nbgrader does not accept the cell's metadata: {error.message}.")


def _faults_of_regions(cell: _Cell, marks: _Marks) -> Iterator[Fault]:
    flags, source = _flags(cell.node), cell.node.source
    for what, begin, end in (
        ("solution", marks.begin_solution, marks.end_solution),
        ("hidden-test", marks.begin_hidden, marks.end_hidden),
    ):
        yield from (cell.fault(message) for message in _faults_of_region(source, what, begin, end))
    if marks.begin_solution in source and "solution" not in flags:
        yield cell.fault("has a solution region, but is not an answer cell.")
    if marks.begin_hidden in source and not ("grade" in flags and "solution" not in flags):
        yield cell.fault("has a hidden-test region, but is not an automatic test; students would see it.")


def _faults_of_region(source: str, what: str, begin: str, end: str) -> Iterator[str]:
    inside = False
    for number, line in enumerate(source.split("\n"), 1):
        if begin in line:
            if inside:
                yield f"line {number}: a {what} region begins within another one."
            inside = True
        elif end in line:
            if not inside:
                yield f"line {number}: a {what} region ends, but none began."
            inside = False
    if inside:
        yield f"a {what} region begins, but never ends."


# ---------------------------------------------------------------------------------------------------------
# Faults of a release


def faults_of_release(course: Course, assignment: Assignment, folder: Path) -> tuple[Fault, ...]:
    """List what a release gives away: keys, solutions, hidden tests, explanations or outputs.

    Parameters
    ----------
    course : Course
    assignment : Assignment
    folder : Path
        The release, compared cell by cell with the source.
    """
    marks = _Marks.of(course)
    names = {notebook.name for notebook in assignment.notebooks}
    faults = [
        Fault(course.relative(path), "", "is not in the source; remove it from the release.")
        for path in sorted(folder.rglob("*.ipynb"))
        if path.parent != folder or path.stem not in names
    ]
    for notebook in assignment.notebooks:
        path = folder / f"{notebook.name}.ipynb"
        cells, told = _read_cells(course, path)
        faults += told
        if not told:
            faults += _faults_of_kernel(course, path)
            faults += _faults_of_released_notebook(notebook, cells, path=course.relative(path), marks=marks)
        faults += _faults_of_written_files(course, notebook, folder)
    return tuple(dict.fromkeys(faults))


def _faults_of_written_files(course: Course, notebook: SourceNotebook, folder: Path) -> Iterator[Fault]:
    """List released files that the reference solution has written: running the source leaves them behind."""
    for full, released in zip(notebook.node.cells, notebook.released.cells, strict=True):
        first, _, text = full.source.partition("\n")
        written = _WRITES_FILE.match(first)
        if written is None or full.source == released.source:
            continue
        path = folder / written[1].strip("\"'")
        if path.is_file() and path.read_bytes().decode("utf-8", "replace").strip() == text.strip():
            words = f"is what the solution in {notebook.name}.ipynb writes; delete it beside the source."
            yield Fault(course.relative(path), "", words)


def _faults_of_released_notebook(
    notebook: SourceNotebook, cells: Sequence[_Cell], path: str, marks: _Marks
) -> Iterator[Fault]:
    if len(cells) != len(notebook.node.cells):
        yield Fault(path, "", "does not have the source's cells; make the release again.")
        return
    secret: set[str] = set()
    public: set[str] = set()
    for full, released in zip(notebook.node.cells, notebook.released.cells, strict=True):
        visible, hidden = _part_lines(released.source, marks)
        public |= visible
        secret |= hidden | (_part_lines(full.source, marks)[0] - visible)
    telling = {line for line in secret - public if len(line) >= _TELLING}
    for cell, released in zip(cells, notebook.released.cells, strict=True):
        yield from _faults_of_released_cell(cell, released, telling, marks)


def _part_lines(source: str, marks: _Marks) -> tuple[set[str], set[str]]:
    """Return the stripped lines outside and inside of hidden-test regions, without the marks."""
    visible: set[str] = set()
    hidden: set[str] = set()
    inside = False
    for line in source.split("\n"):
        if marks.begin_hidden in line or marks.end_hidden in line:
            inside = marks.begin_hidden in line
        elif marks.begin_solution not in line and marks.end_solution not in line:
            (hidden if inside else visible).add(line.strip())
    return visible, hidden


def _faults_of_released_cell(
    cell: _Cell, released: NotebookNode, telling: set[str], marks: _Marks
) -> Iterator[Fault]:
    node = cell.node
    told = [line.strip() for line in node.source.split("\n") if line.strip() in telling]
    hidden = json.dumps(node.metadata) + json.dumps(node.get("attachments", {}))
    told += [line for line in telling if json.dumps(line)[1:-1] in hidden]
    if told:
        yield cell.fault(f"gives away a line of a solution, a hidden test or a quiz's key: {told[0][:80]!r}.")
    for mark in (marks.begin_solution, marks.end_solution, marks.begin_hidden, marks.end_hidden):
        if mark in node.source:
            yield cell.fault(f"still holds the mark {mark!r}.")
    if quiz.is_question(released.cell_type, released.source, released.metadata):
        settings = node.metadata.get("fairmark")
        if quiz.shows_key(node.source, id=cell.label, settings=settings):
            yield cell.fault("still shows the key of the quiz.")
        if settings != released.metadata.get("fairmark"):
            yield cell.fault("has other quiz settings than the source; make the release again.")
    if node.get("outputs") or node.get("execution_count"):
        yield cell.fault("holds outputs; make the release again.")
    pictures = set(node.get("attachments", {})) - set(released.get("attachments", {}))
    if pictures:
        yield cell.fault(f"holds a picture of the model answer: {min(pictures)!r}.")
