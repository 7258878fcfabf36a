"""What the comparison says about two values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairmark.compare import NotPlainError, compare, distance, plain_array


def _image():
    return np.random.default_rng(1).random((12, 17)) * 100


def test_equal_arrays_have_no_difference():
    """The same values are equal, whatever the order in memory or the number's width."""
    image = _image()
    for same in (
        image.copy(),
        np.asfortranarray(image),
        image.astype(np.float32),
        np.repeat(image, 2, 1)[:, ::2],
    ):
        assert compare(same, image) is None


def test_whole_and_floating_numbers_of_one_value_are_equal():
    """An int image with the right values is right."""
    assert compare(np.array([[1, 2], [3, 4]]), np.array([[1.0, 2.0], [3.0, 4.0]])) is None


def test_other_order_of_summation_passes_and_a_grey_level_does_not():
    """Rounding is forgiven up to a hundred-thousandth of the range."""
    image = _image()
    assert compare(image + 5e-4, image) is None
    assert compare(image + 5e-3, image) is not None
    assert compare(np.full((3, 3), 5e-4), np.zeros((3, 3)), scale=100.0) is None
    assert compare(np.full((3, 3), 5e-4), np.zeros((3, 3))) is not None


def test_border_is_told_from_inner_pixels():
    """Wrong pixels that lie along the border only are said to."""
    image, wrong = _image(), _image()
    wrong[:2] -= 50
    difference = compare(wrong, image)
    assert difference.border == 2
    assert difference.lean == "too dark"
    assert difference.wrong == 34
    assert "34 of 204 pixels (17 %) differ, all within 2 pixels of the border; they are too dark." in str(
        difference
    )
    wrong[6, 8] += 500
    difference = compare(wrong, image)
    assert difference.border is None
    assert difference.lean == ""
    assert difference.worst.index == (6, 8)
    assert "border" not in str(difference)


def test_largest_difference_is_told_with_place_and_both_values():
    """Row, column, the expected and the actual value of the worst pixel are named."""
    wrong = np.zeros((5, 6))
    wrong[2, 4] = -3.25
    message = str(compare(wrong, np.ones((5, 6))))
    assert message.startswith("All 30 pixels differ; they are too dark.")
    assert message.endswith("Largest difference at row 2, column 4: expected 1, yours is -3.25.")


def test_stack_has_slices():
    """In a stack the place has a slice, too."""
    wrong = np.zeros((3, 4, 5))
    wrong[1, 2, 3] = 1
    message = str(compare(wrong, np.zeros((3, 4, 5))))
    assert "1 of 60 pixels (1.7 %) differs; it is too bright." in message
    assert "slice 1, row 2, column 3" in message


def test_values_that_look_alike_get_more_digits():
    """Two values that round to the same text are written with more digits."""
    message = str(compare(np.array([[1.00002]]), np.array([[1.0]])))
    assert "expected 1, yours is 1.00002" in message


def test_inside_leaves_the_border_out():
    """Pixels along the border do not count where only the inside is looked at, and places stay true."""
    image, wrong = _image(), _image()
    wrong[0], wrong[:, -1] = 0, 0
    assert compare(wrong, image, inside=1) is None
    wrong[5, 5] = 1000
    difference = compare(wrong, image, inside=1)
    assert difference.worst.index == (5, 5)
    assert "not counting 1 pixel along the border" in str(difference)


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (None, "the result is None. Is the return line missing?"),
        (3.5, "the result is a single number"),
        ([[1.0, 2.0], [3.0, 4.0]], "the result is a list: use np.array(...) on it"),
        ("image", "the result is a text"),
        ({}, "the result is a dictionary"),
        (np.array([object()]), "dtype object"),
        (np.array(["a"]), "dtype str"),
        (np.zeros(2, dtype="datetime64[s]"), "datetime64"),
        (np.zeros((3, 2)).T[:, :2], "1 pixel is missing"),
        (np.zeros((2, 2), dtype=bool), "holds True and False"),
        (np.zeros((2, 2), dtype=complex), "holds complex numbers"),
        (np.zeros(4), "1 axes instead of 2"),
        (compare, "an object of the class function"),
    ],
)
def test_other_kinds_are_named(actual, words):
    """What is no array of this shape and kind is named in words."""
    expected = np.zeros((3, 3)) if "missing" in words else np.zeros((2, 2))
    assert words in str(compare(actual, expected))


def test_swapped_axes_are_named():
    """A transposed shape is explained."""
    assert "rows and columns are swapped" in str(compare(_image().T, _image()))


def test_nan_is_named_before_values():
    """NaN where none is expected is counted, with its first place."""
    wrong = _image()
    wrong[3:, 4] = np.nan
    difference = compare(wrong, _image())
    assert difference.kind == "nan"
    assert str(difference) == "9 of 204 pixels (4.4 %) are NaN (not a number), the first at row 3, column 4."
    assert compare(wrong, wrong) is None


def test_infinite_values_are_wrong_unless_expected():
    """Infinity differs from every number, and equals itself."""
    expected = np.array([1.0, np.inf, 2.0])
    assert compare(expected.copy(), expected) is None
    assert compare(np.array([np.inf, np.inf, 2.0]), expected).worst.index == (0,)
    assert compare(np.array([1.0, -np.inf, 2.0]), expected).worst.index == (1,)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (3, 4, "Expected 4, yours is 3."),
        (True, 1, "Expected numbers, but the result holds True and False"),
        (True, False, "Expected False, yours is True."),
        (np.float64(2), "two", "Expected a text, but the result is an object of the class float64."),
        ("zwei", "two", "Expected another text."),
        (0, None, "Expected None, but the result is a number."),
        (np.nan, 1.0, "The result is NaN (not a number)."),
        ([1, 2], 1.0, "the result is an array of shape (2,)"),
        (10**400, 1.0, "a number that is too large"),
    ],
)
def test_scalars_are_compared(actual, expected, words):
    """Numbers, bools, texts and None are compared, too."""
    assert words in str(compare(actual, expected))


@pytest.mark.parametrize("value", [1, 2.5, True, "text", None, [1, 2], np.float32(3)])
def test_value_equals_itself(value):
    """Every plain value equals itself."""
    assert compare(value, value) is None


class _Liar:
    """Says that it is whatever one wants."""

    __class__ = np.ndarray
    shape, dtype, ndim = (2, 2), np.dtype(float), 2

    def __eq__(self, other):
        return True

    def __array__(self, *arguments, **named):
        return np.zeros((2, 2))

    def __float__(self):
        return 0.0

    __hash__ = None


class _LyingArray(np.ndarray):
    """An array whose comparisons are always true."""

    def __eq__(self, other):
        return np.ones(self.shape, dtype=bool)

    def __sub__(self, other):
        return np.zeros(self.shape)

    __ne__ = __lt__ = __gt__ = __rsub__ = __sub__
    __hash__ = None


def test_objects_are_never_believed():
    """A value's own methods have no part in the comparison."""
    zeros = np.zeros((2, 2))
    assert compare(_Liar(), zeros).kind == "type"
    assert compare([[_Liar(), _Liar()], [0, 0]], zeros).kind == "type"
    assert compare(np.ones((2, 2)).view(_LyingArray), zeros).wrong == 4
    assert compare(_Liar(), None) is not None
    assert compare(_Liar(), "text") is not None


def test_deep_and_endless_lists_are_refused():
    """A list that contains itself ends in words."""
    endless = []
    endless.append(endless)
    for value in (endless, [[1], [1, 2]], [np.zeros(2), "a"]):
        with pytest.raises(NotPlainError):
            plain_array(value)
        assert compare(value, 1.0).kind == "type"


def test_distance_is_infinite_between_shapes():
    """Arrays of other shapes, or with NaN in other places, are infinitely far from each other."""
    assert distance(np.zeros(3), np.zeros(4)) == np.inf
    assert distance(np.array([np.nan, 1]), np.array([np.nan, 3])) == 2
    assert distance(np.array([np.nan, 1]), np.array([1, np.nan])) == np.inf
    assert distance(np.array([True]), np.array([False])) == 1


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(plain, st.sampled_from([np.zeros((2, 3)), 1.5, True, "text", None, np.array([True, False])]))
def test_anything_can_be_compared(actual, expected):
    """No plain value makes the comparison itself fail, and every difference is one short line."""
    difference = compare(actual, expected)
    assert difference is None or "\n" not in difference.message
    assert difference is None or len(difference.message) < 300
