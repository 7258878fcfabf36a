"""Draws the pictures of questions: run ``python -m autograder.pictures`` to make them anew.

It lies here because it says which filter made which picture, and that is the key. The files are named after
their question, and numbers stand above the panels. Every image is one that scikit-image ships, or made here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage import data
from skimage.filters import gaussian, threshold_otsu

if TYPE_CHECKING:
    from collections.abc import Callable

Panel = NDArray[Any]

SOURCE = Path(__file__).parents[1] / "source"
_GAP = 14
_DIGITS = {  # 5 rows of 3 pixels
    "1": "010110010010111",
    "2": "110001010100111",
    "3": "110001010001110",
    "4": "101101111001001",
    "5": "111100110001110",
    "6": "011100111101111",
}


def _digit(character: str, scale: int = 3) -> Panel:
    """Return a digit, 1 where it is drawn."""
    bits = np.array([int(bit) for bit in _DIGITS[character]]).reshape(5, 3)
    return np.kron(bits, np.ones((scale, scale), dtype=int))


def _grey(image: Panel, low: float | None = None, high: float | None = None) -> Panel:
    """Map an image to uint8, by default from its smallest to its largest value."""
    image = image.astype(float)
    low = float(image.min()) if low is None else low
    high = float(image.max()) if high is None else high
    scaled = np.clip((image - low) / max(high - low, 1e-9), 0, 1)
    return np.round(scaled * 255).astype(np.uint8)


def _enlarge(image: Panel, times: int) -> Panel:
    """Repeat every pixel, so that it can be seen."""
    return np.kron(image, np.ones((times, times), dtype=image.dtype))


def _row(*panels: Panel, first_is_plain: bool = True) -> Panel:
    """Put panels side by side on white, with numbers above them; the first one is the image itself."""
    height = max(panel.shape[0] for panel in panels)
    width = sum(panel.shape[1] for panel in panels) + _GAP * (len(panels) + 1)
    sheet = np.full((height + 2 * _GAP + 18, width), 255, dtype=np.uint8)
    left = _GAP
    for number, panel in enumerate(panels, start=0 if first_is_plain else 1):
        top = _GAP + 18
        sheet[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
        if number:
            digit = _digit(str(number))
            middle = left + panel.shape[1] // 2 - digit.shape[1] // 2
            place = sheet[_GAP : _GAP + digit.shape[0], middle : middle + digit.shape[1]]
            place[digit == 1] = 30
        left += panel.shape[1] + _GAP
    return sheet


# --- images ---------------------------------------------------------------------------------------------


def one_image_four_versions() -> Panel:
    """Show a part of a photo and what four ways of indexing make of it."""
    photo = data.camera()[60:188, 150:278]
    return _row(photo, photo[:, ::-1], _enlarge(photo[::8, ::8], 8), photo.T, photo[::-1])


def three_contrasts() -> Panel:
    """Show one image with three pairs of percentiles."""
    image = data.coins()[60:230, 180:360].astype(float)
    rng = np.random.default_rng(7)
    image.flat[rng.permutation(image.size)[:12]] = 1200
    pairs = ((0, 100), (25, 75), (1, 99))
    return _row(*(_grey(image, *np.percentile(image, pair)) for pair in pairs), first_is_plain=False)


def one_stack_three_projections() -> Panel:
    """Look at a stack from three sides: a long rod along X, a disc, and a ball."""
    z, y, x = np.mgrid[:60, :90, :120]
    rod = ((z - 12) ** 2 + (y - 20) ** 2 < 25) & (x > 15) & (x < 105)
    disc = ((y - 60) ** 2 + (x - 35) ** 2 < 400) & (np.abs(z - 30) < 3)
    ball = (z - 44) ** 2 + (y - 62) ** 2 + (x - 92) ** 2 < 144
    stack = 140 * rod + 255 * disc + 200 * ball
    views = [stack.max(axis=axis).astype(np.uint8) for axis in (1, 0, 2)]
    return _row(*views, first_is_plain=False)


def stripes_and_every_third_pixel() -> Panel:
    """Show fine stripes, and two ways to make the image smaller."""
    rows, columns = np.mgrid[:180, :180]
    stripes = 127.5 + 120 * np.sin(2 * np.pi * (0.29 * columns + 0.05 * rows))
    smooth = ndimage.gaussian_filter(stripes, 1.6, mode="reflect")
    small = [_enlarge(_grey(image[::3, ::3], 0, 255), 3) for image in (stripes, smooth)]
    return _row(_grey(stripes, 0, 255), *small)


# --- segmentation ---------------------------------------------------------------------------------------


def _cells(noise: float) -> Panel:
    """Return round cells of different brightness on a dark ground, some of them close together."""
    rng = np.random.default_rng(11)
    rows, columns = np.mgrid[:170, :170]
    image = np.full(rows.shape, 30.0)
    places = ((30, 30), (34, 84), (28, 135), (84, 26), (80, 62), (92, 120), (138, 40), (132, 90), (134, 126))
    for (row, column), bright in zip(places, rng.permutation(np.linspace(110, 190, 9)), strict=True):
        image[(rows - row) ** 2 + (columns - column) ** 2 < rng.integers(13, 17) ** 2] = bright
    return gaussian(image, 1.5, preserve_range=True) + rng.normal(0, noise, rows.shape)


def three_masks() -> Panel:
    """Show a noisy image and its masks: not blurred, blurred enough, blurred far too much."""
    image = _cells(noise=45)
    masks = []
    for sigma in (9, 0, 2.5):
        blurred = gaussian(image, sigma, preserve_range=True) if sigma else image
        masks.append(_grey(blurred > threshold_otsu(blurred)))
    return _row(_grey(image, 0, 255), *masks)


def one_image_three_thresholds() -> Panel:
    """Show a quiet image and its masks with a threshold that is too low, Otsu's, and one that is too high."""
    image = _cells(noise=9)
    masks = [_grey(image > threshold) for threshold in (150, 40, float(threshold_otsu(image)))]
    return _row(_grey(image, 0, 255), *masks)


# --- restoring ------------------------------------------------------------------------------------------


def _coin() -> Panel:
    """Return a part of a photo of coins, as floats."""
    return data.coins()[10:126, 25:141].astype(float)


def four_faults() -> Panel:
    """Show one image with four faults: outliers, Gaussian noise, uneven light, a blur."""
    image = _coin()
    rng = np.random.default_rng(21)
    luck = rng.random(image.shape)
    outliers = np.where(luck < 0.03, 0, np.where(luck > 0.97, 255, image))
    slope = image * np.linspace(0.25, 1.5, image.shape[1])
    faults = (
        image + rng.normal(0, 30, image.shape),
        slope,
        outliers,
        gaussian(image, 3, preserve_range=True),
    )
    return _row(*(_grey(fault, 0, 255) for fault in (image, *faults)))


def five_results() -> Panel:
    """Show one image and what five filters make of it."""
    image = _coin()
    blurred = [ndimage.gaussian_filter(image, sigma) for sigma in (2, 6)]
    results = (
        ndimage.white_tophat(image, size=9),
        ndimage.gaussian_filter(image, 3),
        ndimage.generic_gradient_magnitude(image, ndimage.sobel),
        blurred[0] - blurred[1],
        ndimage.maximum_filter(image, 9),
    )
    return _row(_grey(image, 0, 255), *(_grey(result, *np.percentile(result, (1, 99))) for result in results))


def three_repairs() -> Panel:
    """Show an image with salt and pepper, and three filters that are meant to help."""
    image = _coin()
    luck = np.random.default_rng(5).random(image.shape)
    speckled = np.where(luck < 0.05, 0, np.where(luck > 0.95, 255, image))
    repairs = (
        ndimage.uniform_filter(speckled, 3),
        ndimage.minimum_filter(speckled, 3),
        ndimage.median_filter(speckled, 3),
    )
    return _row(*(_grey(part, 0, 255) for part in (speckled, *repairs)))


def two_borders() -> Panel:
    """Show one bright image after the same blur with two borders."""
    image = 120 + 0.5 * _coin()
    blurred = [ndimage.gaussian_filter(image, 5, mode=mode) for mode in ("constant", "reflect")]
    return _row(*(_grey(part, 0, 255) for part in (image, *blurred)))


def spots_of_two_sizes() -> Panel:
    """Show small and large spots on a slope, and two differences of Gaussians."""
    rows, columns = np.mgrid[:120, :120]
    image = 0.5 * columns
    for row, column, size in ((25, 25, 2), (60, 40, 8), (30, 85, 8), (95, 20, 2), (90, 75, 2), (100, 100, 8)):
        image = image + 100 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * size**2))
    differences = [
        ndimage.gaussian_filter(image, low) - ndimage.gaussian_filter(image, high)
        for low, high in ((6, 12), (1.5, 3))
    ]
    return _row(_grey(image), *(_grey(np.clip(part, 0, None)) for part in differences))


PICTURES: dict[str, Callable[[], Panel]] = {
    "images/pictures/one_image_four_versions.png": one_image_four_versions,
    "images/pictures/three_contrasts.png": three_contrasts,
    "images/pictures/one_stack_three_projections.png": one_stack_three_projections,
    "images/pictures/stripes_made_smaller.png": stripes_and_every_third_pixel,
    "segmentation/pictures/one_image_three_masks.png": three_masks,
    "segmentation/pictures/three_more_masks.png": one_image_three_thresholds,
    "filters/pictures/one_image_four_faults.png": four_faults,
    "filters/pictures/one_image_five_results.png": five_results,
    "filters/pictures/one_image_three_repairs.png": three_repairs,
    "filters/pictures/one_image_two_borders.png": two_borders,
    "filters/pictures/spots_of_two_sizes.png": spots_of_two_sizes,
}


def draw() -> None:
    """Write all pictures."""
    for name, make in PICTURES.items():
        path = SOURCE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make()).save(path, optimize=True)


if __name__ == "__main__":
    draw()
