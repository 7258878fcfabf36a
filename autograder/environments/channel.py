"""Writes the conda channel of the exercise: builds of conda-forge for linux-64, as far as they matter here.

::

    python -m autograder.environments.channel

Which versions there are is taken from ``pypi.json``. For which Python each was built, and against which
numpy, is what the build settings of conda-forge's feedstocks say (``.ci_support/linux_64_*.yaml`` of
numpy-feedstock, scipy-feedstock and scikit-image-feedstock, read on 2026-11-26). It matters for the exercise:
a package that conda-forge built against numpy 1 says ``numpy <2.0a0`` itself, where the wheel on PyPI says
nothing.

Left out are the other requirements (they have builds for all of these) and builds beside the newest one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

HERE = Path(__file__).parent
FILE = HERE / "conda" / "linux-64" / "repodata.json"

# Version range: the Pythons from the first to the last, 3.x.
PYTHONS = {
    "numpy": {
        "==1.19.1": (6, 8),
        ">=1.19.2,<1.20": (6, 9),
        ">=1.20,<1.21.3": (7, 9),
        ">=1.21.3,<1.22": (7, 10),
        ">=1.22,<1.23.4": (8, 10),
        ">=1.23.4,<1.25": (8, 11),
        ">=1.25,<1.26": (9, 11),
        ">=1.26,<2.1": (9, 12),
        ">=2.1,<2.3": (10, 13),
        ">=2.3,<2.3.2": (11, 13),
        ">=2.3.2,<2.5": (11, 14),
        ">=2.5,<2.5.2": (12, 14),
    },
    "scipy": {
        ">=1.5.2,<1.6": (6, 9),
        ">=1.6,<1.7.2": (7, 9),
        ">=1.7.2,<1.8": (7, 10),
        ">=1.8,<1.9.3": (8, 10),
        ">=1.9.3,<1.11": (8, 11),
        ">=1.11,<1.11.3": (9, 11),
        ">=1.11.3,<1.14": (9, 12),
        ">=1.14,<1.14.1": (10, 12),
        ">=1.14.1,<1.16": (10, 13),
        ">=1.16,<1.16.1": (11, 13),
        ">=1.16.1,<1.18": (11, 14),
        ">=1.18,<1.18.1": (12, 14),
    },
    "scikit-image": {
        ">=0.17.2,<0.18": (6, 9),
        ">=0.18,<0.18.3": (7, 9),
        ">=0.18.3,<0.19.3": (7, 10),
        ">=0.19.3,<0.20": (7, 11),
        ">=0.20,<0.22": (8, 11),
        ">=0.22,<0.23": (9, 12),
        ">=0.23,<0.24": (10, 12),
        ">=0.24,<0.25": (9, 13),
        ">=0.25,<0.25.2": (10, 13),
        ">=0.25.2,<0.26": (10, 14),
        ">=0.26,<0.27": (11, 14),
    },
}
# From this version on a package was built against numpy 2, which works with numpy 1 as well.
BUILT_FOR_NUMPY_2 = {"scipy": Version("1.13"), "scikit-image": Version("0.24")}
# The numpy that packages for this Python (3.x) were built against, while they were built against numpy 1.
NUMPY_OF_PYTHON = {6: "1.16", 7: "1.16", 8: "1.16", 9: "1.19", 10: "1.21", 11: "1.23", 12: "1.26"}


def write_channel() -> dict[str, Any]:
    """Return the channel's ``repodata.json`` as a document."""
    index = json.loads((HERE / "pypi.json").read_text(encoding="utf-8"))
    records: dict[str, dict[str, Any]] = {}

    def add(name: str, version: str, build: str, depends: list[str]) -> None:
        records[f"{name}-{version}-{build}.conda"] = {
            "build": build,
            "build_number": 0,
            "depends": depends,
            "name": name,
            "sha256": "0" * 64,
            "size": 0,
            "subdir": "linux-64",
            "version": version,
        }

    for last in map(Version, index["pythons"]):
        for patch in range(last.micro + 1):
            add("python", f"{last.major}.{last.minor}.{patch}", "0_cpython", [])
    for name, ranges in PYTHONS.items():
        for text, entry in index["packages"][name].items():
            version = Version(text)
            found = [span for bounds, span in ranges.items() if version in SpecifierSet(bounds)]
            for first, last in () if entry.get("yanked") else found:
                for minor in range(max(first, 7), last + 1):
                    depends = [f"python >=3.{minor},<3.{minor + 1}.0a0", *_needs(name, version, minor, entry)]
                    add(name, text, f"py3{minor}_0", depends)
    return {
        "info": {"subdir": "linux-64"},
        "packages": {},
        "packages.conda": dict(sorted(records.items())),
        "repodata_version": 1,
    }


def _needs(name: str, version: Version, minor: int, entry: dict[str, Any]) -> list[str]:
    """Return what a build needs beside Python."""
    if name == "numpy":
        return []
    built_for_2 = version >= BUILT_FOR_NUMPY_2[name]
    numpy = "numpy >=1.22,<3" if built_for_2 else f"numpy >={NUMPY_OF_PYTHON[minor]},<2.0a0"
    others = [Requirement(text) for text in entry.get("requires", ()) if text.startswith("scipy")]
    return [numpy, *(f"scipy {other.specifier}" for other in others)]


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(write_channel(), indent=0, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{FILE}: {FILE.stat().st_size // 1024} KiB\n")
