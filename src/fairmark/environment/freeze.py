"""Freezes what the Python package index says of some packages into a file, for judging without a network.

::

    python -m fairmark.environment.freeze index.json "scikit-image>=0.17" "numpy>=1.17"

Only metadata is asked for, as pip does it: the list of files (PEP 691) and, of each release that is kept,
the metadata of one wheel (PEP 658). Requirements on packages that are not named are left out.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen
from zipfile import ZipFile

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from fairmark.environment.index import ANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.tags import Tag

# The last release of each Python; nothing in the package index tells it.
PYTHONS = ("3.7.17", "3.8.20", "3.9.25", "3.10.20", "3.11.15", "3.12.13", "3.13.12", "3.14.3")
_JSON = "application/vnd.pypi.simple.v1+json"


def freeze(wishes: Sequence[Requirement], address: str) -> dict[str, Any]:
    """Return the document of an index.

    Parameters
    ----------
    wishes : sequence of Requirement
        The packages, with the versions that are kept.
    address : str
        Of the package index, such as ``https://pypi.org/simple/``.
    """
    names = {canonicalize_name(wish.name) for wish in wishes}
    return {
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "pythons": list(PYTHONS),
        "packages": {canonicalize_name(wish.name): _freeze_package(wish, names, address) for wish in wishes},
    }


def _freeze_package(wish: Requirement, names: set[Any], address: str) -> dict[str, Any]:
    page = json.loads(_fetch(urljoin(address, f"{canonicalize_name(wish.name)}/"), _JSON))
    releases: dict[Version, list[dict[str, Any]]] = {}
    for file in page["files"]:
        version = _version_of(file["filename"])
        if version is not None and not version.is_prerelease and wish.specifier.contains(version):
            releases.setdefault(version, []).append(file)
    return {str(version): _describe(releases[version], names) for version in sorted(releases)}


def _version_of(filename: str) -> Version | None:
    """Return the version of a distribution's file; None for files that pip does not install."""
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1]
        if filename.endswith((".tar.gz", ".zip")):
            stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
            return Version(stem.rpartition("-")[2])
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        pass
    return None


def _describe(files: Sequence[dict[str, Any]], names: set[Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    wheels = {
        file["filename"]: _pythons_of(parse_wheel_filename(file["filename"])[3])
        for file in files
        if file["filename"].endswith(".whl")
    }
    pythons = {python for found in wheels.values() for python in found}
    if python := next((file["requires-python"] for file in files if file.get("requires-python")), ""):
        entry["python"] = python
    if ANY not in pythons:
        entry["wheels"] = sorted(pythons, key=Version)
    if all(file.get("yanked") for file in files):
        entry["yanked"] = True
    fit = [file["url"] for file in files if wheels.get(file["filename"])]
    if fit:
        metadata, _ = parse_email(_fetch_metadata(fit[-1]))
        entry["requires"] = sorted(text for text in metadata.get("requires_dist", ()) if _keeps(text, names))
    return {key: value for key, value in entry.items() if value != [] or key == "wheels"}


def _keeps(text: str, names: set[Any]) -> bool:
    requirement = Requirement(text)
    extra = requirement.marker is not None and "extra" in str(requirement.marker)
    return not extra and canonicalize_name(requirement.name) in names


def _pythons_of(tags: Iterable[Tag]) -> set[str]:
    """Return the Python versions that a wheel serves on Linux with x86_64: none where it is for elsewhere."""
    found = set()
    for tag in tags:
        linux = "linux" in tag.platform and tag.platform.endswith("x86_64") and "musl" not in tag.platform
        if not linux and tag.platform != "any":
            continue
        if tag.abi in ("none", "abi3"):
            found.add(ANY)
        elif tag.interpreter.startswith("cp") and not tag.abi.endswith("t"):
            digits = tag.interpreter.removeprefix("cp")
            found.add(f"{digits[0]}.{digits[1:]}")
    return found


def _fetch_metadata(wheel: str) -> bytes:
    """Return a wheel's metadata; where the index has it not apart, read it from inside of the wheel."""
    try:
        return _fetch(f"{wheel}.metadata")
    except HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
    with ZipFile(io.BytesIO(_fetch(wheel))) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _fetch(address: str, kind: str = "*/*") -> bytes:
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"{address} is no address on the web")
    request = Request(address, headers={"Accept": kind, "User-Agent": "fairmark"})  # noqa: S310 - see above
    with urlopen(request, timeout=60) as answer:  # noqa: S310
        return bytes(answer.read())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write an index file."""
    parser = argparse.ArgumentParser(
        "python -m fairmark.environment.freeze", description=__doc__.split("\n")[0]
    )
    parser.add_argument("file", type=Path, help="where the index is written")
    parser.add_argument("packages", nargs="+", type=Requirement, help='such as "numpy>=1.17"')
    parser.add_argument("--index", default="https://pypi.org/simple/", help="the package index")
    given = parser.parse_args(arguments)
    document = freeze(given.packages, given.index)
    given.file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{given.file}: {sum(map(len, document['packages'].values()))} releases\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
