"""Plain data crosses unchanged; nothing else crosses, and no bytes whatever do harm."""

import contextlib
import json
import socket
import struct
import threading
import time
from collections import namedtuple
from datetime import UTC

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fairmark.rooms.wire import MAX_DEPTH, Channel, WireError, pack_frame, unpack_head, unpack_value

PREFIX = struct.Struct("!4sIQ")

keys = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
atoms = keys | st.floats() | st.complex_numbers()
arrays = npst.arrays(
    st.one_of(
        npst.boolean_dtypes(),
        npst.integer_dtypes(),
        npst.unsigned_integer_dtypes(),
        npst.floating_dtypes(),
        npst.complex_number_dtypes(),
        npst.unicode_string_dtypes(max_len=4),
        npst.byte_string_dtypes(max_len=4),
    ),
    npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
values = st.recursive(
    atoms | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
    ),
    max_leaves=12,
)


def cross(value, **how):
    frame = pack_frame(["test"], value)
    _, head, body = PREFIX.unpack(frame[: PREFIX.size])
    rest = frame[PREFIX.size :]
    assert len(rest) == head + body
    _, tree = unpack_head(rest[:head])
    return unpack_value(tree, rest[head:], **how)


def same(left, right):
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray | np.generic):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, float | complex):
        return repr(left) == repr(right)
    return left == right


@given(values)
@settings(max_examples=300, deadline=None)
def test_plain_data_comes_out_as_it_went_in(value):
    """Types, dtypes, shapes and bits survive, whatever the nesting."""
    assert same(cross(value), value)


@given(st.binary(max_size=200), st.binary(max_size=50))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_give_a_wire_error_or_plain_data(head, body):
    """The decoder raises nothing but its own error."""
    try:
        _, tree = unpack_head(head)
        unpack_value(tree, body)
    except WireError:
        pass


@given(
    st.recursive(
        st.none()
        | st.integers()
        | st.text(max_size=6)
        | st.sampled_from(["a", "d", "s", "n", "b", "<f8", ":"]),
        lambda inner: st.lists(inner, max_size=6),
        max_leaves=25,
    ),
    st.binary(max_size=64),
)
@settings(max_examples=500, deadline=None)
def test_arbitrary_trees_give_a_wire_error_or_plain_data(tree, body):
    """No tag with wrong contents gets past the decoder's checks."""
    with contextlib.suppress(WireError):
        unpack_value(tree, body)


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.zeros(2, "f8,i4"),
        np.array(["2020-01-01"], "M8[D]"),
        object(),
        len,
        int,
        lambda: 1,
        {1: object()},
        (i for i in ()),
        json,
    ],
)
def test_what_is_not_plain_data_does_not_cross(value):
    """Objects, records, dates, functions, classes, generators and modules are refused in words."""
    with pytest.raises(WireError, match=r"cross"):
        pack_frame(["test"], value)


def test_subclasses_are_flattened_to_plain_data():
    """A class of the sender's never reaches the receiver."""

    class Text(str):
        __slots__ = ()

    class Numbers(dict):
        pass

    class Count(int):
        pass

    crossed = cross([Text("a"), Numbers(a=1), Count(3), np.ma.masked_array([1, 2], [True, False])])
    assert [type(part) for part in crossed] == [str, dict, int, np.ndarray]


@pytest.mark.parametrize("text", [np.str_(""), np.bytes_(b""), np.str_("a"), np.bytes_(b"a\0b")])
def test_numpys_texts_cross_also_when_they_are_empty(text):
    """An element of an array of texts is such a text."""
    assert same(cross([text]), [text])


Point = namedtuple("Point", "x y")  # noqa: PYI024 - so do students


@given(
    st.fractions()
    | st.decimals()
    | st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda time: time.replace(fold=0))
    | st.dates()
    | st.times().map(lambda time: time.replace(fold=0))
    | st.timedeltas()
    | st.builds(Point, keys, keys)
)
@settings(max_examples=300, deadline=None)
def test_numbers_times_and_named_tuples_come_out_as_they_went_in(value):
    """Fractions, decimal numbers, times and named tuples are plain data, too."""
    crossed = cross([value])[0]
    assert repr(crossed) == repr(value)
    if isinstance(value, Point):
        assert same(crossed.y, value.y)
        assert same(tuple(crossed), tuple(value))


@pytest.mark.parametrize(
    "tree",
    [
        ["F", 1, 0],
        ["F", 1, -1],
        ["F", 1.5, 2],
        ["F", ["i", "f" * 10_000], 3],
        ["D", "1e999999999"],
        ["D", "1" * 2000],
        ["D", 1],
        ["T", "date", "no"],
        ["T", "type", "2020-01-01"],
        ["E", 10**12, 0, 0],
        ["E", True, 0, 0],
        ["N", "Point", ["x"], 1, 2],
        ["N", "Point", ["x", "x"], 1, 2],
        ["N", "Point", ["__class__"], 1],
        ["N", "Point", ["class"], 1],
        ["N", "x); import os; (", ["x"], 1],
        ["N", "Point", [["x"]], 1],
        ["N", "Point", [], []],
    ],
)
def test_lying_numbers_times_and_named_tuples_are_refused(tree):
    """Their parts are checked before anything is built of them."""
    with pytest.raises(WireError):
        unpack_value(tree, b"")


def test_arrays_arrive_as_copies_that_can_be_written():
    """Views, strides and read-only flags do not cross."""
    view = np.arange(12.0).reshape(3, 4)[:, ::-2]
    view.flags.writeable = False
    crossed = cross(view)
    crossed[0, 0] = -1
    assert crossed.flags.c_contiguous
    assert view[0, 0] == 3


def test_a_list_that_contains_itself_is_refused():
    """Endless nesting is an error, not an endless loop."""
    endless = []
    endless.append(endless)
    with pytest.raises(WireError, match="contains itself"):
        pack_frame(["test"], endless)


@pytest.mark.parametrize(
    ("tree", "body"),
    [
        (["a", "<f8", [2**40], 0, 8], bytes(8)),  # a shape far larger than its data
        (["a", "|O", [1], 0, 8], bytes(8)),
        (["a", "<f8,<f8", [1], 0, 16], bytes(16)),
        (["a", "<f8", [-1], 0, 8], bytes(8)),
        (["a", "<f8", [1], -8, 8], bytes(8)),
        (["a", "<f8", [1], 4, 8], bytes(8)),
        (["l", ["a", "<f8", [1], 0, 8], ["a", "<f8", [1], 0, 8]], bytes(8)),  # one buffer twice
        (["n", "<U1", 0, 4], b"\x00\x00\x11\x00"),  # a character beyond the last one
        (["a", ">U1", [1], 0, 4], b"\xff\xff\xff\xff"),
        (["a", "|V0", [2**62], 0, 0], b""),
        (["a", "<U0", [2**40], 0, 0], b""),
        (["d", ["l"], 1], b""),
        (["s", ["d"]], b""),
        (["i", "zz"], b""),
        (["n", "<U1", 0, 4], b"\xff" * 4),  # a letter that there is not
        (["a", ">U1", [2], 0, 8], b"\xff" * 8),
        (["s", *(number * (2**61 - 1) for number in range(2000))], b""),  # hours to build a table of
        (["d", *(number * (2**61 - 1) for number in range(4000))], b""),
        (["s", *(group + n * (2**61 - 1) for group in range(1, 9) for n in range(900))], b""),
        (["l", *(["N", f"a{n}", ["b"], 0] for n in range(200))], b""),  # a class for each
        (["r", 1, "x", True], b""),
        (["f", "os", "system"], b""),
        (["k", 0], b""),
        (["unknown"], b""),
        ({"__class__": 1}, b""),
        ([], b""),
    ],
)
def test_a_lying_frame_is_refused(tree, body):
    """Sizes, places, dtypes and references are checked before they are used."""
    with pytest.raises(WireError):
        unpack_value(tree, body)


def test_depth_is_limited_on_both_sides():
    """Nesting beyond the limit is refused before the interpreter's own limit is reached."""
    deep, tree = [], ["l"]
    for _ in range(MAX_DEPTH + 2):
        deep, tree = [deep], ["l", tree]
    with pytest.raises(WireError):
        pack_frame(["test"], deep)
    with pytest.raises(WireError):
        unpack_value(tree, b"")
    with pytest.raises(WireError):
        unpack_head(b"[" * 100_000)


@pytest.mark.parametrize("seconds", [None, 600])
def test_frames_that_come_at_once_are_received_one_by_one(seconds):
    """Nothing of the second is lost where it came with the first, in whatever pieces."""
    ours, theirs = socket.socketpair()
    frames = pack_frame(["one"], "a" * 10) + pack_frame(["two"], np.arange(100_000)) + pack_frame(["three"])
    with ours, theirs:
        writer = threading.Thread(target=theirs.sendall, args=(frames,))
        writer.start()
        channel, deadline = Channel(ours), seconds and time.monotonic() + seconds
        received = [channel.receive(deadline) for _ in range(3)]
        writer.join()
    assert [unpack_head(head)[0] for head, _ in received] == [["one"], ["two"], ["three"]]
    assert [len(body) for _, body in received] == [0, 800_000, 0]
