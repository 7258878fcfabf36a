"""The functions of the assignment ``images``: references, checks with points, and the usual mistakes.

Images are arrays with the axes (row, column), colour images with (row, column, channel), stacks with
(Z, Y, X). One mistake costs what belongs to it, and whether it is found does not depend on the seed.

The docstring of a check is the title that students read; the docstring of a mistake completes the sentence
"Your result is exactly what comes out when the function …".
"""

# ruff: noqa: D400, D401, D403 - the docstrings are titles and ends of sentences, see above
# ruff: noqa: ARG001 - a mistake has the signature of the function, and may forget an argument

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograder.declaring import expect, expect_arguments_left_alone, refused
from fairmark.checks import Failure, Recorder, Task, agree, image_of

Image = NDArray[Any]
Voxel = tuple[float, float, float]


def _noise(rng: np.random.Generator, *shape: int) -> Image:
    """Return floating-point noise from 0 to 100."""
    return rng.random(shape) * 100


def _bytes(rng: np.random.Generator, *shape: int) -> Image:
    """Return uint8 noise over the whole range."""
    return rng.integers(0, 256, shape, dtype=np.uint8)


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`, both included."""
    return int(rng.integers(low, high + 1))


# --- crop -----------------------------------------------------------------------------------------------


def reference_crop(image: Image, top: int, left: int, height: int, width: int) -> Image:
    """Cut a rectangle out of an image."""
    rows, columns = image.shape[:2]
    if top < 0 or left < 0 or height < 1 or width < 1 or top + height > rows or left + width > columns:
        raise ValueError("the rectangle does not lie in the image")
    return image[top : top + height, left : left + width].copy()


crop = Task("Crop", reference=reference_crop)
_ROWS_FIRST = "An image is image[row, column]: first from top to bottom, then from left to right."

expect(
    crop,
    "squares",
    "A square is cut out at the right place.",
    lambda rng: [(_noise(rng, 17, 23), _between(rng, 5, 7), _between(rng, 9, 11), 4, 4)],
    points=0.5,
    hint=f"{_ROWS_FIRST} A slice is start:stop, and the stop itself does not belong to it.",
)
expect(
    crop,
    "rectangles",
    "Rectangles have the height and the width that were asked for, up to the edge of the image.",
    lambda rng: [
        (_noise(rng, 17, 23), 3, 7, 6, 9),
        (_noise(rng, 9, 12), 0, 0, 9, 12),
        (_noise(rng, 9, 12), 8, 2, 1, 10),
        (_noise(rng, 9, 12), 2, 11, 7, 1),
    ],
    points=0.5,
    hint="rows top to top + height, columns left to left + width",
)
expect(
    crop,
    "colour",
    "Colour images keep their channels.",
    lambda rng: [(_bytes(rng, 14, 19, 3), 2, 8, 5, 5)],
    points=0.25,
    hint="Slice the first two axes and leave the others alone: image[a:b, c:d] does.",
)


@crop.check(points=0.5, hint="if …: raise ValueError('…'), for each of the four sides and for sizes below 1.")
def outside(function: Recorder, rng: np.random.Generator) -> None:
    """A rectangle that does not lie in the image is refused with a ValueError."""
    image = _noise(rng, 8, 11)
    agree(function(image, 1, 2, 3, 4), image[1:4, 2:6], scale=100.0)
    cases = {
        "a rectangle that begins above the image": (-3, 2, 2, 4),
        "a rectangle that begins left of the image": (1, -4, 3, 3),
        "a rectangle that ends below the image": (6, 2, 3, 4),
        "a rectangle that ends right of the image": (1, 8, 3, 4),
        "a rectangle above the image": (-1, 2, 1, 4),
        "a rectangle left of the image": (1, -1, 3, 1),
        "a height of 0": (1, 2, 0, 4),
        "a width of 0": (1, 2, 3, 0),
    }
    for what, place in cases.items():
        refused(function, image, *place, what=what)


expect_arguments_left_alone(crop, lambda rng: [(_noise(rng, 8, 9), 2, 3, 4, 5)], points=0.25)


@crop.mistake
def _(image: Image, top: int, left: int, height: int, width: int) -> Image:
    """takes the first axis for the columns: image[x, y] instead of image[row, column]"""
    return image[left : left + width, top : top + height]


@crop.mistake
def _(image: Image, top: int, left: int, height: int, width: int) -> Image:
    """begins one pixel too late: rows and columns are counted from 0"""
    return image[top + 1 : top + height + 1, left + 1 : left + width + 1]


@crop.mistake
def _(image: Image, top: int, left: int, height: int, width: int) -> Image:
    """begins one pixel too early: rows and columns are counted from 0"""
    return image[max(top - 1, 0) :, max(left - 1, 0) :][:height, :width]


@crop.mistake
def _(image: Image, top: int, left: int, height: int, width: int) -> Image:
    """counts the rows from the bottom of the image, as in a plot"""
    return np.flipud(np.flipud(image)[top : top + height, left : left + width])


@crop.mistake
def _(image: Image, top: int, left: int, height: int, width: int) -> Image:
    """cuts the right rectangle and turns it upside down"""
    return np.flipud(image[top : top + height, left : left + width])


# --- flip -----------------------------------------------------------------------------------------------


def reference_flip(image: Image, direction: str) -> Image:
    """Mirror an image."""
    if direction not in ("left-right", "up-down"):
        raise ValueError("the direction is left-right or up-down")
    return np.flip(image, 1 if direction == "left-right" else 0).copy()


flip = Task("Flip", reference=reference_flip)
_NEGATIVE_STEP = (
    "A slice with step -1 goes backwards: image[::-1] turns the rows, image[:, ::-1] the columns."
)

expect(
    flip,
    "left_right",
    "With left-right, the first column becomes the last one.",
    lambda rng: [(_noise(rng, 6, 9), "left-right"), (_noise(rng, 7, 7), "left-right")],
    points=0.25,
    hint=_NEGATIVE_STEP,
)
expect(
    flip,
    "up_down",
    "With up-down, the first row becomes the last one.",
    lambda rng: [(_noise(rng, 6, 9), "up-down"), (_noise(rng, 7, 7), "up-down")],
    points=0.25,
    hint=_NEGATIVE_STEP,
)
expect(
    flip,
    "colours",
    "Colour images keep the order of their channels.",
    lambda rng: [(_bytes(rng, 6, 6, 3), "left-right"), (_bytes(rng, 6, 6, 3), "up-down")],
    points=0.25,
    hint="Turn only the axis that is meant: image[:, ::-1] and not image[..., ::-1].",
)


@flip.check(points=0.25, hint="An else that raises ValueError catches every word that you do not know.")
def other_words(function: Recorder, rng: np.random.Generator) -> None:
    """Both words work, and any other is refused with a ValueError."""
    image = _noise(rng, 5, 5)
    agree(function(image, "left-right"), image[:, ::-1], scale=100.0)
    agree(function(image, "up-down"), image[::-1], scale=100.0)
    for word in ("diagonal", ""):
        refused(function, image, word, what=f"the direction {word!r}")


@flip.mistake
def _(image: Image, direction: str) -> Image:
    """mixes the two directions up"""
    return np.flip(image, 0 if direction == "left-right" else 1)


@flip.mistake
def _(image: Image, direction: str) -> Image:
    """turns the image by 180 degrees, whatever the direction"""
    return np.flip(image, (0, 1))


@flip.mistake
def _(image: Image, direction: str) -> Image:
    """ignores the direction and always mirrors left and right"""
    return np.flip(image, 1)


@flip.mistake
def _(image: Image, direction: str) -> Image:
    """ignores the direction and always mirrors up and down"""
    return np.flip(image, 0)


@flip.mistake
def _(image: Image, direction: str) -> Image:
    """turns the last axis, which in a colour image is the channel"""
    return np.flip(image, -1 if direction == "left-right" else 0)


# --- subsample ------------------------------------------------------------------------------------------


def reference_subsample(image: Image, step: int) -> Image:
    """Keep every step-th pixel along each axis, beginning with the first."""
    return image[tuple(slice(None, None, step) for _ in image.shape)].copy()


subsample = Task("Subsample", reference=reference_subsample)

expect(
    subsample,
    "values",
    "Every step-th pixel is kept, beginning with the first one.",
    lambda rng: [(_noise(rng, 12, 18), 3)],
    points=0.75,
    hint="A slice is start:stop:step; with image[::3, ::3] every third row and column is left.",
)
expect(
    subsample,
    "odd_sizes",
    "It works where the size of the image is no multiple of the step, and for a step of 1.",
    lambda rng: [(_noise(rng, 11, 16), 4), (_noise(rng, 5, 6), 1), (_noise(rng, 5, 9), 6)],
    points=0.5,
    hint="Let the slice find its own end: image[::step] needs no stop.",
)
expect(
    subsample,
    "stack",
    "In a stack the slices are subsampled, too.",
    lambda rng: [(_noise(rng, 6, 8, 10), 2)],
    points=0.5,
    hint="tuple(slice(None, None, step) for _ in image.shape) indexes any number of axes.",
)
expect_arguments_left_alone(subsample, lambda rng: [(_bytes(rng, 9, 9), 2)], points=0.25)


@subsample.mistake
def _(image: Image, step: int) -> Image:
    """averages blocks of pixels (binning) instead of picking one pixel of each"""
    result = image.astype(float)
    for axis, size in enumerate(image.shape):
        starts = np.arange(0, size, step)
        counts = np.diff(np.append(starts, size)).reshape([-1 if i == axis else 1 for i in range(image.ndim)])
        result = np.add.reduceat(result, starts, axis) / counts
    return result


@subsample.mistake
def _(image: Image, step: int) -> Image:
    """keeps the first pixels in each direction, which crops the image instead of subsampling it"""
    return image[tuple(slice(-(-size // step)) for size in image.shape)]


@subsample.mistake
def _(image: Image, step: int) -> Image:
    """keeps the last pixel of each block instead of the first"""
    return np.pad(image, [(0, -size % step) for size in image.shape], mode="edge")[
        tuple(slice(step - 1, None, step) for _ in image.shape)
    ]


@subsample.mistake
def _(image: Image, step: int) -> Image:
    """keeps the largest pixel of each block"""
    result = image
    for axis, size in enumerate(image.shape):
        result = np.maximum.reduceat(result, np.arange(0, size, step), axis)
    return result


# --- contrast -------------------------------------------------------------------------------------------


def reference_stretch(image: Image, low: float, high: float) -> Image:
    """Map the percentiles `low` and `high` to 0 and 1, and cut off what lies beyond."""
    dark, bright = np.percentile(image, [low, high])
    if bright == dark:
        return np.zeros(image.shape)
    return np.asarray(np.clip((image.astype(float) - dark) / (bright - dark), 0, 1))


stretch = Task("Percentile contrast", reference=reference_stretch)
_STRETCH = "(image - dark) / (bright - dark) maps dark to 0 and bright to 1; dark and bright are percentiles."


def _spiky(rng: np.random.Generator, *shape: int) -> Image:
    """Return noise with a few pixels that are far too bright and far too dark."""
    image = 100 + _noise(rng, *shape)
    image.flat[:3] = 5000
    image.flat[-3:] = -5000
    return np.asarray(rng.permutation(image.ravel()).reshape(shape))


expect(
    stretch,
    "whole_range",
    "With the percentiles 0 and 100, the smallest value becomes 0 and the largest one 1.",
    lambda rng: [(50 + _noise(rng, 12, 15), 0, 100)],
    points=0.5,
    hint=_STRETCH,
)
expect(
    stretch,
    "percentiles",
    "A few pixels that are far too bright or too dark do not spoil the contrast.",
    lambda rng: [(_spiky(rng, 20, 24), 2, 98), (_spiky(rng, 20, 24), 5, 90)],
    points=0.75,
    hint="np.percentile(image, low) takes per cent, from 0 to 100; afterwards cut off with np.clip(…, 0, 1).",
)
expect(
    stretch,
    "whole_numbers",
    "Images of uint8 do not wrap around, and the result has digits behind the point.",
    lambda rng: [(_bytes(rng, 16, 20), 10, 80)],
    points=0.5,
    hint="Begin with image.astype(float): in uint8, 10 - 20 is 246.",
)
expect(
    stretch,
    "stack",
    "A stack is stretched as a whole: all slices share the same two percentiles.",
    lambda rng: [(_noise(rng, 3, 8, 9) * np.array([0.2, 1, 3]).reshape(3, 1, 1), 1, 99)],
    points=0.5,
    hint="np.percentile(image, low) without an axis looks at all values at once.",
)


@stretch.check(points=0.5, hint="if bright == dark: return np.zeros(image.shape)")
def flat(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """A flat image becomes black, and not nan; another one does not."""
    image = _noise(rng, 6, 7)
    agree(function(image, 0, 100), reference(image, 0, 100), scale=1.0)
    for value in (0.0, float(rng.integers(20, 90))):
        agree(image_of(function(np.full((4, 5), value), 1, 99), (4, 5)), np.zeros((4, 5)), scale=1.0)


expect_arguments_left_alone(stretch, lambda rng: [(_noise(rng, 9, 10), 3, 97)], points=0.25)


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """does not cut off what is darker than the low and brighter than the high percentile"""
    dark, bright = np.percentile(image, [low, high])
    return np.asarray((image.astype(float) - dark) / (bright - dark))


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """uses the smallest and the largest value instead of the percentiles"""
    return reference_stretch(image, 0, 100)


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """takes per cent for parts: np.quantile counts from 0 to 1, np.percentile from 0 to 100"""
    return reference_stretch(image, low / 100, high / 100)


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """divides by the high percentile alone, and not by the difference of both"""
    dark, bright = np.percentile(image, [low, high])
    return np.asarray(np.clip((image.astype(float) - dark) / bright, 0, 1))


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """cuts off at the percentiles, but does not map what is left to the range from 0 to 1"""
    dark, bright = np.percentile(image, [low, high])
    return np.asarray(np.clip(image.astype(float), dark, bright))


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """maps to the range from 0 to 255 instead of 0 to 1"""
    return reference_stretch(image, low, high) * 255


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """turns the contrast round: bright becomes dark"""
    return np.asarray(1 - reference_stretch(image, low, high))


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """sets what lies beyond the percentiles to 0, the far too bright pixels as well"""
    dark, bright = np.percentile(image, [low, high])
    result = (image.astype(float) - dark) / (bright - dark)
    return np.where((result < 0) | (result > 1), 0, result)


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """stretches each slice of a stack for itself"""
    if image.ndim != 3:
        return reference_stretch(image, low, high)
    return np.stack([reference_stretch(part, low, high) for part in image])


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """subtracts in the image's own dtype, where dark pixels wrap around"""
    dark, bright = np.percentile(image, [low, high])
    if image.dtype != np.uint8:
        return reference_stretch(image, low, high)
    difference = image - np.uint8(dark)
    return np.asarray(np.clip(difference / (bright - dark), 0, 1))


@stretch.mistake
def _(image: Image, low: float, high: float) -> Image:
    """writes the result into whole numbers, where nothing but 0 and 1 is left"""
    return np.floor(reference_stretch(image, low, high))


# --- project --------------------------------------------------------------------------------------------

AXES = ("Z", "Y", "X")
_WAYS = {"max": np.max, "mean": np.mean, "min": np.min}


def reference_project(stack: Image, axis: str, method: str) -> Image:
    """Look through a stack along one of its axes."""
    if axis not in AXES or method not in _WAYS:
        raise ValueError("the axis is Z, Y or X, the method is max, mean or min")
    return np.asarray(_WAYS[method](stack, axis=AXES.index(axis)))


project = Task("Projection of a stack", reference=reference_project)
_AXIS = "In a stack (Z, Y, X), Z is axis 0, Y is axis 1, X is axis 2; the axis that you name disappears."


def _cases_of(*methods: str) -> Any:
    """Return cases for all axes: a cube, so that a mixed-up axis has the right shape, and a block."""
    return lambda rng: [
        (_noise(rng, *shape), axis, method)
        for shape in ((6, 6, 6), (3, 5, 8))
        for method in methods
        for axis in AXES
    ]


expect(
    project,
    "brightest",
    "With max, the brightest value along the axis is kept, for each of Z, Y and X.",
    _cases_of("max"),
    points=0.75,
    hint=_AXIS,
)
expect(
    project,
    "averages",
    "With mean, the values along the axis are averaged.",
    _cases_of("mean"),
    points=0.5,
    hint=f"{_AXIS} np.mean(stack, axis=…) divides by the length of that axis.",
)
expect(
    project,
    "darkest",
    "With min, the darkest value along the axis is kept.",
    _cases_of("min"),
    points=0.5,
    hint=_AXIS,
)
expect(
    project,
    "whole_numbers",
    "The mean of a stack of uint8 has digits behind the point, and does not wrap around.",
    lambda rng: [(_bytes(rng, 7, 6, 5), axis, "mean") for axis in AXES],
    points=0.5,
    hint="np.mean computes in float by itself; your own sums need stack.astype(float) first.",
)


@project.check(
    points=0.75, hint="Look the words up in a dictionary or a tuple, and raise ValueError otherwise."
)
def unknown_words(function: Recorder, rng: np.random.Generator) -> None:
    """A stack is projected, and an unknown axis or method is refused with a ValueError."""
    stack = _noise(rng, 4, 4, 4)
    agree(function(stack, "Y", "max"), stack.max(axis=1), scale=100.0)
    agree(function(stack, "Y", "mean"), stack.mean(axis=1), scale=100.0)
    refused(function, stack, "T", "max", what="the axis 'T'")
    refused(function, stack, "Z", "median", what="the method 'median'")


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """counts the axes in the order X, Y, Z instead of Z, Y, X"""
    return reference_project(stack, {"X": "Z", "Y": "Y", "Z": "X"}[axis], method)


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """looks along Z, whatever axis was asked for"""
    return reference_project(stack, "Z", method)


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """mixes up Y and X"""
    return reference_project(stack, {"X": "Y", "Y": "X", "Z": "Z"}[axis], method)


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """mixes up Z and Y"""
    return reference_project(stack, {"X": "X", "Y": "Z", "Z": "Y"}[axis], method)


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """takes the maximum, whatever method was asked for"""
    return reference_project(stack, axis, "max")


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """adds the values up where the mean was asked for"""
    if method != "mean":
        return reference_project(stack, axis, method)
    return np.asarray(stack.astype(float).sum(axis=AXES.index(axis)))


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """divides without a remainder, so that the mean loses its digits behind the point"""
    return (
        np.floor(reference_project(stack, axis, method))
        if method == "mean"
        else reference_project(stack, axis, method)
    )


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """takes the median where the mean was asked for"""
    if method != "mean":
        return reference_project(stack, axis, method)
    return np.asarray(np.median(stack, axis=AXES.index(axis)))


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """mixes up the darkest and the brightest value"""
    return reference_project(stack, axis, {"max": "min", "min": "max"}.get(method, method))


@project.mistake
def _(stack: Image, axis: str, method: str) -> Image:
    """picks the slice in the middle instead of looking through the whole stack"""
    number = AXES.index(axis)
    return np.asarray(stack.take(stack.shape[number] // 2, axis=number))


# --- side view ------------------------------------------------------------------------------------------


def reference_side_view(stack: Image, voxel_size: Voxel) -> Image:
    """Look at a stack from the front (along Y), with pixels that are square again."""
    times = max(1, int(voxel_size[0] / voxel_size[2] + 0.5))
    return np.repeat(stack.max(axis=1), times, axis=0)


side_view = Task("Side view of an anisotropic stack", reference=reference_side_view)
_TIMES = "Each row is repeated int(voxel_size[0] / voxel_size[2] + 0.5) times."

expect(
    side_view,
    "isotropic",
    "With voxels of equal sides, the view is the maximum along Y.",
    lambda rng: [(_noise(rng, 6, 6, 6), (0.5, 0.5, 0.5)), (_noise(rng, 4, 7, 9), (2.0, 2.0, 2.0))],
    points=0.5,
    hint="stack.max(axis=1) looks along Y; the rows of the result are Z, its columns X.",
)
expect(
    side_view,
    "slices_far_apart",
    "Each row is repeated as often as the distance of the slices is larger than that of the pixels.",
    lambda rng: [(_noise(rng, 5, 5, 5), (3.0, 1.0, 1.0)), (_noise(rng, 3, 6, 8), (1.0, 0.25, 0.25))],
    points=0.75,
    hint=f"{_TIMES} np.repeat(view, times, axis=0) does it.",
)
expect(
    side_view,
    "rounding",
    "The ratio is rounded to the nearest whole number, but never below 1.",
    lambda rng: [
        (_noise(rng, 4, 5, 6), voxel) for voxel in ((1.7, 1.0, 1.0), (1.2, 0.5, 0.5), (0.3, 1.0, 1.0))
    ],
    points=0.5,
    hint=f"{_TIMES} max(1, …) keeps at least one row.",
)
expect(
    side_view,
    "sides_differ",
    "What counts is the size of a voxel along Z and X; the one along Y does not show.",
    lambda rng: [(_noise(rng, 4, 5, 6), (2.0, 0.5, 1.0))],
    points=0.25,
    hint="The view has the axes Z and X; Y points at you. voxel_size is (Z, Y, X).",
)


@side_view.mistake
def _(stack: Image, voxel_size: Voxel) -> Image:
    """repeats the whole view (np.tile) instead of each row"""
    times = max(1, int(voxel_size[0] / voxel_size[2] + 0.5))
    return np.tile(stack.max(axis=1), (times, 1))


@side_view.mistake
def _(stack: Image, voxel_size: Voxel) -> Image:
    """looks along X instead of Y"""
    times = max(1, int(voxel_size[0] / voxel_size[2] + 0.5))
    return np.repeat(stack.max(axis=2), times, axis=0)


@side_view.mistake
def _(stack: Image, voxel_size: Voxel) -> Image:
    """looks along Z instead of Y"""
    times = max(1, int(voxel_size[0] / voxel_size[2] + 0.5))
    return np.repeat(stack.max(axis=0), times, axis=0)


@side_view.mistake
def _(stack: Image, voxel_size: Voxel) -> Image:
    """averages along Y instead of keeping the brightest value"""
    times = max(1, int(voxel_size[0] / voxel_size[2] + 0.5))
    return np.repeat(stack.mean(axis=1), times, axis=0)


@side_view.mistake
def _(stack: Image, voxel_size: Voxel) -> Image:
    """shows the first slice at the bottom"""
    return np.flipud(reference_side_view(stack, voxel_size))


@side_view.mistake
def _(stack: Image, voxel_size: Voxel) -> Image:
    """swaps the axes of the view: its rows are X and its columns Z"""
    return reference_side_view(stack, voxel_size).T


# --- volume ---------------------------------------------------------------------------------------------


def reference_volume(mask: Image, voxel_size: Voxel) -> float:
    """Return the volume of an object."""
    return float(np.count_nonzero(mask) * np.prod(voxel_size))


volume = Task("Volume of an object", reference=reference_volume)
_VOXEL = "The volume of one voxel is the product of its three sides."


def _block(rng: np.random.Generator) -> Image:
    """Return a mask in which 131 voxels of 432 are True: an odd number, so that no size hides a cut."""
    return rng.permutation(np.arange(6 * 9 * 8) < 131).reshape(6, 9, 8)


expect(
    volume,
    "unit_voxels",
    "With voxels of 1 µm the volume is the number of voxels.",
    lambda rng: [(_block(rng), (1.0, 1.0, 1.0))],
    points=0.5,
    hint="np.count_nonzero(mask), or mask.sum() for a mask of bools, counts what is True.",
)
expect(
    volume,
    "anisotropic_voxels",
    "The three sides of a voxel may be different, and all of them count.",
    lambda rng: [(_block(rng), (2.0, 0.5, 0.3)), (_block(rng), (0.25, 0.4, 1.5))],
    points=0.75,
    hint=_VOXEL,
)
expect(
    volume,
    "whole_numbers",
    "A mask of whole numbers counts every voxel once that is not 0.",
    lambda rng: [((_block(rng) * 255).astype(np.uint8), (1.0, 0.5, 0.3)), (_block(rng) * 7, (2.0, 1.0, 0.7))],
    points=0.5,
    hint="Many programs write masks with 0 and 255. mask != 0 makes bools of any mask.",
)


@volume.check(points=0.25, hint="The sum over nothing is 0; that needs no special case.")
def empty(function: Recorder, rng: np.random.Generator) -> None:
    """An empty mask has no volume, and a full one that of the whole stack."""
    sides = (1.5, 0.5, float(rng.integers(2, 6)))
    expected = 24 * sides[0] * sides[1] * sides[2]
    agree(function(np.ones((2, 3, 4), dtype=bool), sides), expected)
    result = function(np.zeros((2, 3, 4), dtype=bool), sides)
    if not (isinstance(result, int | float | np.number) and result == 0):
        raise Failure("The volume of an empty mask has to be the number 0.")


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """counts the voxels and forgets their size"""
    return float(np.count_nonzero(mask))


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """takes voxels for cubes with the side along X"""
    return float(np.count_nonzero(mask) * voxel_size[2] ** 3)


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """takes voxels for cubes with the side along Z"""
    return float(np.count_nonzero(mask) * voxel_size[0] ** 3)


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """adds the sides of a voxel instead of multiplying them"""
    return float(np.count_nonzero(mask) * sum(voxel_size))


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """counts the background instead of the object"""
    return float(np.count_nonzero(mask == 0) * np.prod(voxel_size))


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """adds up the grey values of the mask instead of counting its voxels"""
    return float(mask.astype(float).sum() * np.prod(voxel_size))


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """multiplies by the area of a pixel alone, and not by the distance of the slices"""
    return float(np.count_nonzero(mask) * voxel_size[1] * voxel_size[2])


@volume.mistake
def _(mask: Image, voxel_size: Voxel) -> float:
    """gives the volume of the whole stack"""
    return float(mask.size * np.prod(voxel_size))
