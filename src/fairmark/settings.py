"""nbgrader's settings of a course, read as nbgrader does but without importing it: that takes seconds."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import Bool, Integer, List, Unicode, default
from traitlets.config import Application, Config, LoggingConfigurable

from fairmark.errors import UsageError

if TYPE_CHECKING:
    from typing import Any

# Names of nbgrader's past, which it still understands: where one is used, nbgrader itself reads the settings.
_OLD_SECTIONS = (
    "NbGraderConfig",
    "BasicConfig",
    "BaseNbGraderApp",
    "BaseApp",
    "TransferApp",
    "BaseNbConvertApp",
)
_OLD_OPTIONS = frozenset(
    (
        *("student_id", "assignment_id", "notebook_id", "directory_structure", "source_directory", "db_url"),
        *("release_directory", "submitted_directory", "autograded_directory", "feedback_directory"),
        *("solution_directory", "course_directory", "ignore", "course_id"),
    )
)


class CourseDirectory(LoggingConfigurable):
    """Where things lie in a course: the settings of nbgrader's class of the same name, with its defaults."""

    course_id = Unicode("").tag(config=True)
    student_id = Unicode("*").tag(config=True)
    student_id_exclude = Unicode("").tag(config=True)
    assignment_id = Unicode("").tag(config=True)
    notebook_id = Unicode("*").tag(config=True)
    directory_structure = Unicode(os.path.join("{nbgrader_step}", "{student_id}", "{assignment_id}")).tag(  # noqa: PTH118 - nbgrader's own text
        config=True
    )
    source_directory = Unicode("source").tag(config=True)
    release_directory = Unicode("release").tag(config=True)
    source_with_tests_directory = Unicode("source_with_tests").tag(config=True)
    submitted_directory = Unicode("submitted").tag(config=True)
    autograded_directory = Unicode("autograded").tag(config=True)
    feedback_directory = Unicode("feedback").tag(config=True)
    solution_directory = Unicode("solution").tag(config=True)
    db_url = Unicode("").tag(config=True)
    root = Unicode("").tag(config=True)
    groupshared = Bool(default_value=False).tag(config=True)
    ignore = List([".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback"]).tag(config=True)
    include = List(["*"]).tag(config=True)
    max_file_size = Integer(100_000).tag(config=True)
    max_dir_size = Integer(100_000).tag(config=True)

    @default("db_url")
    def _default_db_url(self) -> str:
        return f"sqlite:///{Path(self.root, 'gradebook.db').absolute()}"

    @default("root")
    def _default_root(self) -> str:
        return str(Path.cwd())

    def format_path(self, nbgrader_step: str, student_id: str, assignment_id: str) -> str:
        """Return where a step's files of a student's assignment lie."""
        path = self.directory_structure.format(
            nbgrader_step=nbgrader_step, student_id=student_id, assignment_id=assignment_id
        )
        return str(Path(self.root, path))


def read_settings(root: Path) -> tuple[Config, Any]:
    """Return the configuration that nbgrader's own commands would read in a folder, and where things lie.

    Parameters
    ----------
    root : Path
        The course folder.

    Returns
    -------
    config : traitlets.config.Config
    directory : CourseDirectory
        Ours, or nbgrader's where the course uses names that only nbgrader still knows.

    Raises
    ------
    UsageError
        Where the settings cannot be read, or are not accepted.
    """
    from jupyter_core.application import JupyterApp  # noqa: PLC0415

    reader = _load(root, JupyterApp)
    if _is_old(reader.config):
        from nbgrader.apps.baseapp import NbGrader  # noqa: PLC0415
        from nbgrader.coursedir import CourseDirectory as Stock  # noqa: PLC0415

        reader = _load(root, NbGrader, lambda app: Stock(parent=app, root=str(root)))
        return reader.config, reader.coursedir
    directory = CourseDirectory(root=str(root))
    directory.update_config(reader.config)
    for name in ("course_id", "student_id", "notebook_id", "assignment_id"):  # nbgrader strips these
        setattr(directory, name, getattr(directory, name).strip())
    directory.root = str(Path(directory.root).absolute())
    return reader.config, directory


def _is_old(config: Config) -> bool:
    return (
        any(name in config for name in _OLD_SECTIONS)
        or not _OLD_OPTIONS.isdisjoint(config.get("NbGrader", ()))
        or "course_id" in config.get("Exchange", ())
    )


def _load(root: Path, base: Any, make_directory: Any = None) -> Any:
    """Load all of a course's configuration files into an application that raises where `base` would exit."""

    class Reader(base):  # type: ignore[misc]
        name = "nbgrader"
        config_file_name = "nbgrader_config"
        load_cwd_config = False
        raise_config_file_errors = True

        def exit(self, exit_status: int | str | None = 0) -> None:  # noqa: ARG002
            raise UsageError(
                f"nbgrader does not accept the configuration of {root}; the line above says why."
            )

    reader = Reader(log_level=logging.ERROR)
    if make_directory is not None:
        reader.coursedir = make_directory(reader)
    try:
        reader.load_config_file(suppress_errors=False)
        Application.load_config_file(reader, "nbgrader_config.py", path=str(root))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{root / 'nbgrader_config.py'} cannot be read: {error!r}") from error
    return reader
