"""Says in plain words how a value differs from the one that was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DifferenceKind = Literal["type", "shape", "dtype", "nan", "value"]

MAX_DEPTH = 8
MAX_ITEMS = 1_000_000
_TINY = 1e-12  # what counts as nothing where no scale is known
_PLAIN = (bool, int, float, complex)
_CONTAINERS = (str, bytes, list, tuple, dict, set, frozenset)
_SCALARS = frozenset(np.sctypeDict.values())
_AXES = {1: ("position",), 2: ("row", "column"), 3: ("slice", "row", "column")}


class NotPlainError(TypeError):
    """A value is neither an array of numbers nor a number; the message names what it is."""


@dataclass(frozen=True, slots=True)
class Pixel:
    """One pixel with the value that was expected there and the one that is there.

    Parameters
    ----------
    index : tuple of int
        Counted from 0; row and column of an image, slice, row and column of a stack.
    """

    index: tuple[int, ...]
    expected: complex
    actual: complex

    def __str__(self) -> str:
        """Tell the place and both values."""
        expected, actual = (write_number(value) for value in (self.expected, self.actual))
        if expected == actual:  # they differ only in the far digits
            expected, actual = (write_number(value, 10) for value in (self.expected, self.actual))
        place = f"{_place(self.index)}: " if self.index else ""
        return f"{place}expected {expected}, yours is {actual}"


@dataclass(frozen=True, slots=True)
class Difference:
    """How a value differs from the expected one.

    Parameters
    ----------
    kind : {"type", "shape", "dtype", "nan", "value"}
        The first thing that differs, in this order.
    message : str
        One or two sentences for a student.
    wrong, total : int
        How many pixels differ, of how many that were looked at.
    border : int or None
        Width of the frame that holds all wrong pixels; None where the inner pixels are wrong, too.
    lean : {"", "too dark", "too bright"}
        Said where all wrong pixels lie on the same side of the expected values.
    worst : Pixel or None
        The pixel that is furthest off.
    """

    kind: DifferenceKind
    message: str
    wrong: int = 0
    total: int = 0
    border: int | None = None
    lean: Literal["", "too dark", "too bright"] = ""
    worst: Pixel | None = None

    def __str__(self) -> str:
        """Return the message."""
        return self.message


def is_array(value: object) -> TypeGuard[Array]:
    """Tell whether `value` is an array; unlike `isinstance`, this does not believe its ``__class__``."""
    return issubclass(type(value), np.ndarray)


def is_number(value: object) -> bool:
    """Tell whether `value` is a number or a bool of Python's or numpy's, and of no class of its own."""
    return type(value) in _PLAIN or type(value) in _SCALARS


def is_plain(value: object) -> bool:
    """Tell whether what `value` has for methods is Python's and numpy's, and not of whoever made it."""
    return is_array(value) or is_number(value) or type(value) in _CONTAINERS or value is None


def class_name(value: object) -> str:
    """Return the name of an object's class as short, printable text, without asking the class."""
    name: str = type.__dict__["__name__"].__get__(type(value))  # a metaclass cannot hide this one
    return "".join(char for char in name if char.isprintable())[:60]


def plain_array(value: object) -> Array:
    """Return `value` as a plain array of numbers or bools, without asking the value itself.

    Accepts arrays (subclasses lose their class), numpy scalars, Python's numbers, and lists or tuples of
    these. Methods of `value` are never called, so a class cannot pretend to be something else.

    Raises
    ------
    NotPlainError
        For everything else; the message says what it is.
    """
    if is_array(value) or type(value) in _SCALARS:
        array = np.asarray(value)
    elif type(value) in (list, tuple):
        array = _array_from_list(value)
    elif type(value) in _PLAIN:
        array = _array_of_numbers(value)
    else:
        raise NotPlainError(_name(value))
    if array.dtype.kind not in "biufc":
        raise NotPlainError(f"an array of dtype {array.dtype.name[:40]}, which holds no plain numbers")
    return array


def compare(
    actual: object,
    expected: object,
    *,
    inside: int = 0,
    rtol: float = 1e-5,
    scale: float | None = None,
) -> Difference | None:
    """Compare `actual` with `expected` and say how it differs.

    Parameters
    ----------
    actual : object
        What the student has. Only plain arrays, numbers, lists, texts and None are looked into.
    expected : array, number, bool, list, str or None
        What it should be.
    inside : int
        So many pixels along each border are not looked at.
    rtol : float
        Allowed difference as a part of `scale`; the default lets float32 results and other orders of
        summation pass.
    scale : float, optional
        Usually the range of the image that the values came from; by default the largest absolute value
        of `expected`.

    Returns
    -------
    Difference or None
        None where both are equal within the tolerance. Whole and floating-point numbers of the same value
        are equal; bools and numbers are not.
    """
    if expected is None or isinstance(expected, str):
        return _compare_exactly(actual, expected)
    wanted = plain_array(expected)
    try:
        given = plain_array(actual)
    except NotPlainError as error:
        return Difference("type", f"{_sentence_start(wanted)}, but the result is {error}.{_advice(actual)}")
    difference = _compare_frames(actual, given, expected, wanted)
    if difference is not None:
        return difference
    edge = tuple(slice(inside, max(size - inside, inside)) for size in wanted.shape)
    with np.errstate(all="ignore"):
        return _compare_values(given[edge], wanted[edge], inside, rtol, scale)


def distance(actual: object, expected: object) -> float:
    """Return the largest absolute difference of two arrays: infinite where they cannot be compared.

    Raises
    ------
    NotPlainError
        Where one of both holds no plain numbers.
    """
    given, wanted = plain_array(actual), plain_array(expected)
    if given.shape != wanted.shape:
        return float("inf")
    if not given.size:
        return 0.0
    with np.errstate(all="ignore"):
        far = np.abs(given * 1.0 - wanted * 1.0)
    largest = float(far.max())
    if largest < float("inf"):
        return largest
    alike = (given == wanted) | (np.isnan(given) & np.isnan(wanted))
    return float(np.where(alike, 0.0, np.where(np.isnan(far), np.inf, far)).max())


def _compare_exactly(actual: object, expected: str | None) -> Difference | None:
    """Compare texts and None, where only the very same will do."""
    if type(actual) is type(expected) and actual == expected:
        return None
    what = "None" if expected is None else "another text" if type(actual) is str else "a text"
    found = "" if type(actual) is str and expected is not None else f", but the result is {_name(actual)}"
    return Difference("type" if found else "value", f"Expected {what}{found}.")


def _compare_frames(actual: object, given: Array, expected: object, wanted: Array) -> Difference | None:
    """Compare all that surrounds the values: type, shape and the kind of dtype."""
    if isinstance(expected, np.ndarray) and wanted.ndim and type(actual) in (list, tuple):
        words = f"{_sentence_start(wanted)}, but the result is {_name(actual)}: use np.array(...) on it."
        return Difference("type", words)
    if given.shape != wanted.shape:
        if not given.ndim or not wanted.ndim:
            found = f"an array of shape {given.shape}" if given.ndim else "a single number"
            return Difference("shape", f"{_sentence_start(wanted)}, but the result is {found}.")
        words = f"Expected the shape {wanted.shape}, but the result has the shape {given.shape}"
        return Difference("shape", f"{words}{_explain_shape(given.shape, wanted.shape)}.")
    if _family(given) != _family(wanted) and not (_family(given) == "numbers" and wanted.dtype.kind == "c"):
        words = (
            f"Expected {_family(wanted)}, but the result holds {_family(given)} (dtype {given.dtype.name})."
        )
        return Difference("dtype", words)
    return None


def _compare_values(
    given: Array, wanted: Array, inside: int, rtol: float, scale: float | None
) -> Difference | None:
    """Compare two arrays of one shape, value by value."""
    wide = np.complex128 if "c" in (given.dtype.kind, wanted.dtype.kind) else np.float64
    own = given, wanted  # True and False are told as such
    given, wanted = given.astype(wide), wanted.astype(wide)
    stray = np.isnan(given) & ~np.isnan(wanted)
    if stray.any():
        first = tuple(int(i) + inside for i in np.argwhere(stray)[0])
        words = f"{_count(int(stray.sum()), stray)} NaN (not a number)"
        words += f", the first at {_place(first)}" if first else ""
        return Difference("nan", f"{words}.", int(stray.sum()), stray.size)
    finite = np.abs(wanted[np.isfinite(wanted)])
    if scale is None:
        scale = float(finite.max()) if finite.size else 0.0
    same = (given == wanted) | (np.isnan(given) & np.isnan(wanted))
    far = np.where(same, 0.0, np.abs(given - wanted))
    # written as "not small", so that what cannot be compared (infinite, NaN) counts as wrong
    wrong = ~same & ~(far <= max(rtol * scale, _TINY))
    if not wrong.any():
        return None
    return _describe(*own, wrong, far, inside)


def _describe(given: Array, wanted: Array, wrong: Array, far: Array, inside: int) -> Difference:
    """Put into words which pixels are wrong, and how."""
    ranked = np.where(wrong, np.where(np.isnan(far), np.inf, far), -1.0)
    at = np.unravel_index(int(np.argmax(ranked)), wrong.shape)
    index = tuple(int(i) + inside for i in at)
    worst = Pixel(index, wanted[at].item(), given[at].item())
    if not wrong.ndim:
        return Difference("value", f"E{str(worst)[1:]}.", 1, 1, worst=worst)
    count = int(wrong.sum())
    border = None if inside else _frame_width(wrong)
    lean = _find_lean(given[wrong], wanted[wrong])
    words = _count(count, wrong, "differ")
    if border is not None:
        words += f", all within {border} {'pixel' if border == 1 else 'pixels'} of the border"
    elif inside and wrong.ndim > 1:
        words += f" (not counting {inside} {'pixel' if inside == 1 else 'pixels'} along the border)"
    if lean:
        words += f"; {'it is' if count == 1 else 'they are'} {lean}"
    return Difference(
        "value", f"{words}. Largest difference at {worst}.", count, wrong.size, border, lean, worst
    )


def _find_lean(given: Array, wanted: Array) -> Literal["", "too dark", "too bright"]:
    """Say on which side of the expected values all the wrong ones lie, if they do."""
    if given.dtype.kind == "c":
        return ""
    if (given < wanted).all():
        return "too dark"
    return "too bright" if (given > wanted).all() else ""


def _frame_width(wrong: Array) -> int | None:
    """Return the width of the narrowest frame that holds all wrong pixels, or None if it is no frame."""
    if wrong.ndim < 2:
        return None
    depth = np.full(wrong.shape, max(wrong.shape))
    for axis, size in enumerate(wrong.shape):
        steps = np.minimum(np.arange(size), np.arange(size)[::-1])
        depth = np.minimum(depth, steps.reshape([-1 if i == axis else 1 for i in range(wrong.ndim)]))
    width = int(depth[wrong].max()) + 1
    return width if (depth >= width).sum() >= 4 else None  # fewer inner pixels than that prove nothing


def _explain_shape(given: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Name the usual reasons for a wrong shape."""
    if given == wanted[::-1]:
        return ": rows and columns are swapped"
    if len(given) != len(wanted):
        return f": it has {len(given)} axes instead of {len(wanted)}"
    missing = {want - got for got, want in zip(given, wanted, strict=True)}
    if len(missing) == 1:
        change = missing.pop()
        pixels = "pixel is" if abs(change) == 1 else "pixels are"
        if change > 0:
            return f": {change} {pixels} missing along each axis"
        return f": {-change} {pixels} too many along each axis"
    return ""


def _family(array: Array) -> str:
    """Name the family of an array's dtype; whole and floating-point numbers are one family."""
    return {"b": "True and False", "c": "complex numbers"}.get(array.dtype.kind, "numbers")


def _sentence_start(wanted: Array) -> str:
    """Say what was expected."""
    if wanted.ndim:
        return f"Expected an array of shape {wanted.shape}"
    return "Expected True or False" if wanted.dtype.kind == "b" else "Expected a single number"


def _advice(actual: object) -> str:
    """Name the usual reason for a result of a wrong type."""
    return " Is the return line missing?" if actual is None else ""


def _name(value: object) -> str:
    """Name what `value` is, without asking the value itself."""
    if value is None:
        return "None"
    if is_array(value):
        return "an array"
    known: dict[type, str] = {
        list: "a list",
        tuple: "a tuple",
        dict: "a dictionary",
        set: "a set",
        str: "a text",
        bytes: "bytes",
    }
    if type(value) in _PLAIN:
        return "True or False" if type(value) is bool else "a number"
    return known.get(type(value), f"an object of the class {class_name(value)}")


def _array_of_numbers(value: object) -> Array:
    """Return Python's numbers as an array."""
    array = np.array(value)
    if array.dtype.kind == "O":  # whole numbers beyond 64 bits
        try:
            return np.array(value, dtype=complex if _has_complex(value) else float)
        except OverflowError:
            raise NotPlainError("a number that is too large") from None
    return array


def _has_complex(value: Any) -> bool:
    return any(map(_has_complex, value)) if isinstance(value, (list, tuple)) else type(value) is complex


def _array_from_list(value: Any) -> Array:
    """Return nested lists of numbers as an array; the items are looked at before numpy sees them."""
    left = MAX_ITEMS

    def flatten(item: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if depth > MAX_DEPTH or left < 0:
            raise NotPlainError("a list that is nested too deep or too long")
        if type(item) in (list, tuple):
            return [flatten(part, depth + 1) for part in item]
        if type(item) in _PLAIN:
            return item
        if is_array(item) or type(item) in _SCALARS:
            array = plain_array(item)
            left -= array.size
            return array.tolist()
        raise NotPlainError(f"{_name(value)} that holds {_name(item)}")

    try:
        return _array_of_numbers(flatten(value, 0))
    except ValueError:
        raise NotPlainError(f"{_name(value)} whose rows have different lengths") from None


def _count(count: int, wrong: Array, verb: str = "are") -> str:
    """Say how many of the pixels are meant."""
    single = {"are": "is", "differ": "differs"}
    unit = "pixels" if wrong.ndim > 1 else "values"
    if not wrong.ndim:
        return f"The result {single[verb]}"
    if count == wrong.size:
        return f"All {count} {unit} {verb}"
    share = 100 * count / wrong.size
    percent = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
    return f"{count} of {wrong.size} {unit} ({percent} %) {single[verb] if count == 1 else verb}"


def _place(index: tuple[int, ...]) -> str:
    """Say where a pixel is."""
    names = _AXES.get(len(index))
    if names is None:
        return f"index {index}"
    return ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))


def write_number(value: complex, digits: int = 4) -> str:
    """Write a number as a person would, with all its digits before the point."""
    if isinstance(value, bool):
        return str(value)
    if 1000 <= abs(value) < 1e12:
        digits = max(digits, len(str(int(abs(value)))))
    return f"{value:.{digits}g}"
