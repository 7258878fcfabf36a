"""Where things lie in a course: its configuration, its folders, its secret."""

from __future__ import annotations

import fnmatch
import os
import re
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairmark.errors import UsageError
from fairmark.settings import read_settings

if TYPE_CHECKING:
    from datetime import datetime

    from nbformat import NotebookNode
    from traitlets.config import Config

PYTHON = "python"

# nbgrader costs two to three seconds to import and nbformat one: both are imported where they are needed.


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

    @property
    def forbidden(self) -> tuple[str, ...]:
        """The packages that it has to be solved without, as its author names them."""
        return tuple(dict.fromkeys(self.node.metadata.get("fairmark", {}).get("forbidden", ())))


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
    commit : str
        Of the repository that it was collected from; empty where it is from none.
    """

    student: str
    assignment: str
    folder: Path
    notebooks: tuple[str, ...]
    timestamp: datetime | None = None
    notes: tuple[str, ...] = ()
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """An assignment's folder as it lies there: not yet read.

    Parameters
    ----------
    id : str
    folder : Path
    notebooks, files : tuple of Path
        Sorted, absolute; `files` are all others that students get.
    """

    id: str
    folder: Path
    notebooks: tuple[Path, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A submission with all that was handed in, so that it can be graded anywhere.

    Parameters
    ----------
    submission : Submission
    notebooks : dict of str to bytes
        The files by the notebooks' names; those that can be read at all.
    refused : dict of str to str
        Why the others cannot: a sentence for the student.
    files : tuple of (str, bytes)
        What lay beside them.
    notes : tuple of str
        What is wrong with that.
    """

    submission: Submission
    notebooks: dict[str, bytes]
    refused: dict[str, str]
    files: tuple[tuple[str, bytes], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """A submission's files beside its notebooks, as relative POSIX names with their contents."""

    files: tuple[tuple[str, bytes], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """A folder that nbgrader knows as a course; `open_course` makes it.

    Parameters
    ----------
    root : Path
    config : traitlets.config.Config
        What nbgrader's own commands would read in this folder.
    directory : CourseDirectory
        nbgrader's idea of where things lie: its own class, or `fairmark.settings.CourseDirectory`.
    """

    root: Path
    config: Config
    directory: Any

    @property
    def db_url(self) -> str:
        """The gradebook's address; a relative SQLite file counts from the course folder."""
        url = str(self.directory.db_url)
        scheme, _, path = url.partition("sqlite:///")
        if scheme or not path or path.startswith((":memory:", "/")) or Path(path).is_absolute():
            return url
        return f"sqlite:///{self.root / path}"

    @property
    def sandbox(self) -> str | None:
        """The level of the sandbox that was asked for, in ``c.Fairmark.sandbox``; None for the best."""
        level = self.config.get("Fairmark", {}).get("sandbox")
        return None if level is None else str(level)

    def source(self, assignment: str) -> Path:
        """Return the folder that instructors write an assignment in."""
        return self._folder(self.directory.source_directory, ".", assignment)

    def release(self, assignment: str) -> Path:
        """Return the folder that students get."""
        return self._folder(self.directory.release_directory, ".", assignment)

    def submitted(self, student: str, assignment: str) -> Path:
        """Return the folder that a student hands in."""
        return self._folder(self.directory.submitted_directory, student, assignment)

    def autograded(self, student: str, assignment: str) -> Path:
        """Return the folder for a graded submission."""
        return self._folder(self.directory.autograded_directory, student, assignment)

    def feedback(self, student: str, assignment: str) -> Path:
        """Return the folder for a submission's feedback pages."""
        return self._folder(self.directory.feedback_directory, student, assignment)

    def _folder(self, step: str, student: str, assignment: str) -> Path:
        return Path(os.path.normpath(self.directory.format_path(step, student, assignment)))

    def relative(self, path: Path) -> str:
        """Return how messages name a file: from the course folder on where it lies in there."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def assignments(self) -> tuple[str, ...]:
        """Return the ids of all assignments that have notebooks, sorted."""
        base, name, rest = split_at(self.source("\0"))
        found = []
        for folder in base.iterdir() if base.is_dir() else ():
            match = name.fullmatch(folder.name)
            if match and any((folder / rest).glob("*.ipynb")):
                found.append(match[1])
        return tuple(sorted(found))

    def find_source(self, assignment: str) -> Path:
        """Return the folder of an assignment that has notebooks.

        Raises
        ------
        UsageError
            Where the course has no such assignment.
        """
        known = self.assignments()
        if assignment in known:
            return self.source(assignment)
        near = get_close_matches(assignment, known, 1)
        hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(known)}." if known else ""
        folder = self.source("…").parent
        raise UsageError(f"There is no assignment {assignment!r} with notebooks in {folder}.{hint}")

    def list_source(self, assignment: str) -> Source:
        """Return what lies in the folder of an assignment.

        Raises
        ------
        UsageError
            Where the course has no such assignment.
        """
        folder = self.find_source(assignment).absolute()
        files = []
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            ignored = any(
                fnmatch.fnmatch(part, pattern) for part in parts for pattern in self.directory.ignore
            )
            if path.is_file() and path.suffix != ".ipynb" and not ignored:
                files.append(path)
        return Source(assignment, folder, tuple(sorted(folder.glob("*.ipynb"))), tuple(files))

    def kept_from_overwriting(self, assignment: str) -> frozenset[str]:
        """Return the files that a student may hand in although the instructor has one of the same name."""
        excluded = self.config.get("Autograde", {}).get("exclude_overwriting", {})
        return frozenset(os.path.normpath(name) for name in excluded.get(assignment, ()))

    def observed(self, assignment: str) -> tuple[Path, ...]:
        """Return the files that tell what was seen of work in git; most assignments have none."""
        private = self.root / ".fairmark"
        known = (self.root / "roster.csv", private / "repository.toml", private / f"{assignment}.seen.jsonl")
        is_done_in_git = (self.root / "autograder" / assignment / "task.toml").is_file()
        return tuple(path for path in known if path.is_file()) if is_done_in_git else ()

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
    config, directory = read_settings(root)
    if (
        not (Path(directory.root) / directory.source_directory).exists()
        and not (root / "nbgrader_config.py").exists()
    ):
        raise UsageError(
            f"{root} is not a course folder: it has neither nbgrader_config.py nor a folder "
            f"{directory.source_directory!r}. Change to the course folder, or name it."
        )
    return Course(Path(directory.root), config, directory)


def find_language(metadata: object) -> str:
    """Return the language that a notebook's code is in, in small letters; empty where it does not say.

    Parameters
    ----------
    metadata : object
        The notebook's own, which may come from anybody: a mapping, or it says nothing.
    """
    kernel, language = (_mapping(_mapping(metadata).get(name)) for name in ("kernelspec", "language_info"))
    named = (kernel.get("language"), language.get("name"), kernel.get("name"), kernel.get("display_name"))
    texts = [text.lower() if isinstance(text, str) else "" for text in named]
    told = texts[0] or texts[1]
    if told:
        return PYTHON if told == "ipython" else told
    # Old notebooks name the kernel alone; most are Python's, and say so.
    return PYTHON if any(PYTHON in text for text in texts) else texts[2]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def split_at(pattern: Path) -> tuple[Path, re.Pattern[str], Path]:
    """Split a path at the part that holds NUL: what lies before, a pattern for the part, what lies behind."""
    parts = pattern.parts
    place = next(number for number, part in enumerate(parts) if "\0" in part)
    name = "(.+)".join(re.escape(piece) for piece in parts[place].split("\0", 1))
    return Path(*parts[:place]), re.compile(name, re.DOTALL), Path(*parts[place + 1 :])


def keep_for_later(path: Path, text: str) -> None:
    """Write a file of the course's private folder, whole or not at all; nothing is lost without it."""
    draft = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
