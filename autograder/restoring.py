"""The functions of the notebook on restoring images: references, checks with points, and the usual mistakes.

Borders are not looked at, because the libraries that students may use here continue an image differently.

The docstring of a check is the title that students read; the docstring of a mistake completes the sentence
"Your result is exactly what comes out when the function …".
"""

# ruff: noqa: D400, D401, D403 - the docstrings are titles and ends of sentences, see above
# ruff: noqa: ARG001 - a mistake has the signature of the function, and may forget an argument

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autograder.declaring import expect, expect_arguments_left_alone
from fairmark.checks import Failure, Recorder, Task, agree, image_of, unaltered

Image = NDArray[Any]


def _noise(rng: np.random.Generator, *shape: int, top: float = 100.0) -> Image:
    """Return floating-point noise from 0 to `top`."""
    return rng.random(shape) * top


# --- outliers ----------------------------------------------------------------------------------------------


def reference_outliers(image: Image, limit: float) -> Image:
    """Replace by the median of its 3 x 3 neighbourhood what differs from it by more than `limit`."""
    image = image.astype(float)
    middle = ndimage.median_filter(image, size=3, mode="reflect")
    return np.where(np.abs(image - middle) > limit, middle, image)


outliers = Task("Remove outliers", reference=reference_outliers)
_WHERE = "np.where(abs(image - median) > limit, median, image), with both as floats."


def _specked(rng: np.random.Generator, *, hot: bool = True, dead: bool = True) -> Image:
    """Return gentle noise around 120 with single hot and dead pixels, far from each other and the border."""
    image = 110 + _noise(rng, 20, 26, top=20)
    places = [(row, column) for row in (3, 8, 13) for column in (3, 9, 15, 21)]
    for number, (row, column) in enumerate(places):
        place = row + int(rng.integers(0, 3)), column + int(rng.integers(0, 3))
        if number % 2 and hot:
            image[place] = 240
        elif not number % 2 and dead:
            image[place] = 5
    return image


def _at_the_limit() -> Image:
    """Return a flat image with one pixel that is 50 brighter and one that is 50 darker: no outliers."""
    image = np.full((9, 9), 100.0)
    image[2, 2], image[6, 6] = 150, 50
    return image


expect(
    outliers,
    "hot_and_dead",
    "Hot and dead pixels get the median of their neighbourhood.",
    lambda rng: [(_specked(rng, dead=False), 50), (_specked(rng), 50)],
    points=0.5,
    hint=f"A dead pixel is far *below* the median: compare the absolute difference. {_WHERE}",
)
expect(
    outliers,
    "others_kept",
    "Every other pixel keeps its value exactly; the limit decides which.",
    lambda rng: [(_noise(rng, 14, 17), limit) for limit in (10, 30, 60)] + [(_at_the_limit(), 50)],
    points=0.75,
    hint=f"A plain median filter changes every pixel. {_WHERE}",
)
expect(
    outliers,
    "whole_numbers",
    "Images of uint8 do not wrap around.",
    lambda rng: [(rng.integers(0, 256, (14, 17), dtype=np.uint8), 40)],
    points=0.5,
    hint="In uint8, 5 - 120 is 141. Begin with image.astype(float).",
)
expect_arguments_left_alone(outliers, lambda rng: [(_specked(rng), 50)], points=0.25)


@outliers.mistake
def _(image: Image, limit: float) -> Image:
    """replaces every pixel by the median, and not the outliers alone"""
    return np.asarray(ndimage.median_filter(image.astype(float), size=3))


@outliers.mistake
def _(image: Image, limit: float) -> Image:
    """finds hot pixels alone: dead ones lie far below the median"""
    middle = ndimage.median_filter(image.astype(float), size=3)
    return np.where(image.astype(float) - middle > limit, middle, image)


@outliers.mistake
def _(image: Image, limit: float) -> Image:
    """sets outliers to 0 instead of to the median"""
    middle = ndimage.median_filter(image.astype(float), size=3)
    return np.where(np.abs(image.astype(float) - middle) > limit, 0, image)


@outliers.mistake
def _(image: Image, limit: float) -> Image:
    """uses the mean of the neighbourhood instead of its median"""
    middle = ndimage.uniform_filter(image.astype(float), size=3)
    return np.where(np.abs(image.astype(float) - middle) > limit, middle, image)


@outliers.mistake
def _(image: Image, limit: float) -> Image:
    """keeps the outliers and replaces all other pixels"""
    middle = ndimage.median_filter(image.astype(float), size=3)
    return np.where(np.abs(image.astype(float) - middle) > limit, image, middle)


@outliers.mistake
def _(image: Image, limit: float) -> Image:
    """subtracts in the dtype of the image, where dark pixels wrap around"""
    middle = ndimage.median_filter(image, size=3)
    return np.where(np.abs(image - middle) > limit, middle, image).astype(float)


# --- flat field --------------------------------------------------------------------------------------------


def reference_flat_field(image: Image, dark: Image, bright: Image) -> Image:
    """Divide by the light of an empty image; both without the offset of the camera."""
    light = bright.astype(float) - dark
    return np.asarray((image.astype(float) - dark) / light * light.mean())


flat_field = Task("Correct uneven light", reference=reference_flat_field)
_FLAT = "(image - dark) / (bright - dark) * (bright - dark).mean(), everything as floats"


def _fields(
    rng: np.random.Generator, *, offset: float = 10.0, dtype: type = float
) -> tuple[Image, Image, Image]:
    """Return an image, a dark and a bright field: light that falls off, an offset of the camera."""
    rows, columns = np.mgrid[:18, :24]
    light = 60 + 4.0 * columns + 2.0 * rows + rng.integers(0, 3, (18, 24))
    sample = rng.uniform(0.2, 1.0, (18, 24))
    dark = offset + rng.integers(0, 5, (18, 24)) * (offset > 0)
    parts = (dark + light * sample, dark, dark + light)
    return tuple(np.floor(part).astype(dtype) if dtype is not float else part for part in parts)  # type: ignore[return-value]


expect(
    flat_field,
    "light",
    "Where the light falls off, the image is divided by it.",
    lambda rng: [_fields(rng, offset=0)],
    points=0.75,
    hint=f"Light is a factor, so it has to be divided out, not subtracted. {_FLAT}",
)
expect(
    flat_field,
    "offset",
    "The offset of the camera is subtracted from the image and from the bright field.",
    lambda rng: [_fields(rng)],
    points=0.5,
    hint=_FLAT,
)


@flat_field.check(points=0.5, hint=f"Convert before you subtract. {_FLAT}")
def whole_numbers_and_flatness(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """It works for uint8 images, and an empty image becomes flat, as bright as it was on average."""
    image, dark, bright = _fields(rng, dtype=np.uint8)
    agree(function(image, dark, bright), reference(image, dark, bright), scale=200.0)
    flat = image_of(function(bright, dark, bright), bright.shape)
    expected = float((bright.astype(float) - dark).mean())
    if np.abs(flat - expected).max() > 1e-3:
        raise Failure(f"The bright field itself must become {expected:.4g} everywhere.")


expect_arguments_left_alone(flat_field, lambda rng: [_fields(rng)], points=0.25)


@flat_field.mistake
def _(image: Image, dark: Image, bright: Image) -> Image:
    """subtracts the light instead of dividing by it"""
    light = bright.astype(float) - dark
    return np.asarray(image.astype(float) - dark - light + light.mean())


@flat_field.mistake
def _(image: Image, dark: Image, bright: Image) -> Image:
    """forgets the offset of the camera"""
    return np.asarray(image.astype(float) / bright * bright.mean())


@flat_field.mistake
def _(image: Image, dark: Image, bright: Image) -> Image:
    """divides, but does not multiply by the mean light, so that the grey values are far too small"""
    return np.asarray((image.astype(float) - dark) / (bright.astype(float) - dark))


@flat_field.mistake
def _(image: Image, dark: Image, bright: Image) -> Image:
    """multiplies by the light instead of dividing by it"""
    light = bright.astype(float) - dark
    return np.asarray((image.astype(float) - dark) * light / light.mean())


@flat_field.mistake
def _(image: Image, dark: Image, bright: Image) -> Image:
    """subtracts the offset from the image, but not from the bright field"""
    return np.asarray((image.astype(float) - dark) / bright * bright.mean())


@flat_field.mistake
def _(image: Image, dark: Image, bright: Image) -> Image:
    """multiplies by the largest light instead of the mean one"""
    light = bright.astype(float) - dark
    return np.asarray((image.astype(float) - dark) / light * light.max())


# --- background --------------------------------------------------------------------------------------------


def reference_background(image: Image, size: int) -> Image:
    """Return the white top-hat with a box of `size` pixels."""
    return np.asarray(ndimage.white_tophat(image.astype(float), size=(size, size)))


background = Task("Remove the background", reference=reference_background)
_HAT = "skimage.morphology.white_tophat(image, np.ones((size, size))), or image minus its opening."


def _sloped(rng: np.random.Generator) -> Image:
    """Return small spots of 3 x 3 pixels on a slope, far from the border."""
    rows, columns = np.mgrid[:44, :50]
    image = 30 + 1.5 * columns + 0.5 * rows
    for row in (14, 22, 30):
        for column in (14, 24, 34):
            down, across = (int(rng.integers(-2, 3)) for _ in range(2))
            image[row + down : row + down + 3, column + across : column + across + 3] += rng.uniform(40, 90)
    return image


def _inner(image: Image) -> Image:
    return image[10:-10, 10:-10]


def _hats_agree(function: Recorder, image: Image, size: int, reference: Any) -> None:
    result = image_of(function(image, size), image.shape)
    agree(_inner(result), _inner(reference(image, size)), scale=100.0)


@background.check(points=0.75, hint=_HAT)
def spots_on_a_slope(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Away from the border, small bright spots keep their height, and the slope is gone."""
    _hats_agree(function, _sloped(rng), 7, reference)


@background.check(points=0.5, hint="The footprint is a box with size pixels along each side.")
def size_counts(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """The size of the box decides what counts as small, also where nothing is a spot."""
    image = _noise(rng, 44, 50)
    for size in (3, 5, 9):
        _hats_agree(function, image, size, reference)


@background.check(
    points=0.5, hint="Whole numbers are no problem for minimum and maximum, but for differences."
)
def bytes_left_alone(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """It works for uint8 images, and the image is the same afterwards."""
    image = np.clip(_sloped(rng), 0, 255).astype(np.uint8)
    _hats_agree(function, image, 7, reference)
    unaltered(function)


@background.check(points=0.25, hint=_HAT)
def never_negative(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Dark spots leave no trace: the result is never negative, and 0 where nothing is bright."""
    image = 255 - _sloped(rng)
    _hats_agree(function, image, 7, reference)


@background.mistake
def _(image: Image, size: int) -> Image:
    """gives back the background (the opening) instead of what is left without it"""
    return np.asarray(ndimage.grey_opening(image.astype(float), size=(size, size)))


@background.mistake
def _(image: Image, size: int) -> Image:
    """keeps dark spots instead of bright ones (black top-hat)"""
    return np.asarray(ndimage.black_tophat(image.astype(float), size=(size, size)))


@background.mistake
def _(image: Image, size: int) -> Image:
    """subtracts the minimum alone, and forgets to take the maximum of it"""
    image = image.astype(float)
    return np.asarray(image - ndimage.minimum_filter(image, size=size))


@background.mistake
def _(image: Image, size: int) -> Image:
    """takes size for the number of pixels on each side of the middle"""
    return reference_background(image, 2 * size + 1)


@background.mistake
def _(image: Image, size: int) -> Image:
    """subtracts the mean of the neighbourhood instead of the opening"""
    image = image.astype(float)
    return np.asarray(image - ndimage.uniform_filter(image, size=size))


@background.mistake
def _(image: Image, size: int) -> Image:
    """subtracts the median of the neighbourhood instead of the opening"""
    image = image.astype(float)
    return np.asarray(image - ndimage.median_filter(image, size=size))


# --- count spots by a difference of Gaussians --------------------------------------------------------------


def reference_spots(image: Image, sigma: float, limit: float) -> int:
    """Count the regions in which a difference of Gaussians is larger than `limit`."""
    image = image.astype(float)
    difference = ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 2 * sigma)
    return int(ndimage.label(difference > limit, structure=np.ones((3, 3)))[1])


spots = Task("Count spots by a difference of Gaussians", reference=reference_spots)
_DOG = "gaussian(image, sigma) - gaussian(image, 2 * sigma) is large on bright spots of about that size."


def _dots(rng: np.random.Generator, number: int, *, sigma: float = 2.0, dark: int = 0) -> Image:
    """Return Gaussian spots, far from each other and the border; some of them are dark."""
    rows, columns = np.mgrid[:96, :96]
    places = rng.permutation([(row, column) for row in (18, 38, 58, 78) for column in (18, 38, 58, 78)])
    image = np.full((96, 96), 120.0)
    for index, (row, column) in enumerate(places[: number + dark]):
        bell = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2))
        image += (100 if index < number else -100) * bell
    return image


@spots.check(points=0.75, hint=_DOG)
def bright_spots(function: Recorder, rng: np.random.Generator) -> None:
    """Bright spots are counted, dark ones are not, and every part of the count is one region."""
    for number, dark in ((3, 5), (9, 2), (16, 0)):
        agree(function(_dots(rng, number, dark=dark), 2, 15), number)


@spots.check(points=0.5, hint=f"{_DOG} A slope has no effect on it, for both blurs give the same.")
def uneven_light(function: Recorder, rng: np.random.Generator) -> None:
    """A background that rises slowly changes nothing, and noise of single pixels does not count."""
    columns = np.mgrid[:96, :96][1]
    image = _dots(rng, 7) + 4.0 * columns
    agree(function(image, 2, 15), 7)
    speckled = image.copy()
    speckled[28 :: int(rng.integers(19, 22)), 28::20] += 120
    agree(function(speckled, 2, 15), 7)


@spots.check(
    points=0.5, hint="The second sigma is twice the first, and the limit is compared with their difference."
)
def size_and_limit(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Sigma and limit decide: too high a limit finds nothing, a lower one finds dim spots as well."""
    image = _dots(rng, 5)
    for sigma, limit in ((2, 1000), (2, 15), (1, 40), (1, 15), (3, 19), (3, 25), (6, 3)):
        agree(function(image, sigma, limit), reference(image, sigma, limit))
    dim = 120 + (_dots(rng, 6) - 120) * 0.3
    for limit in (4, 20):
        agree(function(dim, 2, limit), reference(dim, 2, limit))


@spots.check(
    points=0.25, hint="Begin with image.astype(float); gaussian of scikit-image needs preserve_range=True."
)
def whole_numbers_kept(function: Recorder, rng: np.random.Generator) -> None:
    """It works for uint8 images, and the image is the same afterwards."""
    number = int(rng.integers(4, 12))
    image = np.clip(_dots(rng, number), 0, 255).astype(np.uint8)
    agree(function(image, 2, 15), number)
    unaltered(function)


@spots.mistake
def _(image: Image, sigma: float, limit: float) -> int:
    """subtracts the other way round, so that dark spots are counted"""
    image = image.astype(float)
    difference = ndimage.gaussian_filter(image, 2 * sigma) - ndimage.gaussian_filter(image, sigma)
    return int(ndimage.label(difference > limit, structure=np.ones((3, 3)))[1])


@spots.mistake
def _(image: Image, sigma: float, limit: float) -> int:
    """takes the absolute difference, so that dark spots are counted as well"""
    image = image.astype(float)
    difference = ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 2 * sigma)
    return int(ndimage.label(np.abs(difference) > limit, structure=np.ones((3, 3)))[1])


@spots.mistake
def _(image: Image, sigma: float, limit: float) -> int:
    """compares the blurred image with the limit, and not the difference"""
    blurred = ndimage.gaussian_filter(image.astype(float), sigma)
    return int(ndimage.label(blurred > limit, structure=np.ones((3, 3)))[1])


@spots.mistake
def _(image: Image, sigma: float, limit: float) -> int:
    """counts pixels instead of connected regions"""
    image = image.astype(float)
    difference = ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 2 * sigma)
    return int(np.count_nonzero(difference > limit))


@spots.mistake
def _(image: Image, sigma: float, limit: float) -> int:
    """counts the background as a region, too"""
    return reference_spots(image, sigma, limit) + 1
