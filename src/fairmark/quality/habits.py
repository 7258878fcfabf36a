"""The habits of a good repository as pure functions over a snapshot: what is well, or what to do next."""

from __future__ import annotations

import ast
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import metadata, resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import canonicalize_name

from fairmark.environment.files import READERS, FileError
from fairmark.plainyaml import YamlError, load_plain
from fairmark.repository.rules import tell_message_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairmark.quality.snapshot import Blob, Commit, Snapshot

# Sections that users of a program look for, each with the words that its heading may have.
SECTIONS = (
    ("install", "set up", "setup", "getting started"),
    ("usage", "use", "example", "quick start", "how to"),
)
MAX_BYTES = 1_000_000

_LICENCE = re.compile(r"(?:licen[cs]e|copying|unlicense)(?:[-._].*)?", re.IGNORECASE)
_README = re.compile(r"readme(?:\.(?:md|markdown|rst|txt))?", re.IGNORECASE)
_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*")
_SECTION_CHARACTERS = 20
_OTHER_DEPENDENCIES = (
    *("setup.cfg", "setup.py", "pipfile", "pixi.toml", "uv.lock", "poetry.lock", "conda-lock.yml"),
    *("description", "renv.lock", "project.toml", "package.json", "cargo.toml", "pom.xml", "build.gradle"),
)
_GENERATED = (
    *(
        "__pycache__/*",
        "*.pyc",
        ".ipynb_checkpoints/*",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "*.egg-info/*",
    ),
    *(
        ".venv/*",
        "venv/*",
        "node_modules/*",
        ".pytest_cache/*",
        ".mypy_cache/*",
        ".ruff_cache/*",
        "*.o",
        "*.class",
    ),
    *(".idea/*", ".vscode/*", "*.swp", "*~", ".Rhistory", ".RData", ".env", "~$*"),
)
_GENERATED_AT_TOP = ("build/*", "dist/*")
# Where a package is imported by another name than it is installed by, and is not installed here to ask.
# fmt: off
_INSTALLED_AS = {
    "skimage": "scikit-image", "sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow",
    "yaml": "pyyaml", "bs4": "beautifulsoup4", "dateutil": "python-dateutil", "IPython": "ipython",
    "fitz": "pymupdf", "git": "gitpython", "Bio": "biopython", "OpenSSL": "pyopenssl",
}
# fmt: on
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Parameters
    ----------
    status : {'pass', 'fail', 'unknown'}
        Unknown where the snapshot does not tell: then nobody is blamed.
    message : str
        What was found, for the student.
    hint : str
        What to do next.
    """

    status: Literal["pass", "fail", "unknown"]
    message: str
    hint: str = ""


def _passes(message: str, hint: str = "") -> Verdict:
    return Verdict("pass", message, hint)


def _fails(message: str, hint: str) -> Verdict:
    return Verdict("fail", message, hint)


def _unread(blob: Blob) -> Verdict:
    return Verdict("unknown", f"{blob.path} could not be looked into: it has {blob.size} bytes.")


def _text(blob: Blob) -> str:
    return (blob.content or b"").decode("utf-8-sig", "replace")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


# ---------------------------------------------------------------------------------------------------------
# Licence


def has_licence(snapshot: Snapshot, allowed: Sequence[str] = ()) -> Verdict:
    """Tell whether the text of a known licence lies at the top, or in ``LICENSES/`` as REUSE asks for.

    The text is compared with those of choosealicense.com, by the library ``identify``: a changed year, holder
    or line break makes no difference, a changed condition does.

    Parameters
    ----------
    snapshot : Snapshot
    allowed : sequence of str
        SPDX identifiers; by default any known licence will do.
    """
    blobs = [
        blob
        for blob in snapshot.blobs
        if (blob.is_at_top and _LICENCE.fullmatch(blob.name)) or re.fullmatch(r"LICENSES/[^/]+", blob.path)
    ]
    advice = "Choose one on https://choosealicense.com, and commit its whole text as LICENSE."
    if not blobs:
        return _fails(
            "There is no file LICENSE at the top: all rights are reserved, nobody may use this.", advice
        )
    unread = [blob for blob in blobs if blob.content is None]
    known = {blob.path: _identify(blob) for blob in blobs if blob.content is not None}
    found = {path: spdx for path, spdx in known.items() if spdx}
    fitting = [spdx for spdx in found.values() if not allowed or _is_among(spdx, allowed)]
    if fitting:
        return _passes(f"The licence is {', '.join(sorted(set(fitting)))}.")
    if found:
        return _fails(
            f"The licence is {', '.join(sorted(set(found.values())))}.",
            f"Asked for is {' or '.join(allowed)}.",
        )
    if unread:
        return _unread(unread[0])
    path, *_ = known
    empty = not _text(blobs[0]).strip()
    words = f"{path} is empty." if empty else f"The text in {path} is not that of a licence that is known."
    return _fails(words, advice)


def _identify(blob: Blob) -> str:
    """Return the SPDX identifier of a licence's text, or nothing."""
    from identify.identify import license_id  # noqa: PLC0415 - it loads fifty licences

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "LICENSE")
        path.write_text(_text(blob), encoding="utf-8")
        return license_id(str(path)) or ""


def _is_among(spdx: str, allowed: Sequence[str]) -> bool:
    def plain(name: str) -> str:
        return name.casefold().removesuffix("-only").removesuffix("-or-later")

    return plain(spdx) in map(plain, allowed)


# ---------------------------------------------------------------------------------------------------------
# Citation


def has_citation(snapshot: Snapshot) -> Verdict:
    """Tell whether ``CITATION.cff`` is there and valid, by the schema of the Citation File Format 1.2.0."""
    blob = next(iter(snapshot.at_top("citation.cff")), None)
    advice = "https://citation-file-format.github.io/cff-initializer-javascript writes a valid one."
    if blob is None:
        return _fails("There is no CITATION.cff at the top: nobody knows how to cite this.", advice)
    if blob.name != "CITATION.cff":
        return _fails(
            f"The file is called {blob.name}; forges look for CITATION.cff, in exactly this writing.", advice
        )
    if blob.content is None:
        return _unread(blob)
    try:
        document = load_plain(_text(blob))
    except YamlError as error:
        return _fails(f"CITATION.cff, {error}", advice)
    faults = sorted(_citation_faults(document))
    if faults:
        return _fails(f"CITATION.cff is not valid: {'; '.join(faults[:3])}.", advice)
    return _passes(f"{document['title']!r} can be cited.")


def _citation_faults(document: Any) -> Iterator[str]:
    from jsonschema import Draft7Validator  # noqa: PLC0415 - slow to import

    file = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "citation-file-format.json"
    for error in Draft7Validator(json.loads(file.read_text(encoding="utf-8"))).iter_errors(document):
        place = ".".join(map(str, error.absolute_path)) or "the file"
        match error.validator:
            case "required":
                missing = [name for name in error.validator_value if name not in error.instance]
                yield f"{place} lacks {', '.join(missing)}"
            case "additionalProperties":
                extra = sorted(set(error.instance) - set(error.schema.get("properties", ())))
                yield f"{place} has a key that is not known: {', '.join(extra)[:60]}"
            case "pattern" | "enum" | "const":
                yield f"{place} cannot be {str(error.instance)[:40]!r}"
            case "minItems":
                yield f"{place} is an empty list"
            case _:
                yield f"{place} is not what belongs there"


# ---------------------------------------------------------------------------------------------------------
# README


def has_readme(snapshot: Snapshot, sections: Sequence[Sequence[str]] = SECTIONS) -> Verdict:
    """Tell whether a README is at the top, with a heading and some text for each section.

    Parameters
    ----------
    snapshot : Snapshot
    sections : sequence of sequence of str
        For each section the words of which one has to be in its heading, in lower case.
    """
    blob = next((blob for blob in snapshot.blobs if blob.is_at_top and _README.fullmatch(blob.name)), None)
    if blob is None:
        return _fails(
            "There is no README at the top.", "It is the first thing that visitors read: add README.md."
        )
    if blob.content is None:
        return _unread(blob)
    text = _text(blob)
    found = list(_rst_sections(text) if blob.name.casefold().endswith(".rst") else _markdown_sections(text))
    for words in sections:
        under = [body for heading, body in found if any(_has_word(heading, word) for word in words)]
        wanted = " or ".join(repr(word) for word in words[:3])
        if not under:
            return _fails(
                f"{blob.name} has no section on {words[0]!r}.",
                f"Add a heading with {wanted}, and a few lines.",
            )
        if max(map(len, under)) < _SECTION_CHARACTERS:
            return _fails(
                f"The section on {words[0]!r} in {blob.name} is empty.", "Write what a stranger has to do."
            )
    return _passes(f"{blob.name} has what a visitor looks for.")


def _has_word(heading: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}", heading.casefold()) is not None


def _markdown_sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield each heading with what stands below it, up to the next one of its level or above."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only here

    lines = text.splitlines()
    tokens = MarkdownIt("commonmark").parse(text)
    headings = [
        (int(token.tag[1]), token.map, tokens[place + 1].content)
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.map is not None
    ]
    for number, (level, (_, begin), words) in enumerate(headings):
        end = next((where[0] for other, where, _ in headings[number + 1 :] if other <= level), len(lines))
        yield words, "\n".join(lines[begin:end]).strip()


def _rst_sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield each underlined heading of reStructuredText with what stands between it and the next one."""
    lines = text.splitlines()
    places = [
        number
        for number in range(1, len(lines))
        if _UNDERLINE.fullmatch(lines[number])
        and lines[number - 1].strip()
        and len(lines[number].rstrip()) >= len(lines[number - 1].rstrip())
        and not _UNDERLINE.fullmatch(lines[number - 1])
    ]
    for place, following in zip(places, [*places[1:], len(lines) + 1], strict=True):
        yield lines[place - 1], "\n".join(lines[place + 1 : following - 1]).strip()


# ---------------------------------------------------------------------------------------------------------
# Dependencies


def documents_dependencies(snapshot: Snapshot) -> Verdict:
    """Tell whether a file says what has to be installed, and names every package that the code imports.

    Python code (``.py`` and ``.ipynb``) is parsed, never run. Files of other tools count as they are.
    """
    declared: set[str] = set()
    files: list[str] = []
    others = [blob.name for blob in snapshot.at_top(*_OTHER_DEPENDENCIES)]
    for blob in snapshot.at_top(*READERS):
        if blob.content is None:
            return _unread(blob)
        if b"[project]" not in blob.content and blob.name.casefold() == "pyproject.toml":
            if b"[tool.poetry" in blob.content or b"[tool.pixi" in blob.content:
                others.append(blob.name)
            continue  # a file of settings for other tools
        try:
            file = READERS[blob.name.casefold()](blob.name, blob.content)
        except FileError as error:
            return _fails(f"{error}", "Mend the file; somebody will try to install from it.")
        files.append(blob.name)
        declared |= {canonicalize_name(one.name) for one in file.pip}
        declared |= {canonicalize_name(re.split(r"[=<>!~ ]", spec, maxsplit=1)[0]) for spec in file.conda}
    if not files and not others:
        return _fails(
            "No file says what has to be installed.",
            "Add requirements.txt, environment.yml or pyproject.toml.",
        )
    missing = sorted(name for name, ways in _imports(snapshot).items() if not ways & declared)
    if missing and not others:
        return _fails(
            f"The code imports {_list(missing)}, and {_list(files)} does not name it.",
            "Name every package that the code imports, under the name that it is installed by.",
        )
    return _passes(f"{_list([*files, *others])} says what has to be installed.")


def _imports(snapshot: Snapshot) -> dict[str, set[str]]:
    """Return the modules that the code imports from elsewhere, with the names they may be installed by."""
    code = [blob.path for blob in snapshot.blobs if blob.path.endswith(".py")]
    own = {PurePosixPath(part).stem for path in code for part in path.split("/")}
    installed = _distributions()
    found: dict[str, set[str]] = {}
    for blob in snapshot.blobs:
        for name in _imports_of(blob):
            if name not in sys.stdlib_module_names and name not in own:
                ways = {name, _INSTALLED_AS.get(name, name), *installed.get(name, ())}
                found[name] = {str(canonicalize_name(way)) for way in ways}
    return found


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Return by module what it is installed by here; asking every package takes half a second."""
    return metadata.packages_distributions()


def _imports_of(blob: Blob) -> Iterator[str]:
    for source in _sources(blob):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module.partition(".")[0]


def _sources(blob: Blob) -> Iterator[str]:
    """Yield the pieces of Python code in a file; lines that only IPython knows are left out."""
    if blob.path.endswith(".py"):
        yield _text(blob)
    elif blob.path.endswith(".ipynb") and blob.content is not None:
        try:
            cells = json.loads(_text(blob))["cells"]
            for cell in cells:
                if cell["cell_type"] == "code":
                    lines = "".join(cell["source"]).split("\n")
                    yield "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!", "?")))
        except (ValueError, LookupError, TypeError, RecursionError):
            return


# ---------------------------------------------------------------------------------------------------------
# Files and messages


def has_no_large_files(snapshot: Snapshot, limit: int = MAX_BYTES) -> Verdict:
    """Tell whether no file is larger than `limit` bytes, in the newest commit or in an own one before it."""
    here = [f"{blob.path} ({_size(blob.size)})" for blob in snapshot.blobs if blob.size > limit]
    if here:
        return _fails(
            f"Larger than {_size(limit)}: {_list(here)}.",
            "Put data into a repository for data (Zenodo, for example) and link to it.",
        )
    for commit in snapshot.commits or ():
        large = [f"{blob.path} ({_size(blob.size)})" for blob in commit.added if blob.size > limit]
        if large:
            return _fails(
                f"Commit {commit.id[:7]} brought {_list(large)}. It is still in the history.",
                "Everybody who clones downloads it. Take it out of the history (git filter-repo) in time.",
            )
    return _passes(f"No file is larger than {_size(limit)}.")


def _size(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size >= 100_000 else f"{size / 1e3:.3g} kB"


def has_no_generated_files(snapshot: Snapshot) -> Verdict:
    """Tell whether nothing was committed that a program writes again by itself, or that holds secrets."""
    found = sorted(blob.path for blob in snapshot.blobs if _is_generated(blob.path))
    if found:
        return _fails(
            f"These are written by programs, and do not belong into a repository: {_list(found)}.",
            "Add them to .gitignore, and take them out: git rm -r --cached NAME.",
        )
    return _passes("No generated file was committed.")


def _is_generated(path: str) -> bool:
    parts = path.split("/")
    tails = ["/".join(parts[place:]) for place in range(len(parts))]
    return any(
        fnmatchcase(tail, pattern) and (pattern.endswith("/*") or "/" not in tail)
        for tail in tails
        for pattern in _GENERATED
    ) or any(fnmatchcase(path, pattern) for pattern in _GENERATED_AT_TOP)


def writes_telling_messages(snapshot: Snapshot) -> Verdict:
    """Tell whether every own commit says what it changed; merges, which git names itself, are not asked."""
    if snapshot.commits is None:
        return Verdict("unknown", "The history is not known.")
    own = [commit for commit in snapshot.commits if not commit.merges]
    if len(own) > 1 and _first_line(own[-1]).casefold() == "initial commit":
        own.pop()  # the forge writes it when a repository is made
    if not own:
        return _fails("There is no commit of yours.", "Commit what you have done, and push it.")
    faults = [(commit, fault) for commit in own if (fault := tell_message_fault(_first_line(commit)))]
    if faults:
        commit, fault = faults[0]
        more = f" ({len(faults)} of {len(own)} commits are like this.)" if len(faults) > 1 else ""
        return _fails(
            f"Commit {commit.id[:7]}: {fault}{more}", "Say what was changed, and why: for yourself in a year."
        )
    return _passes(f"{len(own)} commit{'s say' if len(own) > 1 else ' says'} what was changed.")


def _first_line(commit: Commit) -> str:
    return commit.message.strip().partition("\n")[0].strip()
