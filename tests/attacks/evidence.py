"""Looks at a graded course: what each hand-in was given, what leaked, what changed, what runs in its pages."""

from __future__ import annotations

import contextlib
import hashlib
import json
import mimetypes
import sqlite3
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from nbconvert.exporters import HTMLExporter

from fairmark.course import open_course

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.attacks.cases import Attack

_OURS = ("autograded", "feedback", "gradebook.db", ".fairmark")
_OF_TESTS = ("HIDDEN", "TRUSTED")
_MOST = 60 * 2**20  # bytes of one file that grading writes
_HASHED = 2**26  # larger files are told apart by their size alone: some are sparse, and a terabyte long
_RUNS = frozenset(
    (
        "script",
        "iframe",
        "object",
        "embed",
        "form",
        "svg",
        "base",
        "link",
        "meta",
        "applet",
        "frame",
        "style",
        "audio",
        "video",
        "math",
        "template",
        "portal",
    )
)
_QUOTES = ("pre", "code")
# What the page's own drawings are made of.
_DRAWN = frozenset(("rect", "text", "circle", "image"))
_PLAIN_DRAWING = {"viewbox", "role", "aria-label"}
_COMMANDS = ("\\href", "\\cssId", "\\style", "\\class", "\\require", "\\unicode", "\\data", "\\mmlToken")
_LOADS = (
    "src",
    "srcset",
    "href",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "xlink:href",
    "ping",
)

_SERVED = ("html", "xhtml", "svg", "xml", "javascript")
# What formgrader's own scripts look for on the page of a graded notebook.
_CONTROLS = {
    "nbgrader_cell", "score", "extra-credit", "full-credit", "no-credit", "mark-graded", "comment", "tabbable",
    "modal-backdrop",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Marks:
    """What the gradebook holds of one student: points by cell, and the most that each cell gives."""

    given: dict[str, float]
    most: dict[str, float]
    manual: dict[str, float]


def read_marks(root: Path) -> dict[str, Marks]:
    """Return what the gradebook says of every student, read without nbgrader."""
    path = root / "gradebook.db"
    if not path.exists():
        return {}
    query = """
        SELECT submitted_assignment.student_id, base_cell.name, grade.auto_score, grade.manual_score,
               grade_cells.max_score
        FROM grade
        JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
        JOIN base_cell ON base_cell.id = grade.cell_id
        JOIN grade_cells ON grade_cells.id = grade.cell_id
    """
    marks: dict[str, Marks] = {}
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as book:
        for student, cell, given, manual, most in book.execute(query):
            mark = marks.setdefault(student, Marks({}, {}, {}))
            mark.given[cell] = given or 0.0
            mark.most[cell] = most
            if manual is not None:
                mark.manual[cell] = manual
    return marks


def fingerprint(root: Path) -> dict[str, str]:
    """Return a hash of everything in the course that grading must not touch."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0].startswith(_OURS):
            continue
        if path.is_symlink():
            found[name] = f"link {path.readlink()}"
        elif path.is_file() and path.stat().st_size > _HASHED:
            found[name] = f"{path.stat().st_size} bytes"
        elif path.is_file() and "__pycache__" not in path.parts:
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
        elif not path.is_dir():
            found[name] = "odd"
    return found


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of what came, went or changed."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def read_result(root: Path, student: str) -> dict[str, Any]:
    """Return a student's result document; nothing where there is none."""
    path = root / "autograded" / student / "ps1" / "result.json"
    return json.loads(path.read_text()) if path.exists() else {}


def find_leaks(root: Path, student: str, canaries: Mapping[str, str]) -> list[str]:
    """Return the canaries in what grading made of one student's work.

    Hidden tests stand in the graded notebook's own test cells and in their tracebacks, as nbgrader has it:
    instructors look at these. They are looked for in all other cells, and on feedback pages.
    """
    found = []
    graded = root / "autograded" / student / "ps1"
    for path in _files(graded):
        content = path.read_bytes()
        parts = [(content.decode("utf-8", "replace"), False)]
        if path.suffix == ".ipynb":
            with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError):  # half a notebook
                parts = list(_parts(json.loads(content)))
        found += [
            f"{kind} in {path.relative_to(root)}"
            for kind, word in canaries.items()
            if any(word in text for text, of_test in parts if not (of_test and kind in _OF_TESTS))
        ]
    for path in _files(root / "feedback" / student / "ps1"):
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{kind} in {path.relative_to(root)}" for kind, word in canaries.items() if word in text]
    return found


def find_bulk(root: Path, student: str) -> list[str]:
    """Return the graded notebooks and pages that are larger than anything that can be handed in."""
    folders = [root / name / student / "ps1" for name in ("autograded", "feedback")]
    sizes = {
        path.name: path.stat().st_size
        for folder in folders
        for path in _files(folder)
        if path.suffix in (".ipynb", ".html", ".json")
    }
    return [f"{name}, {size // 2**20} MiB" for name, size in sizes.items() if size > _MOST]


def read_pages(root: Path, student: str) -> str:
    """Return the text of a student's feedback pages."""
    pages = sorted((root / "feedback" / student / "ps1").rglob("*.html"))
    return "\n".join(page.read_text(encoding="utf-8", errors="replace") for page in pages)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):  # names that are too long, loops of links
            if path.is_file():
                yield path


def _parts(node: Any) -> Iterator[tuple[str, bool]]:
    """Yield the texts of a notebook, each with whether it belongs to a test."""
    for cell in node["cells"]:
        nbgrader = cell["metadata"].get("nbgrader", {})
        of_test = nbgrader.get("grade", False) and cell["cell_type"] == "code"
        yield cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"]), of_test
        yield json.dumps(cell.get("outputs", [])), of_test
        yield json.dumps(cell.get("attachments", {})), of_test


class _Page(HTMLParser):
    """Collects what runs or loads on a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.formulas: list[str] = []
        self.drawing = False
        self.inside = ""
        self.quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.quoted += tag in _QUOTES
        drawing = self.drawing
        self.drawing = (drawing or tag == "svg") and tag in (*_DRAWN, "svg")
        plain = self.drawing and not drawing and {name for name, _ in attrs} <= _PLAIN_DRAWING
        if drawing and not self.drawing:
            self.found.append(f"<{tag}> in a drawing")
        if tag in _RUNS and not plain:
            self.found.append(f"<{tag} {sorted(f'{name}={value}' for name, value in attrs)}>")
            self.inside = tag
        for name, value in attrs:
            address = "".join((value or "").split()).lower()
            if name.startswith("on"):
                self.found.append(f"{tag} {name}={value}")
            elif (
                name in _LOADS
                and address.startswith(("javascript:", "vbscript:", "data:text", "data:image/svg", "file:"))
            ) or (name in _LOADS and tag != "a" and address.startswith(("http:", "https:", "//"))):
                self.found.append(f"{tag} {name}={address[:60]}")
            elif name == "style" and (
                "url(" in address or "position:fixed" in address or "expression" in address
            ):
                self.found.append(f"{tag} style={address[:60]}")

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style"):
            self.found.append(f"{self.inside}: {hashlib.sha256(data.encode()).hexdigest()[:12]}")
        elif not self.quoted:  # MathJax reads what stands there, on a page that has it
            self.formulas += [f"formula: {command}" for command in _COMMANDS if command in data]

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""
        self.drawing &= tag != "svg"
        self.quoted -= tag in _QUOTES


def what_runs(page: Path) -> list[str]:
    """Return all that runs, submits or loads on a page.

    A formula does something only where a script reads it: a page without one shows the command as text.
    """
    reader = _Page()
    reader.feed(page.read_text(encoding="utf-8", errors="replace"))
    scripted = any(what.startswith("<script ") for what in reader.found)
    return [*reader.found, *(reader.formulas if scripted else ())]


def find_active(root: Path, student: str, honest: set[str]) -> list[str]:
    """Return what runs on a student's pages and not on an honest student's."""
    pages = sorted((root / "feedback" / student / "ps1").rglob("*.html"))
    return [f"{page.name}: {what}" for page in pages for what in what_runs(page) if what not in honest]


def find_served(root: Path, student: str) -> list[str]:
    """Return the files beside graded notebooks that formgrader would send as something that runs."""
    kinds = {
        path.name: mimetypes.guess_type(path)[0] or ""
        for path in _files(root / "autograded" / student / "ps1")
    }
    return [f"{name} as {kind}" for name, kind in kinds.items() if kind.endswith(_SERVED)]


class _Controls(HTMLParser):
    """Collects what on a page acts as one of formgrader's controls, or takes the place of one."""

    def __init__(self, ids: set[str]) -> None:
        super().__init__()
        self.ids = ids
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = {name: (value or "").split() for name, value in attrs}
        self.found += [f"<{tag} class={word}>" for word in words.get("class", ()) if word in _CONTROLS]
        self.found += [f"<{tag} id={word}>" for word in words.get("id", ()) if word in self.ids]


def find_controls(root: Path, student: str, cells: Iterable[str]) -> list[str]:
    """Return what of a student's work acts on an instructor's page: as a button or a field, or in a formula."""
    ids = {name + end for name in cells for end in ("", "-comment", "_extra_credit")}
    exporter = HTMLExporter(config=open_course(root).config, template_name="classic")
    controls, page = _Controls(ids), _Page()
    for path in (root / "autograded" / student / "ps1").glob("*.ipynb"):
        html, _ = exporter.from_filename(str(path))
        controls.feed(html)
        page.feed(html)
    return [*controls.found, *page.formulas]


def judge(attack: Attack, root: Path, marks: Marks | None, *, ours: bool) -> list[str]:
    """Return why an attack's own meaning of *defeated* is not met; nothing where it is.

    Parameters
    ----------
    attack : Attack
    root : Path
        The graded course.
    marks : Marks or None
        The student's; None where the gradebook does not know them.
    ours : bool
        fairmark graded: then result documents are read as well.
    """
    reasons = []
    by_hand = ("why", "draw") if ours else ("why", "draw", "colours")
    if marks is None:
        # Stock nbgrader gives up on some hand-ins; no marks are then what an attack on marks deserves.
        return ["there is no mark at all"] if ours else []
    for cell, most in marks.most.items():
        wanted = attack.wanted(cell, most)
        given = marks.given[cell]
        if wanted is not None and abs(given - wanted) > 1e-9 and cell not in by_hand:
            reasons.append(f"{cell}: {given:g} of {most:g} points, not {wanted:g}")
        if cell in marks.manual:
            reasons.append(f"{cell}: marked by hand with {marks.manual[cell]:g}")
    if ours:
        reasons += _judge_words(attack, read_result(root, attack.student))
    return reasons


def _judge_words(attack: Attack, result: dict[str, Any]) -> list[str]:
    if not result:
        return ["there is no result document"]
    reasons = []
    said = {item["id"]: f"{item['message']} {item['checks']}" for item in result["items"]}
    reasons += [
        f"{cell} says {said.get(cell)!r}, not {words!r}"
        for cell, words in attack.tells.items()
        if words not in said.get(cell, "")
    ]
    notes = " ".join(result["notes"])
    reasons += [f"the notes {notes!r} lack {words!r}" for words in attack.notes if words not in notes]
    if attack.status and result["status"] != attack.status:
        reasons.append(f"the status is {result['status']!r}, not {attack.status!r}")
    reasons += [
        f"{item['id']}: a failure of ours: {item['message']}"
        for item in result["items"]
        if item["status"] == "error"
    ]
    return reasons
