"""Where things lie: a course's configuration, its assignments as nbgrader makes them, its submissions."""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import json
import logging
import math
import os
import re
import secrets
import stat
import sys
import unicodedata
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fairmark import quiz
from fairmark.errors import AuthorError, Fault, Ungradable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from nbformat import NotebookNode
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

# nbgrader costs two to three seconds to import and nbformat one: both are imported where they are needed.

MAX_NOTEBOOK_BYTES = 50 * 2**20
MAX_NOTEBOOK_VALUES = 5_000_000
MAX_FILES = 1_000
MAX_FILES_BYTES = 200 * 2**20
MAX_FOLDER_DEPTH = 20

# Lines of a solution or a hidden test that are shorter than this give nothing away.
_TELLING = 8

_ODD_IN_A_NAME = re.compile(r"""[\\/:*?"<>|+%#&$`'~{}\x00-\x1f\x7f]|^[.\s-]|\s$""")


# ---------------------------------------------------------------------------------------------------------
# Records


@dataclass(frozen=True, slots=True)
class SourceNotebook:
    """An instructor's notebook as nbgrader makes it.

    Parameters
    ----------
    name : str
        Without its ending.
    path : Path
        The notebook in the course's source folder.
    node : NotebookNode
        With header and footer, locked cells and checksums; solutions, hidden tests and quiz keys still in.
    released : NotebookNode
        The same cells, one to one, with solutions and quiz keys taken out and hidden tests still in: what
        nbgrader's gradebook keeps.
    """

    name: str
    path: Path
    node: NotebookNode
    released: NotebookNode


@dataclass(frozen=True, slots=True)
class Assignment:
    """An assignment as its instructors wrote it.

    Parameters
    ----------
    id : str
    folder : Path
    notebooks : tuple of SourceNotebook
        Sorted by name.
    files : tuple of Path
        All other files that students get, absolute.
    sha256 : str
        Changes whenever something changes that may change a grade.
    """

    id: str
    folder: Path
    notebooks: tuple[SourceNotebook, ...]
    files: tuple[Path, ...]
    sha256: str

    def notebook(self, name: str) -> SourceNotebook:
        """Return the notebook called `name`.

        Raises
        ------
        KeyError
            Where the assignment has no such notebook.
        """
        for notebook in self.notebooks:
            if notebook.name == name:
                return notebook
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Submission:
    """One student's folder for one assignment.

    Parameters
    ----------
    student : str
        The folder's name, with characters that no database and no terminal can hold replaced.
    assignment : str
    folder : Path
    notebooks : tuple of str
        Names of the notebooks found, without their ending.
    timestamp : datetime or None
        When it was handed in, in UTC; None where ``timestamp.txt`` is missing or unreadable.
    notes : tuple of str
        What is wrong with the folder, in words for the student.
    """

    student: str
    assignment: str
    folder: Path
    notebooks: tuple[str, ...]
    timestamp: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """A submission's files beside its notebooks, as relative POSIX names with their contents."""

    files: tuple[tuple[str, bytes], ...]
    notes: tuple[str, ...]


# ---------------------------------------------------------------------------------------------------------
# The course


@dataclass(frozen=True, slots=True)
class Course:
    """A folder that nbgrader knows as a course; `open_course` makes it.

    Parameters
    ----------
    root : Path
    config : traitlets.config.Config
        What nbgrader's own commands would read in this folder.
    directory : nbgrader.coursedir.CourseDirectory
        nbgrader's idea of where things lie.
    """

    root: Path
    config: Config
    directory: CourseDirectory

    @property
    def db_url(self) -> str:
        """The gradebook's address; a relative SQLite file counts from the course folder."""
        url = str(self.directory.db_url)
        scheme, _, path = url.partition("sqlite:///")
        if scheme or not path or path.startswith((":memory:", "/")) or Path(path).is_absolute():
            return url
        return f"sqlite:///{self.root / path}"

    def source(self, assignment: str) -> Path:
        """Return the folder that instructors write an assignment in."""
        return self._folder(self.directory.source_directory, ".", assignment)

    def release(self, assignment: str) -> Path:
        """Return the folder that students get."""
        return self._folder(self.directory.release_directory, ".", assignment)

    def autograded(self, student: str, assignment: str) -> Path:
        """Return the folder for a graded submission."""
        return self._folder(self.directory.autograded_directory, student, assignment)

    def feedback(self, student: str, assignment: str) -> Path:
        """Return the folder for a submission's feedback pages."""
        return self._folder(self.directory.feedback_directory, student, assignment)

    def _folder(self, step: str, student: str, assignment: str) -> Path:
        return Path(os.path.normpath(self.directory.format_path(step, student, assignment)))

    def assignments(self) -> tuple[str, ...]:
        """Return the ids of all assignments that have notebooks, sorted."""
        base, name, rest = _split_at(self.source("\0"))
        found = []
        for folder in base.iterdir() if base.is_dir() else ():
            match = name.fullmatch(folder.name)
            if match and any((folder / rest).glob("*.ipynb")):
                found.append(match[1])
        return tuple(sorted(found))

    def assignment(self, assignment: str) -> Assignment:
        """Read an assignment.

        Raises
        ------
        UsageError
            Where the course has no such assignment.
        AuthorError
            With all faults of its notebooks at once.
        """
        folder = self._source_folder(assignment)
        faults = find_faults(self, assignment)
        if faults:
            raise AuthorError(faults)
        paths = sorted(folder.glob("*.ipynb"))
        notebooks = tuple(_prepare(self, assignment, path) for path in paths)
        files = tuple(_other_files(folder, self.directory.ignore))
        return Assignment(assignment, folder, notebooks, files, _digest(notebooks, folder, files))

    def _source_folder(self, assignment: str) -> Path:
        known = self.assignments()
        if assignment in known:
            return self.source(assignment)
        near = get_close_matches(assignment, known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(known)}." if known else ""
        folder = self.source("…").parent
        raise UsageError(f"There is no assignment {assignment!r} with notebooks in {folder}.{hint}")

    def submissions(self, assignment: str, students: Sequence[str] = ()) -> tuple[Submission, ...]:
        """Find what was handed in for an assignment, sorted by student.

        Folders that are links are not entered; they are returned without notebooks and with a note, so that
        they can be reported by name.

        Parameters
        ----------
        assignment : str
        students : sequence of str, optional
            Only these; a student without a folder is simply not in the result.
        """
        left_out = {name for name in self.directory.student_id_exclude.split(",") if name}
        base, name, rest = _split_at(self._folder(self.directory.submitted_directory, "\0", assignment))
        found = []
        for entry in os.scandir(base) if base.is_dir() else ():
            match = name.fullmatch(entry.name)
            if match is None or entry.name.startswith("."):
                continue
            student = _printable(match[1])
            if student in left_out or (students and student not in students):
                continue
            submission = _find_submission(student, assignment, base / entry.name, rest)
            if submission is not None:
                found.append(submission)
        return tuple(sorted(found, key=lambda submission: submission.student))

    def kept_from_overwriting(self, assignment: str) -> frozenset[str]:
        """Return the files that a student may hand in although the instructor has one of the same name."""
        from nbgrader.converters import Autograde  # noqa: PLC0415

        excluded = Autograde(coursedir=self.directory, config=self.config).exclude_overwriting
        return frozenset(os.path.normpath(name) for name in excluded.get(assignment, ()))

    def secret(self) -> bytes:
        """Return the course's 32 random bytes; they are made when first needed."""
        folder = self.root / ".fairmark"
        path = folder / "secret"
        with suppress(FileNotFoundError):
            return path.read_bytes()
        folder.mkdir(mode=0o700, exist_ok=True)
        draft = folder / f"secret.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
            # A link to an existing name fails: whoever comes second reads the secret of the first.
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        return path.read_bytes()


def open_course(folder: Path | str) -> Course:
    """Open a course folder with the configuration that nbgrader's own commands would read in it.

    Parameters
    ----------
    folder : Path or str
        Where ``nbgrader_config.py`` or the source folder lies.

    Raises
    ------
    UsageError
        Where the folder is no course, or its configuration cannot be read.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise UsageError(f"The course folder {root} does not exist.")
    # Plug-ins of the course (a late penalty, say) lie beside its configuration.
    if str(root) not in sys.path:
        sys.path.append(str(root))
    from nbgrader.apps.baseapp import NbGrader  # noqa: PLC0415
    from nbgrader.coursedir import CourseDirectory  # noqa: PLC0415
    from traitlets.config import Application  # noqa: PLC0415

    class Reader(NbGrader):  # type: ignore[misc]
        """nbgrader's loading of configuration, which raises where nbgrader would end the process."""

        name = "nbgrader"
        load_cwd_config = False
        raise_config_file_errors = True

        def exit(self, exit_status: int | str | None = 0) -> None:  # noqa: ARG002
            raise UsageError(
                f"nbgrader does not accept the configuration of {root}; the line above says why."
            )

    reader = Reader(log_level=logging.ERROR)
    reader.coursedir = CourseDirectory(parent=reader, root=str(root))
    try:
        reader.load_config_file(suppress_errors=False)
        Application.load_config_file(reader, "nbgrader_config.py", path=str(root))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{root / 'nbgrader_config.py'} cannot be read: {error!r}") from error
    directory = reader.coursedir
    if (
        not (Path(directory.root) / directory.source_directory).exists()
        and not (root / "nbgrader_config.py").exists()
    ):
        raise UsageError(
            f"{root} is not a course folder: it has neither nbgrader_config.py nor a folder "
            f"{directory.source_directory!r}. Change to the course folder, or name it."
        )
    return Course(Path(directory.root), reader.config, directory)


def _split_at(pattern: Path) -> tuple[Path, re.Pattern[str], Path]:
    """Split a path at the part that holds NUL: what lies before, a pattern for the part, what lies behind."""
    parts = pattern.parts
    place = next(number for number, part in enumerate(parts) if "\0" in part)
    name = "(.+)".join(re.escape(piece) for piece in parts[place].split("\0", 1))
    return Path(*parts[:place]), re.compile(name, re.DOTALL), Path(*parts[place + 1 :])


def _printable(name: str) -> str:
    """Return a folder's name as text that every file, database and terminal can hold."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(
        "\ufffd" if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") else letter for letter in text
    )


def _other_files(folder: Path, ignore: Sequence[str]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        ignored = any(fnmatch.fnmatch(part, pattern) for part in parts for pattern in ignore)
        if path.is_file() and path.suffix != ".ipynb" and not ignored:
            yield path.absolute()


def _digest(notebooks: Sequence[SourceNotebook], folder: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for notebook in notebooks:
        digest.update(json.dumps([notebook.name, notebook.node, notebook.released], sort_keys=True).encode())
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(json.dumps([path.relative_to(folder).as_posix(), content]).encode())
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------------------
# From the source to what nbgrader keeps


def _prepare(course: Course, assignment: str, path: Path) -> SourceNotebook:
    """Run the course's own preprocessors over a source notebook, with and without its solutions."""
    from nbgrader.preprocessors import ClearSolutions  # noqa: PLC0415

    steps = _steps(course, path.parent)
    resources = _resources(course, assignment, path)
    clearing = next(
        (number for number, step in enumerate(steps) if isinstance(step, ClearSolutions)), len(steps)
    )
    name = _relative(course, path)
    try:
        full = _read_source(path)
        for step in steps[:clearing]:
            full, resources = step(full, resources)
        released = deepcopy(full)
        for step in steps[clearing : clearing + 1]:
            released, resources = clear(released, resources, step)
        for step in steps[clearing + 1 :]:
            full, _ = step(full, deepcopy(resources))
            released, resources = step(released, resources)
    except Exception as error:
        raise AuthorError((Fault(name, "", f"nbgrader cannot make the release: {error}"),)) from error
    if len(full.cells) != len(released.cells):
        fault = (
            "the course's preprocessors add or drop cells while they clear solutions; that cannot be graded."
        )
        raise AuthorError((Fault(name, "", fault),))
    for node in (full, released):
        _give_ids(node)
    for cell, kept in zip(full.cells, released.cells, strict=True):
        if "checksum" in kept.metadata.get("nbgrader", {}):
            cell.metadata.nbgrader["checksum"] = kept.metadata.nbgrader.checksum
    return SourceNotebook(path.stem, path, full, released)


def _steps(course: Course, folder: Path) -> list[Callable[[Any, Any], tuple[Any, Any]]]:
    """Return the course's preprocessors up to the one that writes into the gradebook, ready to use."""
    from nbgrader import preprocessors as stock  # noqa: PLC0415
    from nbgrader.converters import GenerateAssignment  # noqa: PLC0415
    from traitlets import import_item  # noqa: PLC0415

    steps: list[Callable[[Any, Any], tuple[Any, Any]]] = []
    for listed in GenerateAssignment(coursedir=course.directory, config=course.config).preprocessors:
        step = import_item(listed) if isinstance(listed, str) else listed
        step = step(config=course.config) if isinstance(step, type) else step
        if isinstance(step, stock.SaveCells | stock.ClearHiddenTests):
            break
        # nbgrader changes into the course folder; a path from there on is the same without that.
        if isinstance(step, stock.IncludeHeaderFooter):
            step.header = step.header and str(course.root / step.header)
            step.footer = step.footer and str(course.root / step.footer)
        if isinstance(step, stock.InstantiateTests) and not (folder / step.autotest_filename).exists():
            step.autotest_filename = str(course.root / step.autotest_filename)
        steps.append(step)
    return steps


def _resources(course: Course, assignment: str, path: Path) -> dict[str, Any]:
    return {
        "unique_key": path.stem,
        "output_files_dir": f"{path.stem}_files",
        "metadata": {"name": path.stem, "path": str(path.parent)},
        "nbgrader": {
            "student": ".",
            "assignment": assignment,
            "notebook": path.stem,
            "db_url": course.db_url,
        },
    }


def clear(node: NotebookNode, resources: Any, step: Callable[[Any, Any], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Take solutions, quiz keys and the pictures of model answers out of a notebook.

    Parameters
    ----------
    node : NotebookNode
    resources : mapping
        nbconvert's.
    step : callable
        nbgrader's own way to clear solutions; it gets the notebook and `resources` and returns both.
    """
    questions = {number: _blanked(cell) for number, cell in enumerate(node.cells) if is_question(cell)}
    node, resources = step(node, resources)
    for number, cell in enumerate(node.cells):
        if number in questions:
            node.cells[number] = questions[number]
        elif cell.metadata.get("nbgrader", {}).get("solution"):
            for picture in [name for name in cell.get("attachments", {}) if name not in cell.source]:
                del cell.attachments[picture]
    return node, resources


def is_question(cell: NotebookNode) -> bool:
    """Tell whether an instructor's cell is a quiz question."""
    return quiz.is_question(cell.cell_type, cell.source, cell.metadata)


def _blanked(cell: NotebookNode) -> NotebookNode:
    """Return a copy of a quiz cell as the release has it."""
    nbgrader, settings = cell.metadata.nbgrader, cell.metadata.get("fairmark")
    question = quiz.read_question(
        cell.source, id=nbgrader.grade_id, points=nbgrader.get("points"), settings=settings
    )
    released = deepcopy(cell)
    released.source = question.released
    # The ticks told which kind it is; the blank text no longer does.
    released.metadata["fairmark"] = {**(settings or {}), "kind": question.kind}
    return released


def _read_source(path: Path) -> NotebookNode:
    # nbformat.read would give new, random ids to cells without a proper one.
    from nbformat.v4 import reads  # noqa: PLC0415

    return cast("NotebookNode", reads(path.read_text(encoding="utf-8")))


def _give_ids(node: NotebookNode) -> None:
    """Give every cell a valid, unique id that is the same whenever the same source is read."""
    used: set[str] = set()
    for number, cell in enumerate(node.cells):
        given = cell.get("id", "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given) or given in used:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            given = f"cell-{number + 1}-{grade_id}".rstrip("-")[:64]
        cell["id"] = given
        used.add(given)
    node["nbformat_minor"] = max(node.nbformat_minor, 5)


# ---------------------------------------------------------------------------------------------------------
# Faults of authors


def find_faults(course: Course, assignment: str) -> tuple[Fault, ...]:
    """List everything that is wrong with an assignment's source, all at once.

    Raises
    ------
    UsageError
        Where the course has no such assignment.
    """
    folder = course.source(assignment)
    if assignment not in course.assignments():
        course._source_folder(assignment)  # noqa: SLF001 - it raises, with a hint
    paths = sorted(folder.glob("*.ipynb"))
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

    def fault(self, message: str) -> Fault:
        return Fault(self.file, self.label, message)


def _frame_paths(course: Course) -> dict[str, Path]:
    """Return the header and footer notebooks of the course."""
    from nbgrader.preprocessors import IncludeHeaderFooter  # noqa: PLC0415

    step = IncludeHeaderFooter(config=course.config)
    return {
        edge: course.root / path for edge, path in (("header", step.header), ("footer", step.footer)) if path
    }


def _relative(course: Course, path: Path) -> str:
    return str(path.relative_to(course.root)) if path.is_relative_to(course.root) else str(path)


def _faults_of_names(course: Course, assignment: str, paths: Sequence[Path]) -> Iterator[Fault]:
    folder = course.source(assignment)
    if _ODD_IN_A_NAME.search(assignment):
        yield Fault(
            _relative(course, folder),
            "",
            "the folder's name has characters that paths and addresses cannot hold.",
        )
    for path in paths:
        if _ODD_IN_A_NAME.search(path.stem):
            yield Fault(
                _relative(course, path),
                "",
                "the name has characters that some systems cannot hold; use letters, digits, - and _.",
            )
    seen: dict[str, Path] = {}
    for path in paths:
        twin = seen.setdefault(path.stem.casefold(), path)
        if twin is not path:
            yield Fault(
                _relative(course, path),
                "",
                f"on many computers this is the same name as {twin.name}; rename one of them.",
            )


def _read_cells(course: Course, path: Path) -> tuple[tuple[_Cell, ...], tuple[Fault, ...]]:
    import nbformat  # noqa: PLC0415

    file = _relative(course, path)
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
    if is_question(node):
        nbgrader = node.metadata.nbgrader
        for message in quiz.find_faults(
            node.source, id=cell.label, points=nbgrader.get("points"), settings=node.metadata.get("fairmark")
        ):
            yield cell.fault(message)
    elif "fairmark" in node.metadata:
        yield cell.fault("has quiz settings but is no quiz question; it must be a graded Markdown answer.")


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
    if flags & {"grade", "task"} and not is_question(cell.node):
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
        Fault(_relative(course, path), "", "is not in the source; remove it from the release.")
        for path in sorted(folder.rglob("*.ipynb"))
        if path.parent != folder or path.stem not in names
    ]
    for notebook in assignment.notebooks:
        path = folder / f"{notebook.name}.ipynb"
        cells, told = _read_cells(course, path)
        faults += told
        if not told:
            faults += _faults_of_released_notebook(notebook, cells, path=_relative(course, path), marks=marks)
    return tuple(dict.fromkeys(faults))


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
    if is_question(released):
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


# ---------------------------------------------------------------------------------------------------------
# What was handed in: hostile files


def read_notebook(path: Path) -> NotebookNode:
    """Read a submitted notebook; nothing that lies there can do more than make it ungradable.

    The result is not checked against nbformat's schema: `fairmark.assembly` takes what it can use.

    Parameters
    ----------
    path : Path

    Raises
    ------
    Ungradable
        With a sentence for the student.
    """
    from nbformat import from_dict  # noqa: PLC0415

    content = _read_file(path.parent, path.name, MAX_NOTEBOOK_BYTES, "The notebook")
    if not content.strip():
        raise Ungradable("The notebook file is empty. Save it again in Jupyter and hand it in again.")
    if sum(content.count(mark) for mark in (b",", b"[", b"{")) > MAX_NOTEBOOK_VALUES:
        raise Ungradable("The notebook holds too much to be read. Clear its outputs and hand it in again.")
    try:
        document = json.loads(content.decode("utf-8-sig"))
        if not isinstance(document, dict):
            raise Ungradable("The file holds no notebook. Hand in the notebook that you worked in.")
        document = _upgrade(document, content)
        node = from_dict(document)
    except UnicodeDecodeError as error:
        raise Ungradable("The notebook is not encoded in UTF-8. Save it again in Jupyter.") from error
    except RecursionError as error:
        raise Ungradable("The notebook is nested too deeply to be read.") from error
    except ValueError as error:
        raise Ungradable(
            "The file is not JSON, so it is no notebook; it may be cut off. Save it again in Jupyter."
        ) from error
    if not isinstance(node.get("cells"), list):
        raise Ungradable(
            "The notebook holds no list of cells. Save it again in Jupyter and hand it in again."
        )
    return cast("NotebookNode", node)


def _upgrade(document: dict[str, Any], content: bytes) -> Any:
    version = document.get("nbformat")
    if version == 4:
        return document
    if version == 3:
        import nbformat  # noqa: PLC0415

        try:
            return nbformat.reads(content.decode("utf-8-sig"), as_version=4)
        except Exception as error:  # whatever nbformat trips over in a hostile file
            raise Ungradable(
                "The notebook is of an old format and damaged. Save it again in Jupyter."
            ) from error
    raise Ungradable(
        f"The notebook's format is {str(version)[:20]!r}, but 4 is needed. Save it again in Jupyter."
    )


def _read_file(folder: Path | int, name: str, limit: int, what: str) -> bytes:
    """Read one regular file in `folder` without following links or waiting for anything."""
    try:
        parent = folder if isinstance(folder, int) else _open_folder(folder)
        try:
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent
            )
        finally:
            if parent is not folder:
                os.close(parent)
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise Ungradable(f"{what} is not an ordinary file. Hand in the file itself.")
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(limit + 1) if state.st_size <= limit else b""
    except OSError as error:
        raise Ungradable(_explain(error, what)) from error
    if state.st_size > limit or len(content) > limit:
        raise Ungradable(
            f"{what} is larger than {limit // 2**20} MiB. Clear its outputs and hand it in again."
        )
    return content


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _explain(error: OSError, what: str) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"{what} is a link; links are not followed. Hand in the file itself."
    if error.errno == errno.ENOENT:
        return f"{what} is missing."
    return f"{what} cannot be read: {error.strerror}."


def find_oddities(course: Course, folder: Path) -> tuple[Path, ...] | None:
    """Find what in a submission's folder is no ordinary file, for nbgrader's own intake, which follows links.

    Parameters
    ----------
    course : Course
    folder : Path
        ``submitted/<student>/<assignment>``.

    Returns
    -------
    tuple of Path or None
        None where nbgrader must not touch the folder at all: it is a link itself, its ``timestamp.txt`` is no
        ordinary file, a folder bears the name of a notebook, or there is too much of that kind.
    """
    base, _, _ = _split_at(course._folder(course.directory.submitted_directory, "\0", "\0"))  # noqa: SLF001
    place = base
    for part in Path(os.path.normpath(folder)).relative_to(base).parts:
        place /= part
        if place.is_symlink():
            return None
    odd = []
    for inside, subfolders, names in os.walk(folder):
        if any(name.endswith(".ipynb") or name == "result.json" for name in subfolders):
            return None
        odd += [
            Path(inside, name) for name in names if not stat.S_ISREG(os.lstat(Path(inside, name)).st_mode)
        ]
        if len(odd) > MAX_FILES:
            return None
    return None if folder / "timestamp.txt" in odd else tuple(odd)


def _find_submission(student: str, assignment: str, folder: Path, rest: Path) -> Submission | None:
    """Return what lies in one student's folder, or None where there is none."""
    for part in ("", *rest.parts):
        folder = folder / part
        try:
            mode = folder.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(mode):
            note = "The folder is a link; links are not followed. Hand in the files themselves."
            return Submission(student, assignment, folder, (), notes=(note,))
        if not stat.S_ISDIR(mode):
            return None
    names = []
    notes = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not entry.name.endswith(".ipynb") or entry.name.startswith("."):
            continue
        if entry.is_file(follow_symlinks=False):
            names.append(entry.name.removesuffix(".ipynb"))
        else:
            notes.append(f"{_printable(entry.name)!r} is not an ordinary file; it was left out.")
    timestamp, told = _read_timestamp(folder)
    return Submission(student, assignment, folder, tuple(names), timestamp, (*notes, *told))


def _read_timestamp(folder: Path) -> tuple[datetime | None, tuple[str, ...]]:
    from nbgrader.utils import parse_utc  # noqa: PLC0415

    try:
        text = _read_file(folder, "timestamp.txt", 2**20, "timestamp.txt").decode().strip()
        # nbgrader takes "+0200" behind a blank for 200 seconds; without the blank it is read rightly.
        return parse_utc(re.sub(r" ([+-]\d{4})$", r"\1", text)).replace(tzinfo=UTC), ()
    except Ungradable as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        return None, () if missing else (str(error),)
    except Exception:  # noqa: BLE001 - dateutil raises many kinds
        return None, ("timestamp.txt holds no time; the time of handing in is not known.",)


def collect_files(course: Course, assignment: Assignment, submission: Submission) -> Collected:
    """Read the files that a student handed in beside the notebooks: data and modules of their own.

    Links, pipes and all else that is no ordinary file are left out. So are files that the instructor has
    under the same name, unless the course lets students change them (``c.Autograde.exclude_overwriting``).

    Parameters
    ----------
    course : Course
    assignment : Assignment
    submission : Submission
    """
    given = {path.relative_to(assignment.folder.absolute()).as_posix() for path in assignment.files}
    kept = course.kept_from_overwriting(assignment.id)
    files: list[tuple[str, bytes]] = []
    notes: list[str] = []
    size = 0
    try:
        for name, read in _walk(submission.folder, course.directory.ignore, notes):
            if name.endswith(".ipynb") or (name in given and name not in kept):
                continue
            if _is_in_the_way(name, given):
                notes.append(f"{name!r} stands where another file belongs; it was left out.")
                continue
            if len(files) >= MAX_FILES:
                notes.append(f"More than {MAX_FILES} files were handed in; the others were left out.")
                break
            try:
                content = read(MAX_FILES_BYTES - size)
            except Ungradable as error:
                notes.append(str(error))
                continue
            size += len(content)
            files.append((name, content))
    except OSError as error:
        notes.append(f"The folder cannot be read: {error.strerror}.")
    return Collected(tuple(sorted(files)), tuple(notes))


def _is_in_the_way(name: str, given: Iterable[str]) -> bool:
    """Tell whether a file stands where grading writes, or in the way of an instructor's file."""
    parts = name.split("/")
    if parts[0] == "result.json" or any(part.endswith(".ipynb") for part in parts):
        return True
    return any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in given)


def _walk(top: Path, ignore: Sequence[str], notes: list[str]) -> Iterator[tuple[str, Callable[[int], bytes]]]:
    """Yield every ordinary file below `top` with a function that reads it; tell about everything else."""
    folders = 0
    for place, subfolders, names, descriptor in os.fwalk(top, follow_symlinks=False):
        inside = Path(place).relative_to(top)
        folders += 1
        if folders > MAX_FILES or len(inside.parts) >= MAX_FOLDER_DEPTH:
            notes.append(
                f"The folder {_printable(str(inside))!r} and what is in it was left out: too many folders."
            )
            subfolders.clear()
            continue
        entered = [name for name in sorted(subfolders) if _is_plain(name, ignore)]
        for name in [*entered, *sorted(names)]:
            if not _is_plain(name, ignore):
                if _printable(name) != name:
                    notes.append(f"{_printable(name)!r} was left out because of its name.")
                continue
            mode = os.lstat(name, dir_fd=descriptor).st_mode
            if stat.S_ISREG(mode):
                relative = (inside / name).as_posix()
                yield relative, _reader(descriptor, name, relative)
            elif not stat.S_ISDIR(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "not an ordinary file"
                notes.append(f"{(inside / name).as_posix()!r} is {kind}; it was left out.")
        subfolders[:] = entered


def _is_plain(name: str, ignore: Sequence[str]) -> bool:
    return _printable(name) == name and not any(fnmatch.fnmatch(name, pattern) for pattern in ignore)


def _reader(descriptor: int, name: str, relative: str) -> Callable[[int], bytes]:
    return lambda limit: _read_file(descriptor, name, limit, f"{relative!r}")
