"""Remembers in the gradebook's own database what each grade there rests on, in the transaction that wrote it.

One table beside nbgrader's, which nbgrader leaves alone. A submission that was removed from the gradebook has
no entry any more, and is graded again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, MetaData, String, Table, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from fairmark.errors import GraderError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

_TABLE = Table(
    "fairmark_ledger",
    MetaData(),
    Column("submission_id", String(32), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
)
_READ = text(
    "SELECT submitted_assignment.student_id, fairmark_ledger.fingerprint FROM fairmark_ledger"
    " JOIN submitted_assignment ON submitted_assignment.id = fairmark_ledger.submission_id"
    " JOIN assignment ON assignment.id = submitted_assignment.assignment_id"
    " WHERE assignment.name = :assignment"
)


def prepare_ledger(engine: Engine) -> None:
    """Make the table where there is none."""
    with contextlib.suppress(SQLAlchemyError):  # another grader makes it at this moment
        _TABLE.create(engine, checkfirst=True)


def write_entry(connection: Connection, submission_id: str, fingerprint: str) -> None:
    """Note what the marks of a submission rest on; as the first step of a transaction it locks others out."""
    connection.execute(_TABLE.delete().where(_TABLE.c.submission_id == submission_id))
    connection.execute(_TABLE.insert().values(submission_id=submission_id, fingerprint=fingerprint))


def read_ledger(db_url: str, assignment_id: str) -> dict[str, str]:
    """Return the fingerprint's digest for every student whose marks are in the gradebook.

    Raises
    ------
    GraderError
        Where the gradebook cannot be read.
    """
    url = make_url(db_url)
    if url.get_backend_name() == "sqlite" and not _exists(url):
        return {}
    try:
        engine = create_engine(url)
        try:
            if not inspect(engine).has_table(_TABLE.name):
                return {}
            with engine.connect() as connection:
                rows: Any = connection.execute(_READ, {"assignment": assignment_id})
                return {str(student): str(fingerprint) for student, fingerprint in rows}
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        cause = str(getattr(error, "orig", None) or error).split("\n", 1)[0]
        raise GraderError(f"The gradebook {url.render_as_string()} cannot be read: {cause}") from error


def _exists(url: Any) -> bool:
    return bool(url.database) and Path(url.database).exists()
