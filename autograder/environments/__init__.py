"""The exercises of the assignment ``environments``: an old notebook is to run again, repaired in two ways.

What is stated here about versions was tried: each combination was installed from PyPI on Linux, and the
notebook's cell was run there.

| Python | scikit-image | numpy | what happens |
|---|---|---|---|
| 3.8 | 0.19.3 | 1.24.4 | works |
| 3.9 | 0.18.3 | 1.26.4 | works; `footprint` is not known yet |
| 3.10 | 0.19.3 | 1.26.4 | works, with `selem` and with `footprint` |
| 3.10 | 0.19.3, 0.20.0, 0.21.0, 0.22.0 | 2.2.6 | ValueError at import: numpy.dtype size changed |
| 3.10 | 0.20.0 | 1.26.4 | TypeError: unexpected keyword argument 'selem' |
| 3.10 | 0.23.1 | 2.2.6 | imports; TypeError as above |
| 3.8 | 0.17.2 | 1.24.4 | AttributeError at import: module 'numpy' has no attribute 'bool' |
| 3.11 | below 0.20 | any | no wheel: pip would have to compile |
"""

# ruff: noqa: D400, D401, D403 - titles of checks, and ends of sentences that begin elsewhere

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters
from skimage.morphology import disk

from autograder.declaring import expect, expect_arguments_left_alone
from fairmark.checks import Task
from fairmark.environment import Clash, Exercise, read_index

Image = NDArray[Any]

_HERE = Path(__file__).parent

# --- the code is mended: judged by running it in the installed scikit-image -------------------------------


def reference_repair(image: Image, radius: int) -> Image:
    """Replace each pixel by the median of a disk around it."""
    return np.asarray(filters.median(image, disk(radius)))


repair = Task("Remove specks, repaired", reference=reference_repair)


def _bytes(rng: np.random.Generator, *shape: int) -> Image:
    return rng.integers(0, 256, shape, dtype=np.uint8)


expect(
    repair,
    "runs_today",
    "The function runs with the scikit-image of today and does what it did.",
    lambda rng: [(_bytes(rng, 15, 17), 2), (_bytes(rng, 12, 19), 3)],
    points=2,
    hint="Which name has the argument today? help(skimage.filters.median) tells, and the release notes do.",
)
expect(
    repair,
    "every_radius",
    "The radius decides how large the disk is.",
    lambda rng: [(_bytes(rng, 16, 13), radius) for radius in (1, 4, 2)],
    points=1,
    hint="disk(radius) makes the neighbourhood; hand it over, whatever the argument is called.",
)
expect(
    repair,
    "other_types",
    "Images of other types work as well.",
    lambda rng: [
        (rng.random((11, 14)) * 100, 2),
        (rng.integers(0, 60_000, (11, 14), dtype=np.uint16), 2),
    ],
    points=0.5,
    hint="Change only what broke: nothing has to be converted.",
)
expect_arguments_left_alone(repair, lambda rng: [(_bytes(rng, 13, 16), 2)], points=0.5)


@repair.mistake
def _no_neighbourhood(image: Image, radius: int) -> Image:  # noqa: ARG001 - that is the mistake
    """looks at a square of 3 x 3 pixels, whatever the radius is"""
    return np.asarray(filters.median(image))


@repair.mistake
def _square(image: Image, radius: int) -> Image:
    """looks at a square instead of a disk"""
    return np.asarray(filters.median(image, np.ones((2 * radius + 1,) * 2)))


@repair.mistake
def _mean(image: Image, radius: int) -> Image:
    """takes the mean of the disk instead of its median"""
    weights = disk(radius) / disk(radius).sum()
    return np.asarray(ndimage.correlate(image.astype(float), weights, mode="nearest"))


@repair.mistake
def _other_border(image: Image, radius: int) -> Image:
    """mirrors the image at its border instead of repeating the pixel at the edge"""
    return np.asarray(ndimage.median_filter(image, footprint=disk(radius), mode="reflect"))


@repair.mistake
def _larger(image: Image, radius: int) -> Image:
    """takes a disk that is one pixel too large"""
    return np.asarray(filters.median(image, disk(radius + 1)))


# --- the environment is mended, the code stays -----------------------------------------------------------

median = Exercise(
    "An environment in which the notebook runs",
    index=read_index(_HERE / "pypi.json", _HERE / "conda"),
    needs={"scikit-image": "<0.20", "numpy": ""},
    otherwise="TypeError: median() got an unexpected keyword argument 'selem'",
    clashes=(
        Clash(
            "scikit-image<0.23",
            "numpy>=2",
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility.",
            "These wheels were compiled for numpy 1 and do not say so in their metadata. Bound numpy, too.",
        ),
        Clash(
            "scikit-image<0.18",
            "numpy>=1.24",
            "AttributeError: module 'numpy' has no attribute 'bool'.",
            "scikit-image 0.17 wants a numpy below 1.24; 0.18 and 0.19 do not mind.",
        ),
    ),
)
