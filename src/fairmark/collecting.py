"""Collects what was handed in elsewhere: from students' forks, from an LMS's zip file, from folders.

Everything that is read is hostile: names that lead out of the folder, links, bombs. Nothing is ever lost:
what was in ``submitted/`` before is kept under ``.fairmark/collected/``, each version once.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import tempfile
import time
import unicodedata
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from fairmark.errors import UsageError
from fairmark.provenance import collected_folder, note_commit
from fairmark.repository.address import AddressError, read_address
from fairmark.repository.asking import ask_forks
from fairmark.repository.checking import allowed_hosts
from fairmark.repository.mirror import Mirror, Unanswered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairmark.course import Course
    from fairmark.repository.address import Address
    from fairmark.repository.exercise import Exercise
    from fairmark.repository.records import Student

MAX_FILE_BYTES = 50 * 2**20
MAX_FILES_BYTES = 200 * 2**20
MAX_ZIP_BYTES = 4 * 2**30
MAX_FILES = 1_000
MAX_ENTRIES = 200_000
# How Moodle and Canvas name the files of "download all submissions".
MOODLE = re.compile(
    r"(?P<name>[^/]+)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)_?(?:/(?P<inner>.+)|(?P<file>[^/]*))"
)
CANVAS = re.compile(r"(?P<name>[a-z0-9-]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<number>\d+)_(?P<file>.+)")
_AGAIN = re.compile(r"-\d+(?=\.[A-Za-z0-9]+$)")  # Canvas numbers later versions of a file
_SAFE_PART = re.compile(r"[^/\\\0:*?\"<>|]{1,150}")


@dataclass(frozen=True, slots=True)
class HandIn:
    """What one student handed in.

    Parameters
    ----------
    student : str
    files : dict of str to bytes
        By relative POSIX name.
    at : float or None
        When it was handed in, or first seen, in seconds since 1970.
    source : str
        Where it came from; for a fork with the commit's id.
    commit : str
        The commit's id, where it came from a repository.
    """

    student: str
    files: Mapping[str, bytes]
    at: float | None
    source: str
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one student's hand-in: ``new``, ``changed``, ``same`` or ``nothing``, and why."""

    student: str
    state: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """What collecting gave: a receipt for each student, and what belongs to nobody."""

    receipts: tuple[Receipt, ...]
    remarks: tuple[str, ...] = ()


# --- from forks --------------------------------------------------------------------------------------------


def collect_forks(course: Course, exercise: Exercise, assignment: str, now: float) -> Collection:
    """Collect notebooks from the class's forks, as they were when the work was due.

    The newest commit of the default branch that was seen before it was due is taken; where none was, the
    newest of all, with the time when it was first seen. Run it by a timer, and nothing has to be believed.
    """
    index = Index(course, assignment)
    receipts = []
    with Mirror(exercise.mirror) as mirror, mirror.locked():
        troubles = _look_at_forks(mirror, exercise, index, now)
        for student in exercise.roster:
            trouble = troubles[student.id]
            seen = index.commits(student.id)
            due = exercise.task.due
            in_time = [entry for entry in seen if due is None or entry["at"] <= due]
            chosen = (in_time or seen)[-1] if seen else None
            if chosen is None:
                receipts.append(Receipt(student.id, "nothing", trouble or "the fork holds no commits"))
                continue
            files, left_out = read_notebooks(mirror, chosen["commit"], _names(course, assignment))
            if not files:
                words = f"no notebook of {assignment} in commit {chosen['commit'][:10]}"
                receipts.append(Receipt(student.id, "nothing", "; ".join(filter(None, (trouble, words)))))
                continue
            commit = chosen["commit"]
            found = HandIn(student.id, files, chosen["at"], f"{student.fork} {commit}", commit)
            receipt = index.place(found)
            words = "; ".join(filter(None, (f"commit {chosen['commit'][:10]}", trouble, *left_out)))
            receipts.append(replace(receipt, words=words))
    return Collection(tuple(receipts))


def _look_at_forks(mirror: Mirror, exercise: Exercise, index: Index, now: float) -> dict[str, str]:
    """Note the newest commit of each fork; return what went wrong, by student."""
    hosts = allowed_hosts(exercise.task, exercise.address())
    places: dict[str, Address] = {}
    troubles = {}
    for student in exercise.roster:
        troubles[student.id] = "" if student.fork else "the roster has no fork of this student"
        try:
            if student.fork:
                places[student.id] = read_address(student.fork, hosts, local=exercise.local)
        except AddressError as error:
            troubles[student.id] = f"the fork could not be looked at: {error}"
    answers = ask_forks(mirror, places.values())
    for name, place in places.items():
        refs = answers[place.url]
        if isinstance(refs, Unanswered):
            troubles[name] = f"the fork could not be looked at: {refs}"
        elif not refs.main:
            troubles[name] = "the fork is empty"
        else:
            index.note_commit(name, refs.main, now)
    return troubles


def read_notebooks(
    mirror: Mirror, commit: str, names: Sequence[str]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return an assignment's notebooks out of a commit, wherever they lie in it, and what was left out.

    The files beside the first notebook found come along.
    """
    changes = mirror.diff("", commit, 5000)
    wanted = {f"{name}.ipynb" for name in names}
    paths = [change.path for change in changes if change.new_mode in ("100644", "100755")]
    found = sorted((p for p in paths if p.rpartition("/")[2] in wanted), key=lambda p: (p.count("/"), p))
    files: dict[str, bytes] = {}
    left_out: list[str] = []
    size = 0
    folder = found[0].rpartition("/")[0] if found else ""
    beside = [p for p in paths if p not in found and found and (not folder or p.startswith(f"{folder}/"))]
    for path in [*found, *beside][:MAX_FILES]:
        name = path.rpartition("/")[2] if path in found else path.removeprefix(f"{folder}/")
        entry = mirror.find_entry(commit, path)
        blob = mirror.reader.read(entry[1], MAX_FILE_BYTES) if entry else None
        if name in files or not is_harmless(name):
            continue
        if blob is None or size + len(blob[1]) > MAX_FILES_BYTES:
            left_out.append(f"{name} was left out: it is too large")
            continue
        size += len(blob[1])
        files[name] = blob[1]
    return files, tuple(left_out)


# --- from a zip file, from folders -------------------------------------------------------------------------


def collect_zip(course: Course, assignment: str, path: Path, roster: Sequence[Student]) -> Collection:
    """Collect from the zip file that Moodle or Canvas gives for all submissions of an assignment.

    Raises
    ------
    UsageError
        Where the file is no zip file, or far too large.
    """
    remarks: list[str] = []
    handed: dict[str, dict[str, bytes]] = {}
    moments: dict[str, float] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                raise UsageError(f"{path} holds more than {MAX_ENTRIES} files.")
            total = 0
            for entry in sorted(entries, key=lambda each: each.date_time):
                found = _read_name(entry.filename, roster)
                if entry.is_dir():
                    continue
                if found is None:
                    remarks.append(f"{_show(entry.filename)}: belongs to nobody in the roster")
                    continue
                student, name = found
                trouble = _fault_of_entry(entry, name, handed.get(student, {}))
                total += entry.file_size
                if total > MAX_ZIP_BYTES:
                    raise UsageError(f"{path} holds more than {MAX_ZIP_BYTES:,} bytes when it is unpacked.")
                data = None if trouble else _read_entry(archive, entry)
                if data is None:
                    remarks.append(f"{student}: {_show(name)} was left out: {trouble or 'it cannot be read'}")
                    continue
                handed.setdefault(student, {})[name] = data
                moment = datetime(*entry.date_time, tzinfo=UTC).timestamp()
                moments[student] = max(moments.get(student, 0.0), moment)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a zip file: {error}") from error
    found_all = (HandIn(name, files, moments[name], path.name) for name, files in handed.items())
    return _place_all(course, assignment, found_all, roster, remarks)


def _read_name(filename: str, roster: Sequence[Student]) -> tuple[str, str] | None:
    """Return whose file it is and what it was called, from how Moodle or Canvas names it."""
    moodle, canvas = MOODLE.fullmatch(filename), CANVAS.fullmatch(filename)
    if moodle:
        student = find_student(moodle["name"], roster)
        name = moodle["inner"] or moodle["file"]
    elif canvas:
        student = find_student(canvas["name"], roster)
        name = _AGAIN.sub("", canvas["file"])
    else:
        first, _, name = filename.partition("/")
        student = find_student(first, roster) if name else None
    return (student, name) if student and name else None


def find_student(text: str, roster: Sequence[Student]) -> str | None:
    """Return the id of the one student who goes by a name, in any order of its parts; None for several."""
    wanted = _letters(text)
    found = set()
    for student in roster:
        parts = student.name.split()
        turns = (" ".join(parts[place:] + parts[:place]) for place in range(len(parts) or 1))
        known = {_letters(student.id), _letters(student.login), *map(_letters, turns)} - {""}
        if wanted in known:
            found.add(student.id)
    return found.pop() if len(found) == 1 else None


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in plain if each.isalnum())


def _fault_of_entry(entry: zipfile.ZipInfo, name: str, files: Mapping[str, bytes]) -> str:
    """Return why an entry must not be unpacked, or nothing."""
    if entry.flag_bits & 1:
        return "it is encrypted"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "it is a link, or no ordinary file"
    if not is_harmless(name):
        return "its name leads out of the folder, or is none"
    if entry.file_size > MAX_FILE_BYTES or len(files) >= MAX_FILES:
        return "it is too large, or there are too many files"
    if sum(map(len, files.values())) + entry.file_size > MAX_FILES_BYTES:
        return "all files together are too large"
    return ""


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | None:
    """Unpack one entry, no more of it than it says that it has."""
    try:
        with archive.open(entry) as stream:
            data = stream.read(entry.file_size + 1)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return None
    return data if len(data) == entry.file_size else None


def is_harmless(name: str) -> bool:
    """Tell whether a relative name stays in its folder on every system."""
    parts = name.split("/")
    return (
        len(parts) <= 10
        and not any(part in ("", ".", "..") or part.endswith((" ", ".")) for part in parts)
        and all(_SAFE_PART.fullmatch(part) and part.isprintable() for part in parts)
        and parts[0] != ".git"
        and not PurePosixPath(name).is_absolute()
    )


def collect_folders(course: Course, assignment: str, folder: Path, roster: Sequence[Student]) -> Collection:
    """Collect from a folder with one folder a student, named by id, login or name; links are not followed."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.")
    remarks: list[str] = []
    found = []
    for place in sorted(folder.iterdir()):
        student = find_student(place.name, roster)
        if place.is_symlink() or not place.is_dir() or student is None:
            remarks.append(f"{_show(place.name)}: belongs to nobody in the roster, or is no folder")
            continue
        files: dict[str, bytes] = {}
        latest = 0.0
        for path in _walk(place):
            name = path.relative_to(place).as_posix()
            size = path.lstat().st_size
            total = sum(map(len, files.values()))
            if not is_harmless(name) or size > MAX_FILE_BYTES or total + size > MAX_FILES_BYTES:
                remarks.append(f"{student}: {_show(name)} was left out")
                continue
            files[name] = path.read_bytes()
            latest = max(latest, path.lstat().st_mtime)
        found.append(HandIn(student, files, latest or None, str(place)))
    return _place_all(course, assignment, found, roster, remarks)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield regular files, at most so many, without following links or entering a handed-in repository."""
    number = 0
    for base, names, files in folder.walk() if hasattr(folder, "walk") else _old_walk(folder):
        names[:] = sorted(name for name in names if name != ".git" and not (base / name).is_symlink())
        for name in sorted(files):
            path = base / name
            if stat.S_ISREG(path.lstat().st_mode) and number < MAX_FILES:
                number += 1
                yield path


def _old_walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    import os  # noqa: PLC0415

    for base, names, files in os.walk(folder):
        yield Path(base), names, files


def _show(name: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in name)[:120]


def _place_all(
    course: Course,
    assignment: str,
    found: Iterable[HandIn],
    roster: Sequence[Student],
    remarks: Sequence[str],
) -> Collection:
    index = Index(course, assignment)
    receipts = {each.student: index.place(each) if each.files else None for each in found}
    nothing = "nothing of this student's was found there"
    whole = (receipts.get(student.id) or Receipt(student.id, "nothing", nothing) for student in roster)
    return Collection(tuple(whole), tuple(remarks))


# --- where it is put ---------------------------------------------------------------------------------------


class Index:
    """What was collected for one assignment: the current hand-ins, and every version that was seen.

    Parameters
    ----------
    course : Course
    assignment : str
    """

    def __init__(self, course: Course, assignment: str) -> None:
        self.course = course
        self.assignment = assignment
        self.folder = collected_folder(course.root, assignment)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._notes = self.folder / "index.jsonl"

    def entries(self) -> list[dict[str, Any]]:
        """Return all notes, the oldest first; a line that was cut off is passed over."""
        found = []
        for line in self._notes.read_text().split("\n") if self._notes.exists() else ():
            try:
                found.append(dict(json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found

    def _note(self, entry: dict[str, Any]) -> None:
        with self._notes.open("a") as file:
            file.write(json.dumps(entry, sort_keys=True) + "\n")

    def commits(self, student: str) -> list[dict[str, Any]]:
        """Return the commits that were seen of a student, in the order in which they were first seen."""
        return [each for each in self.entries() if each.get("student") == student and "commit" in each]

    def note_commit(self, student: str, commit: str, at: float) -> None:
        """Remember a commit when it is seen for the first time."""
        if commit not in {each["commit"] for each in self.commits(student)}:
            self._note({"student": student, "commit": commit, "at": at})

    def place(self, found: HandIn) -> Receipt:
        """Put a hand-in where grading finds it; what was there before is kept."""
        digest = digest_files(found.files)
        target = self.course.submitted(found.student, self.assignment)
        version = self.folder / found.student / digest
        if not version.exists():
            _write_folder(version, found.files)
            entry = {"student": found.student, "version": digest, "at": found.at, "from": found.source}
            self._note(entry | {"collected_at": time.time()})
        note_commit(self.folder / found.student, found.commit, found.files)
        there = _read_folder(target)
        if there is not None and digest_files(there) == digest:
            return Receipt(found.student, "same")
        if there is not None:
            kept = self.folder / found.student / digest_files(there)
            if not kept.exists():
                _write_folder(kept, there)
        _write_folder(target, {**found.files, **_timestamp(found.at)})
        return Receipt(found.student, "new" if there is None else "changed")


def _timestamp(at: float | None) -> dict[str, bytes]:
    if at is None:
        return {}
    return {"timestamp.txt": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S.%f} UTC\n".encode()}


def digest_files(files: Mapping[str, bytes]) -> str:
    """Return a name for what a hand-in holds; the time of handing in does not count."""
    digest = hashlib.sha256()
    for name in sorted(files):
        if name != "timestamp.txt":
            content = hashlib.sha256(files[name]).hexdigest()
            digest.update(f"{name}\0{content}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _read_folder(folder: Path) -> dict[str, bytes] | None:
    if folder.is_symlink() or not folder.is_dir():
        return None
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in _walk(folder)}


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder whole, or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".collect.", dir=folder.parent))
    try:
        draft.chmod(0o755)
        for name, data in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if folder.is_symlink() or folder.exists():
            old = Path(tempfile.mkdtemp(prefix=".collect.", dir=folder.parent))
            folder.rename(old / "old")
            draft.rename(folder)
            shutil.rmtree(old)
        else:
            draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _names(course: Course, assignment: str) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in course.find_source(assignment).glob("*.ipynb")))
