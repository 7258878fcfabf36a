"""Reads environment files of students as hostile text: nothing is executed, followed or fetched."""

from __future__ import annotations

import codecs
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from fairmark.plainyaml import YamlError, load_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BYTES = 64 * 1024
MAX_REQUIREMENTS = 500
_MAX_LINE = 300
_SHOWN = 60
_CHANNELS = ("conda-forge", "defaults", "nodefaults")
_REFUSED = re.compile(
    r"://|^\s*(?:git|hg|svn|bzr)\+|^\s*[./~\\]|^[A-Za-z]:[/\\]|\.(?:whl|tar\.gz|zip|conda)\b"
)
_CONDA_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_CONDA_SPEC = re.compile(r"[A-Za-z0-9_.<>=!~,|*+ -]*")


class FileError(Exception):
    """The file cannot be read as what it is; the message is for the student."""


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """What an environment file asks for.

    Parameters
    ----------
    name : str
        Of the file.
    style : {'pip', 'conda'}
        Who would install it.
    pip : tuple of Requirement
        What pip installs.
    conda : tuple of str
        What conda installs, as conda's match specifications.
    python : SpecifierSet, optional
        The Python versions that the file says; None where it says nothing. A conda file says it in `conda`.
    exact : tuple of str
        The packages that are tied to one single version.
    builds : tuple of str
        The packages that are tied to one single build, which exists for one operating system.
    """

    name: str
    style: Literal["pip", "conda"]
    pip: tuple[Requirement, ...] = ()
    conda: tuple[str, ...] = ()
    python: SpecifierSet | None = None
    exact: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()


def read_requirements(name: str, content: bytes, python: tuple[str, bytes] | None = None) -> EnvironmentFile:
    """Read a ``requirements.txt``.

    Parameters
    ----------
    name : str
    content : bytes
    python : tuple of str and bytes, optional
        Name and content of the file beside it that says which Python: ``runtime.txt`` or ``.python-version``.

    Raises
    ------
    FileError
        With the line, and what to write instead.
    """
    found = [
        _read_requirement(line, f"{name}, line {number}") for number, line in _lines(_decode(name, content))
    ]
    return _of_pip(name, found, None if python is None else _read_python_file(*python))


def read_pyproject(name: str, content: bytes) -> EnvironmentFile:
    """Read a ``pyproject.toml``: the table ``[project]`` with ``requires-python`` and ``dependencies``.

    Raises
    ------
    FileError
        With the key, and what to write instead.
    """
    try:
        document = tomllib.loads(_decode(name, content))
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{name} is not valid TOML: {_cut(str(error))}.") from error
    except RecursionError as error:
        raise FileError(f"{name} is nested too deeply.") from error
    project = document.get("project")
    if not isinstance(project, dict):
        raise FileError(f"{name} has no table [project]; requires-python and dependencies belong there.")
    if not isinstance(project.get("name"), str) or (
        not isinstance(project.get("version"), str) and "version" not in _list_of(project, "dynamic")
    ):
        raise FileError(f"{name}: [project] needs a name and a version, or pip refuses the file.")
    lines = project.get("dependencies", [])
    if "dependencies" in _list_of(project, "dynamic") or not isinstance(lines, list):
        raise FileError(f'{name}: dependencies must be a list of texts, such as ["numpy>=1.20"].')
    _count(name, lines)
    found = [_read_requirement(line, f"{name}, dependencies[{place}]") for place, line in enumerate(lines)]
    python = project.get("requires-python")
    if python is None:
        return _of_pip(name, found, None)
    try:
        return _of_pip(name, found, SpecifierSet(python))
    except (ValueError, TypeError, AttributeError) as error:
        raise FileError(
            f'{name}: requires-python is {_cut(repr(python))}; write bounds, such as ">=3.9,<3.12".'
        ) from error


def read_conda(name: str, content: bytes) -> EnvironmentFile:
    """Read an ``environment.yml``: ``dependencies``, with ``pip:`` inside of it.

    Raises
    ------
    FileError
        With the entry, and what to write instead.
    """
    document = _load_yaml(name, _decode(name, content))
    if not isinstance(document, dict):
        raise FileError(f"{name} holds no table; it begins with lines such as `name:` and `dependencies:`.")
    _check_channels(name, document.get("channels", []))
    entries = document.get("dependencies")
    if not isinstance(entries, list):
        raise FileError(
            f"{name} has no list `dependencies:`; each package stands on a line that begins with -."
        )
    _count(name, entries)
    conda, exact, builds = [], [], []
    pip: list[Requirement] = []
    for place, entry in enumerate(entries, 1):
        where = f"{name}, dependency {place}"
        if isinstance(entry, dict):
            pip += _read_pip_section(entry, where)
            continue
        spec, package, version, build = _read_conda_spec(entry, where)
        conda.append(spec)
        if build:
            builds.append(package)
        if re.fullmatch(r"={1,2}\s*[^*,|=<>!~]+", version) and (
            version.startswith("==") or version.count(".") > 1
        ):
            exact.append(package)
    return EnvironmentFile(
        name, "conda", tuple(pip), tuple(conda), None, (*exact, *_exact(pip)), tuple(builds)
    )


# ---------------------------------------------------------------------------------------------------------
# Text


def _decode(name: str, content: bytes) -> str:
    """Return a file's text; a text editor's or PowerShell's byte order mark is understood, as pip does."""
    if len(content) > MAX_BYTES:
        raise FileError(f"{name} is larger than {MAX_BYTES // 1024} KiB; an environment file is a few lines.")
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileError(f"{name} is not encoded in UTF-8; save it again as plain text.") from error
    if "\0" in text:
        raise FileError(f"{name} is no text: it holds a zero byte.")
    return text


def _cut(text: str) -> str:
    """Return one short printable line."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _count(name: str, entries: list[Any]) -> None:
    if len(entries) > MAX_REQUIREMENTS:
        raise FileError(f"{name} lists more than {MAX_REQUIREMENTS} packages; list those that you import.")


def _list_of(table: dict[str, Any], key: str) -> list[Any]:
    value = table.get(key, [])
    return value if isinstance(value, list) else []


# ---------------------------------------------------------------------------------------------------------
# pip's side


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the logical lines of a requirements file with their numbers, without comments, as pip does."""
    pending, begun, count = "", 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1].strip(" ") + " "
            continue
        whole = re.sub(r"(^|\s)#.*$", "", pending + line).strip()
        if whole:
            count += 1
            if count > MAX_REQUIREMENTS:
                raise FileError(f"More than {MAX_REQUIREMENTS} packages; list those that you import.")
            yield begun, whole
        pending, begun = "", 0
    if pending.strip():
        yield begun, pending.strip()


def _read_requirement(line: Any, where: str) -> Requirement:
    if not isinstance(line, str):
        raise FileError(f'{where}: {_cut(repr(line))} is no text; write it in quotes, such as "numpy>=1.20".')
    if line.lstrip().startswith("-"):
        raise FileError(
            f"{where}: options such as {_cut(line.split()[0])} are not followed here. Write the requirements "
            "themselves, one package a line."
        )
    if _REFUSED.search(line) or "@" in line.partition(";")[0]:
        raise FileError(
            f"{where}: {_cut(line)} is an address or a path, and nothing is fetched here. Name the package "
            "and its versions, such as numpy>=1.20."
        )
    try:
        if len(line) > _MAX_LINE:
            raise ValueError(line)
        return Requirement(line)
    except ValueError as error:  # InvalidRequirement, or a number of thousands of digits
        hints = {
            r"\d\s+[<>=!~]": " A comma stands between two bounds.",
            r"\d[\s,]+[A-Za-z]": " Each package stands on a line of its own.",
            r"[^=<>!~]=[^=]": " pip wants two equals signs: ==.",
        }
        hint = next((words for pattern, words in hints.items() if re.search(pattern, line)), "")
        raise FileError(f"{where}: {_cut(line)} is no requirement that pip understands.{hint}") from error


def _read_python_file(name: str, content: bytes) -> SpecifierSet:
    """Read ``.python-version`` (3.10, as of pyenv and uv) or ``runtime.txt`` (python-3.10, as of Binder)."""
    text = _decode(name, content).strip()
    try:
        version = Version(text.removeprefix("python-"))
    except ValueError as error:
        raise FileError(
            f"{name} holds {_cut(text)!r}; it is one line, such as "
            f"{'python-3.10' if name == 'runtime.txt' else '3.10'}."
        ) from error
    return SpecifierSet(f"=={version}.*" if len(version.release) < 3 else f"=={version}")


def _of_pip(name: str, found: list[Requirement], python: SpecifierSet | None) -> EnvironmentFile:
    return EnvironmentFile(name, "pip", tuple(found), (), python, _exact(found))


def _exact(requirements: list[Requirement]) -> tuple[str, ...]:
    """Return the packages that are tied to one version."""
    return tuple(
        requirement.name
        for requirement in requirements
        if any(
            bound.operator in ("==", "===") and not bound.version.endswith(".*")
            for bound in requirement.specifier
        )
    )


# ---------------------------------------------------------------------------------------------------------
# conda's side


def _load_yaml(name: str, text: str) -> Any:
    try:
        return load_plain(text)
    except YamlError as error:
        raise FileError(f"{name}, {error}") from error


def _check_channels(name: str, channels: Any) -> None:
    for channel in channels if isinstance(channels, list) else [channels]:
        if channel not in _CHANNELS:
            raise FileError(
                f"{name}: the channel {_cut(str(channel))} is not known here; conda-forge has all you need."
            )


def _read_pip_section(entry: dict[Any, Any], where: str) -> list[Requirement]:
    if list(entry) != ["pip"]:
        key = _cut(str(next(iter(entry), "")))
        raise FileError(f"{where}: only `pip:` may be a table here. Write `- {key}=VERSION` on one line.")
    lines = entry["pip"]
    if not isinstance(lines, list):
        raise FileError(
            f"{where}: below `pip:` each requirement stands on a line of its own that begins with -."
        )
    return [_read_requirement(line, f"{where}, below pip") for line in lines]


def _read_conda_spec(entry: Any, where: str) -> tuple[str, str, str, str]:
    """Return a specification as conda's matcher takes it, with the package, its version and its build."""
    if not isinstance(entry, str):
        raise FileError(f"{where}: {_cut(repr(entry))} is no text such as numpy=1.26.")
    text = entry.strip()
    channel, mark, rest = text.partition("::")
    if mark:
        if channel not in _CHANNELS:
            raise FileError(f"{where}: the channel {_cut(channel)} is not known here; leave it out.")
        text = rest.strip()
    if len(text) > _MAX_LINE or _REFUSED.search(text) or not _CONDA_SPEC.fullmatch(text):
        raise FileError(
            f"{where}: {_cut(entry)} is more than a name with versions, and nothing is fetched here. Write "
            "it as numpy=1.26 or numpy>=1.20,<2."
        )
    name = _CONDA_NAME.match(text)
    if name is None:
        raise FileError(f"{where}: {_cut(entry)} does not begin with the name of a package.")
    rest = text[name.end() :].strip()
    found = re.fullmatch(r"(={1,2}\s*[^=\s<>!~]+)(?:=|\s+)([^=\s<>!~,|]+)", rest)
    version, build = (found[1], found[2]) if found else (rest, "")
    return text, name[0].lower(), version, build


READERS: dict[str, Callable[[str, bytes], EnvironmentFile]] = {
    "requirements.txt": read_requirements,
    "environment.yml": read_conda,
    "environment.yaml": read_conda,
    "pyproject.toml": read_pyproject,
}
PYTHON_FILES = ("runtime.txt", ".python-version")
