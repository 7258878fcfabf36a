"""Reads the exercise's task (TOML) and the roster (CSV), and tells all faults of both at once."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from fairmark.errors import AuthorError, Fault
from fairmark.repository.records import Student, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TASK_FILE = "task.toml"
# The name of each entry, and other names that it is found under.
TASK_KEYS = {
    "path": ("path", "file", "page", "file_path", "asked_file", "asked_path"),
    "former_paths": (
        "former_paths",
        "former_path",
        "former",
        "old_paths",
        "old_path",
        "previous_paths",
        "formerly",
    ),
    "wrong": ("wrong", "wrong_word", "wrong_words", "typo", "wrong_text", "misspelling"),
    "correct": (
        "correct",
        "corrected_sentence",
        "corrected",
        "correct_sentence",
        "sentence",
        "right",
        "correction",
        "right_sentence",
        "fixed_sentence",
    ),
    "max_bytes": (
        "max_bytes",
        "size_limit",
        "max_size",
        "limit",
        "max_blob_bytes",
        "max_file_bytes",
        "max_file_size",
        "size_limit_bytes",
        "max_blob_size",
    ),
    "opens": (
        "opens",
        "opening_time",
        "opening",
        "open",
        "open_time",
        "opens_at",
        "opened",
        "start",
        "starts",
    ),
    "due": ("due", "due_time", "deadline", "due_at", "due_date", "closes", "end"),
    "upstream": ("upstream", "upstream_url", "repository"),
    "hosts": ("hosts", "host", "forges"),
    "reference": ("reference",),
}
# Where a name is none of these, a part of it tells; the first that fits counts.
_ALIASES = {name: entry for entry, names in TASK_KEYS.items() for name in names}
_TASK_PARTS = {
    "upstream": r"upstream|original",
    "former_paths": r"former|old|previous|earlier",
    "max_bytes": r"max|limit|size|bytes",
    "wrong": r"wrong|typo|misspel",
    "due": r"due|deadline|clos",
    "opens": r"open|start|begin",
    "correct": r"correct|right|fixed",
    "path": r"path|file",
}
_COLUMN_PARTS = {
    "first_name": r"first|given",
    "last_name": r"last|family",
    "emails": r"mail",
    "fork": r"fork|repo|url",
    "login": r"login|github|gitlab|gitea|codeberg|forge|account",
    "id": r"student|matric|^id_|_id$",
}
ROSTER_COLUMNS = {
    "id": ("id", "student", "student_id", "username", "user_id", "sis_id"),
    "name": ("name", "full_name", "student_name"),
    "first_name": ("first_name", "given_name", "firstname"),
    "last_name": ("last_name", "family_name", "surname", "lastname"),
    "emails": (
        "email",
        "emails",
        "e_mail",
        "e_mails",
        "mail",
        "mails",
        "email_address",
        "email_addresses",
        "addresses",
    ),
    "login": (
        "login",
        "forge_login",
        "github",
        "github_login",
        "github_username",
        "gitlab",
        "gitea",
        "forge",
        "account",
    ),
    "fork": ("fork", "fork_address", "fork_url", "url", "repository", "repo", "address"),
}
_POSITIONS = ("id", "name", "emails", "login", "fork")
_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 10**6, "kib": 1024, "mib": 2**20, "k": 1024, "m": 2**20}
_EMAIL = re.compile(r"[^\s@;,]+@[^\s@;,]+")


class _Faults:
    """Collects faults of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Fault] = []

    def note(self, place: str, message: str) -> None:
        self.found.append(Fault(self.file, place, message))


def read_papers(task: Path, roster: Path) -> tuple[Task, tuple[Student, ...]]:
    """Read the task and the roster.

    Raises
    ------
    AuthorError
        With all faults of both files.
    """
    read, task_faults = _read_task_file(task, {})
    students, roster_faults = _read_roster_file(roster)
    if task_faults or roster_faults or read is None:
        raise AuthorError((*task_faults, *roster_faults))
    return read, students


def read_task(path: Path, more: dict[str, Any] | None = None) -> Task:
    """Read a task; entries of `more` count instead of the file's.

    Raises
    ------
    AuthorError
        With all faults of the file.
    """
    task, faults = _read_task_file(path, more or {})
    if faults or task is None:
        raise AuthorError(faults)
    return task


def read_roster(path: Path) -> tuple[Student, ...]:
    """Read a roster.

    Raises
    ------
    AuthorError
        With all faults of the file.
    """
    students, faults = _read_roster_file(path)
    if faults:
        raise AuthorError(faults)
    return students


def _read_text(path: Path, faults: _Faults) -> str | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        faults.note("", f"cannot be read: {error.strerror}.")
        return None
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    faults.note("", "is not a text in UTF-8.")
    return None


# --- the task ----------------------------------------------------------------------------------------------


def _read_task_file(path: Path, more: dict[str, Any]) -> tuple[Task | None, tuple[Fault, ...]]:
    faults = _Faults(str(path))
    text = _read_text(path, faults)
    if text is None:
        return None, tuple(faults.found)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.note("", f"is not valid TOML: {error}.")
        return None, tuple(faults.found)
    task = _read_task(_flatten(document) | _flatten(more), faults)
    return task, tuple(faults.found)


def _flatten(document: dict[str, Any]) -> dict[str, Any]:
    """Return the entries under the names that they are known by; those of tables count as well."""
    given: dict[str, Any] = {}
    for name, value in _walk_entries(document):
        given.setdefault(name, value)
    entries = {name: given[name] for name in given if name not in _ALIASES}
    entries = {_guess(name, _TASK_PARTS): value for name, value in reversed(entries.items())}
    return entries | {_ALIASES[name]: value for name, value in reversed(given.items()) if name in _ALIASES}


def _walk_entries(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and values, those of tables after the others."""
    for key, value in document.items():
        if not isinstance(value, dict):
            yield re.sub(r"[\s-]+", "_", key.strip().lower()), value
    for value in document.values():
        if isinstance(value, dict):
            yield from _walk_entries(value)


def _guess(name: str, parts: dict[str, str]) -> str:
    """Return what a part of a name tells that it stands for; else the name."""
    return next((each for each, part in parts.items() if re.search(part, name)), name)


def _read_task(entries: dict[str, Any], faults: _Faults) -> Task | None:
    path = _take_path(entries.get("path"), "path", faults)
    former = tuple(
        _take_path(each, "former_paths", faults)
        for each in _take_texts(entries, "former_paths", faults, needed=False)
    )
    correct = _take_texts(entries, "correct", faults)
    wrong = _take_texts(entries, "wrong", faults)
    for word in wrong:
        inside = [each for each in correct if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", each)]
        if inside:
            faults.note(
                "wrong", f"{word!r} stands in the corrected sentence, so no page could ever be right."
            )
    opens, due = _take_time(entries, "opens", faults), _take_time(entries, "due", faults)
    if opens is not None and due is not None and due <= opens:
        faults.note("due", "lies before the task opens.")
    limit = _take_size(entries, faults)
    task = Task(
        path=path,
        correct=correct,
        wrong=wrong,
        former_paths=tuple(each for each in former if each and each != path),
        max_bytes=limit,
        opens=opens,
        due=due,
        hosts=tuple(each.lower() for each in _take_texts(entries, "hosts", faults, needed=False)),
        upstream=next(iter(_take_texts(entries, "upstream", faults, needed=False)), ""),
        reference=next(iter(_take_texts(entries, "reference", faults, needed=False)), ""),
    )
    return None if faults.found else task


def _take_path(value: Any, key: str, faults: _Faults) -> str:
    if not isinstance(value, str) or not value.strip():
        faults.note(
            key, "is missing: give the page's path from the repository's root, as in \"docs/index.md\"."
        )
        return ""
    path = PurePosixPath(value.strip().removeprefix("./"))
    if path.is_absolute() or ".." in path.parts:
        faults.note(key, f"must be a path inside of the repository, not {value!r}.")
        return ""
    return path.as_posix()


def _take_texts(
    entries: dict[str, Any], key: str, faults: _Faults, *, needed: bool = True
) -> tuple[str, ...]:
    value = entries.get(key, [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) and each.strip() for each in values):
        faults.note(key, f"must be a text, or a list of texts, not {value!r}.")
        return ()
    if needed and not values:
        others = ", ".join(TASK_KEYS[key][1:3])
        faults.note(key, f"is missing: give a text (also found as {others}).")
    return tuple(each.strip() for each in values)


def _take_size(entries: dict[str, Any], faults: _Faults) -> int:
    value = entries.get("max_bytes", Task.__dataclass_fields__["max_bytes"].default)
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([\d_.]+)\s*([a-z]*)\s*", value.lower())
        if match and match[2] in _UNITS:
            value = float(match[1].replace("_", "")) * _UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15:
        faults.note("max_bytes", f"must be a number of bytes above 0, not {value!r}.")
        return 1
    return int(value)


def _take_time(entries: dict[str, Any], key: str, faults: _Faults) -> float | None:
    value = entries.get(key)
    if isinstance(value, str):
        try:
            value = (
                float(value)
                if re.fullmatch(r"\d+(\.\d+)?", value.strip())
                else datetime.fromisoformat(value.strip())
            )
        except ValueError:
            faults.note(key, f"must be a time such as 2026-03-20T18:00:00+01:00, not {value!r}.")
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(23, 59, 59) if key == "due" else time())
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        faults.note(key, f"must be a time, or seconds since 1970, not {value!r}.")
        return None
    return float(value)


# --- the roster --------------------------------------------------------------------------------------------


def _read_roster_file(path: Path) -> tuple[tuple[Student, ...], tuple[Fault, ...]]:
    faults = _Faults(str(path))
    text = _read_text(path, faults)
    if text is None:
        return (), tuple(faults.found)
    rows = list(_read_rows(text))
    if not rows:
        faults.note("", "holds no students.")
        return (), tuple(faults.found)
    columns, rows = _read_columns(rows, faults)
    students = tuple(
        student for number, row in rows if (student := _read_student(row, number, columns, faults))
    )
    _compare_students(students, faults)
    if not students and not faults.found:
        faults.note("", "holds no students.")
    return students, tuple(faults.found)


def _read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=lambda mark: (first.count(mark), mark == ","))
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield reader.line_num, cells


def _read_columns(
    rows: list[tuple[int, list[str]]], faults: _Faults
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return what each column holds, and the rows without the heading; without one, the order counts."""
    names = [re.sub(r"[\s-]+", "_", re.sub(r"[_\s-]*\d+$", "", cell.lower())) for cell in rows[0][1]]
    if any(_EMAIL.search(cell) for cell in rows[0][1]):
        return list(_POSITIONS), rows
    columns = [_find_column(name) for name in names]
    if columns.count("id") > 1 and "login" not in columns:
        # A name for logging in beside an id is that of the forge.
        columns[len(columns) - 1 - columns[::-1].index("id")] = "login"
    if "id" in columns:
        return columns, rows[1:]
    faults.note(
        "line 1", f"has no column for the student's id; name one of them {ROSTER_COLUMNS['id'][0]!r}."
    )
    return columns, []


def _find_column(name: str) -> str:
    known = (each for each, names in ROSTER_COLUMNS.items() if name in names)
    return next(known, "") or _guess(name, _COLUMN_PARTS)


def _read_student(row: list[str], number: int, columns: Sequence[str], faults: _Faults) -> Student | None:
    cells: dict[str, list[str]] = {}
    for column, cell in zip(columns, row, strict=False):
        if cell:
            cells.setdefault(column, []).append(cell)
    place = f"line {number}"
    id_ = cells.get("id", [""])[0]
    if not id_:
        faults.note(place, "has no student's id.")
        return None
    emails = [word for cell in cells.get("emails", ()) for word in re.split(r"[;,\s|]+", cell) if word]
    emails = [email.strip("<>[]\"'").removeprefix("mailto:") for email in emails]
    for email in emails:
        if not _EMAIL.fullmatch(email):
            faults.note(place, f"has an e-mail address that is none: {email!r}.")
    parts = [cells.get(column, [""])[0] for column in ("first_name", "last_name")]
    login = cells.get("login", [""])[0].strip().removeprefix("@").rstrip("/").rpartition("/")[2]
    return Student(
        id=id_,
        name=cells.get("name", [" ".join(filter(None, parts))])[0],
        emails=tuple(dict.fromkeys(email.casefold() for email in emails)),
        login=login.casefold(),
        fork=cells.get("fork", [""])[0],
    )


def _compare_students(students: Sequence[Student], faults: _Faults) -> None:
    """Tell what two students share: then nobody could say whose a commit is."""
    owners: dict[tuple[str, str], str] = {}
    for student in students:
        marks = [("id", student.id), *(("e-mail address", email) for email in student.emails)]
        marks += [("login", student.login)] if student.login else []
        for what, value in marks:
            other = owners.setdefault((what, value), student.id)
            if other != student.id or (what == "id" and sum(each.id == value for each in students) > 1):
                faults.note(student.id, f"has the {what} {value!r} that {other} has as well.")
