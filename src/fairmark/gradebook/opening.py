"""Opens the gradebook, tells in our own words what is wrong with it, and waits for one that is busy."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import nbgrader
from nbgrader import api
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, InterfaceError, InternalError, OperationalError, SQLAlchemyError

from fairmark.errors import GraderError, UsageError
from fairmark.ledger import prepare_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairmark.course import Course

# How long a gradebook that is busy, or whose server is gone, is tried again.
PATIENCE_SECONDS = 30.0
_in_vain: set[str] = set()  # the gradebooks for which that was not long enough


@contextmanager
def open_gradebook(course: Course) -> Iterator[api.Gradebook]:
    """Open the gradebook, which is made where there is none; what is not committed is as if never written.

    Raises
    ------
    GraderError
        Where it cannot be used.
    """
    with _telling(course), make_gradebook(course) as book:
        yield book


@contextmanager
def _telling(course: Course) -> Iterator[None]:
    """Tell what is wrong with the gradebook in our own words."""
    try:
        yield
    except (SQLAlchemyError, api.InvalidEntry) as error:
        cause = str(getattr(error, "orig", None) or error).split("\n", 1)[0]
        raise GraderError(
            f"The gradebook {_without_password(course.db_url)} cannot be used: {cause}. Close other programs "
            "that write into it; after an update of nbgrader, run: nbgrader db upgrade"
        ) from error


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string()
    except SQLAlchemyError:
        return url.split("://", 1)[0]


def try_for_a_while(course: Course, act: Callable[[], None]) -> None:
    """Do what writes into the gradebook; while others keep it from that, try again from the start.

    One that was waited for in vain is tried once: a class must not wait as often as it has students.

    Raises
    ------
    GraderError
        Where that does not help, or goes on for too long.
    """
    end = time.monotonic() + (0 if course.db_url in _in_vain else PATIENCE_SECONDS)
    pauses = (0.05 * 2**number for number in count())
    while True:
        try:
            with _telling(course):
                act()
        except GraderError as error:
            pause = min(next(pauses), 2.0)
            if not _may_pass(error.__cause__):
                raise
            if time.monotonic() + pause > end:
                _in_vain.add(course.db_url)
                raise
            time.sleep(pause)
        else:
            _in_vain.discard(course.db_url)
            return


def _may_pass(error: BaseException | None) -> bool:
    """Tell whether trying again may help: a lock, a lost connection, a row that another grader just added."""
    lasting = ("no such", "disk", "readonly")  # no table, a full disk, a file that may not be written
    busy = isinstance(error, OperationalError) and not any(word in str(error) for word in lasting)
    return busy or isinstance(error, (InterfaceError, InternalError, IntegrityError, api.InvalidEntry))


def make_gradebook(course: Course) -> api.Gradebook:
    """Return the gradebook, open; it is made where there is none.

    Raises
    ------
    UsageError
        Where the command alembic is missing, by which nbgrader makes it.
    SQLAlchemyError, InvalidEntry
        Where it cannot be used: `try_for_a_while` tells so.
    """
    _begin_file(course.db_url)
    with _finding_alembic():
        try:
            book = api.Gradebook(course.db_url, course.directory.course_id)
        except FileNotFoundError as error:
            raise UsageError("nbgrader needs the command alembic to make a gradebook; install it.") from error
    prepare_ledger(book.engine)
    return book


@contextmanager
def taking_turns(course: Course) -> Iterator[None]:
    """Keep other graders out of such a block for a while: nbgrader removes a notebook, and adds it again.

    Whoever ends, however that may be, leaves the turn to the next. One that is stopped is waited for as long
    as a busy gradebook, and no longer.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as held:
        take = _by_server if make_url(course.db_url).get_backend_name() == "postgresql" else _by_file
        is_ours = take(course, held)
        while not is_ours() and time.monotonic() < until:
            time.sleep(0.02)
        yield


def _by_file(course: Course, held: ExitStack) -> Callable[[], bool]:
    """Return what tries to have the turn among the graders of a course folder."""
    folder = course.root / ".fairmark"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = held.enter_context((folder / "turn").open("a"))

    def try_once() -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    return try_once


def _by_server(course: Course, held: ExitStack) -> Callable[[], bool]:
    """Return what tries to have the turn among the graders of a database, on whatever machines they are."""
    engine = create_engine(course.db_url)
    held.callback(engine.dispose)
    connection = held.enter_context(engine.connect())
    return lambda: bool(connection.scalar(text("SELECT pg_try_advisory_lock(hashtext('fairmark'))")))


def _begin_file(url: str) -> None:
    """Write into a file that is made now what version its tables have; nbgrader adds the tables.

    It would start a command to learn the version, which takes seconds.
    """
    place = make_url(url)
    if place.get_backend_name() != "sqlite" or not place.database or Path(place.database).exists():
        return
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - only a new gradebook needs it

    version = ScriptDirectory(str(Path(nbgrader.__file__).parent / "alembic")).get_current_head()
    engine = create_engine(place)
    with suppress(OperationalError), engine.begin() as connection:  # another grader is doing the same
        connection.exec_driver_sql("BEGIN")  # which sqlite3 does not send before a table is made
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version (version_num) VALUES (?)", (version,))
    engine.dispose()


@contextmanager
def _finding_alembic() -> Iterator[None]:
    """Let nbgrader find the command alembic, which lies beside the interpreter, also where PATH lacks it."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = os.pathsep.join(filter(None, (before, str(Path(sys.executable).parent))))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = before
