"""Makes an image and the expected one small enough for a page, with nothing of their difference lost."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fairmark.compare import NotPlainError, plain_array, write_number
from fairmark.results import MAX_NUMBERS, MAX_PREVIEW, NOT_FINITE, Comparison

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_AROUND = 2  # rows and columns of numbers on each side of the worst pixel
_LEVELS = NOT_FINITE - 1


def preview(actual: object, expected: object, *, inside: int = 0) -> Comparison | None:
    """Return a small comparison of two images of the same shape.

    Parameters
    ----------
    actual, expected : array or nested lists, shape (N,), (M, N) or (..., M, N)
        Real numbers or bools. Of a stack, the slice with the largest difference is shown.
    inside : int
        So many pixels along each border were not looked at: no difference is shown there.

    Returns
    -------
    Comparison or None
        None where there is nothing to show: single numbers, other shapes, complex numbers.
    """
    try:
        given, wanted = plain_array(actual), plain_array(expected)
    except NotPlainError:
        return None
    if given.shape != wanted.shape or given.size < 2 or "c" in given.dtype.kind + wanted.dtype.kind:
        return None
    with np.errstate(all="ignore"):
        return _compare(given.astype(np.float64), wanted.astype(np.float64), inside)


def _compare(given: Array, wanted: Array, inside: int) -> Comparison:
    difference = given - wanted
    difference[(given == wanted) | (np.isnan(given) & np.isnan(wanted))] = 0.0
    looked_at = np.zeros(given.shape, dtype=bool)
    looked_at[tuple(slice(inside, max(size - inside, inside)) for size in given.shape)] = True
    difference[~looked_at] = 0.0
    ranked = np.where(np.isfinite(difference), np.abs(difference), np.inf)
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(ranked)), given.shape))
    planes = [_plane(array, worst) for array in (wanted, given, difference)]
    row, column = (worst if len(worst) > 1 else (0, *worst))[-2:]
    corner, numbers = _numbers_around(planes[0], planes[1], row, column)
    low, high = _range_of(planes[:2])
    span = float(np.max(np.abs(planes[2]), where=np.isfinite(planes[2]), initial=0.0))
    step = max(math.ceil(max(planes[0].shape) / MAX_PREVIEW), 1)
    expected, actual = (_grey(_mean_of_blocks(plane, step), low, high) for plane in planes[:2])
    return Comparison(
        shape=given.shape,
        worst=worst,
        rows=expected.shape[0],
        columns=expected.shape[1],
        low=low,
        high=high,
        span=span,
        expected=_encode(expected),
        actual=_encode(actual),
        difference=_encode(_grey(_largest_of_blocks(planes[2], step), -span, span)),
        corner=corner,
        expected_numbers=numbers[0],
        actual_numbers=numbers[1],
    )


def _plane(array: Array, worst: tuple[int, ...]) -> Array:
    """Return the two-dimensional slice that holds the pixel `worst`."""
    return array[worst[:-2]] if array.ndim > 1 else array[np.newaxis]


def _range_of(planes: list[Array]) -> tuple[float, float]:
    values = np.concatenate([plane[np.isfinite(plane)] for plane in planes])
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _grey(plane: Array, low: float, high: float) -> NDArray[np.uint8]:
    """Return grey levels; a plane of one value is middle grey."""
    if math.isfinite(high - low) and high > low:
        levels = np.rint((plane - low) / (high - low) * _LEVELS)
    else:
        levels = np.where(np.isfinite(plane), _LEVELS / 2, np.nan)
    return np.where(np.isfinite(levels), np.clip(levels, 0, _LEVELS), NOT_FINITE).astype(np.uint8)


def _blocks(plane: Array, step: int, **padding: Any) -> Array:
    rows, columns = (-(-size // step) for size in plane.shape)
    widths = [(0, rows * step - plane.shape[0]), (0, columns * step - plane.shape[1])]
    blocks = np.pad(plane, widths, **padding).reshape(rows, step, columns, step)
    return blocks.swapaxes(1, 2).reshape(rows, columns, step * step)


def _mean_of_blocks(plane: Array, step: int) -> Array:
    return np.asarray(_blocks(plane, step, mode="edge").mean(axis=2))


def _largest_of_blocks(plane: Array, step: int) -> Array:
    """Shrink a difference so that each block shows its largest: a thin wrong border must not fade away."""
    blocks = _blocks(plane, step)
    size = np.where(np.isfinite(blocks), np.abs(blocks), np.inf)
    return np.take_along_axis(blocks, size.argmax(axis=2)[..., np.newaxis], axis=2)[..., 0]


def _numbers_around(
    wanted: Array, given: Array, row: int, column: int
) -> tuple[tuple[int, int], tuple[tuple[tuple[str, ...], ...], ...]]:
    top, left = max(row - _AROUND, 0), max(column - _AROUND, 0)
    window = slice(top, row + _AROUND + 1), slice(left, column + _AROUND + 1)
    assert 2 * _AROUND + 1 <= MAX_NUMBERS  # noqa: S101 - for the reader
    tables = tuple(
        tuple(tuple(write_number(float(value))[:16] for value in line) for line in plane[window])
        for plane in (wanted, given)
    )
    return (top, left), tables


def _encode(levels: NDArray[np.uint8]) -> str:
    return base64.b64encode(levels.tobytes()).decode("ascii")
