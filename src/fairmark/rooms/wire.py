"""What may cross between rooms: plain data as frames of JSON and raw buffers, with limits on every size.

A frame is a head (JSON) and a body (bytes). In the head, ``None``, bools, ints, floats and texts stand as
themselves; everything else is a JSON list whose first element is a tag:

=========  ==========================================  =========================================
tag        stands for                                  rest of the list
=========  ==========================================  =========================================
``l t s z``  list, tuple, set, frozenset                 the items
``d``      dict                                        key, value, key, value, …
``i``      an int too long for JSON                    its hexadecimal digits
``c``      complex                                     real part, imaginary part
``b``      bytes                                       offset and length in the body
``a``      numpy array                                 dtype, shape, offset, length
``n``      numpy scalar                                dtype, offset, length
``:``      slice                                       start, stop, step
``...``    Ellipsis
``F``      Fraction                                    numerator, denominator
``D``      Decimal                                     its text
``T``      date, time or datetime                      which of them, its text in ISO 8601
``E``      timedelta                                   days, seconds, microseconds
``N``      named tuple                                 its name, the names of its fields, the items
``r``      an object that stays where it is            number, class name, whether it is callable
``f``      a function or class of an installed module  module, qualified name
``k``      a call back to the examiner                 number
=========  ==========================================  =========================================

Nothing is ever pickled or evaluated, no object dtype is accepted, and sizes are checked before anything is
allocated. ``r``, ``f`` and ``k`` mean nothing here: whoever decodes says what to do with them, or refuses.
"""

from __future__ import annotations

import datetime as dt
import json
import keyword
import math
import os
import re
import select
import socket
import struct
import sys
import time
from collections import Counter, namedtuple
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

MAX_HEAD = 16 * 2**20
MAX_BODY = 256 * 2**20
MAX_DEPTH = 60
MAX_NODES = 2_000_000
MAX_COMPARED = 1_000_000  # pairs of keys of one hash: a table of a million such keys takes hours to build
MAX_KINDS = 100  # of named tuples: for each a class is made, which takes as long as a hundred values
_PREFIX = struct.Struct("!4sIQ")
_PORTION = 2**16  # that is asked for or sent at once, where there is nothing larger to read
_MAGIC = b"fmk1"
_ARRAY_KINDS = "biufcUS"
_JSON_INT_BITS = 1000
_MAX_FIELDS = 50
_MAX_DIGITS = 1_000
_FRACTION_BITS = 10_000
_DECIMAL = re.compile(r"-?(\d+(\.\d+)?(E[+-]?\d{1,4})?|Infinity|s?NaN)", re.ASCII)
_TIMES: dict[str, Any] = {
    "datetime": dt.datetime,
    "date": dt.date,
    "time": dt.time,
}
_ITEMS: dict[str, Callable[[list[Any]], Any]] = {"l": list, "t": tuple, "s": set, "z": frozenset}

Refer = Callable[[Any], list[Any]]
Resolve = Callable[[list[Any]], Any]


class WireError(Exception):
    """A value cannot cross, or a frame is not well formed; the message says why."""


def refuse(value: object) -> list[Any]:
    """Refuse to send `value`: the `Refer` of those who send plain data alone."""
    raise WireError(f"a value of class {type(value).__name__} cannot cross: only plain data can")


def refuse_tag(node: list[Any]) -> Any:
    """Refuse a reference: the `Resolve` of those who accept plain data alone."""
    raise WireError(f"unexpected reference {str(node[:1])[:20]}")


# --- values to frames ------------------------------------------------------------------------------------


class _Packer:
    """Turns one value into a JSON tree, and collects its buffers."""

    def __init__(self, refer: Refer) -> None:
        self.refer = refer
        self.buffers: list[bytes] = []
        self.size = 0
        self.nodes = 0

    def _store(self, data: bytes) -> list[int]:
        place = [self.size, len(data)]
        self.size += len(data)
        if self.size > MAX_BODY:
            raise WireError(f"the data is larger than {MAX_BODY // 2**20} MiB")
        self.buffers.append(data)
        return place

    def _array(self, value: np.ndarray[Any, Any]) -> list[Any]:
        value = np.asarray(value)  # subclasses become plain arrays
        if value.dtype.kind not in _ARRAY_KINDS or value.dtype.fields is not None:
            raise WireError(f"an array of dtype {value.dtype} cannot cross: use numbers, bools or texts")
        if value.nbytes > MAX_BODY:
            raise WireError(f"the array is larger than {MAX_BODY // 2**20} MiB")
        data = np.ascontiguousarray(value).tobytes()
        return ["a", value.dtype.str, list(value.shape), *self._store(data)]

    def _items(self, tag: str, values: Any, depth: int) -> list[Any]:
        return [tag, *(self.pack(value, depth + 1) for value in values)]

    def pack(self, value: Any, depth: int = 0) -> Any:  # noqa: C901, PLR0911, PLR0912 - one branch a type
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise WireError(f"more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise WireError(f"nested deeper than {MAX_DEPTH} levels, or contains itself")
        kind = type(value)
        if value is None or kind is bool or kind is float or kind is str:
            return value
        if kind is int:
            return value if value.bit_length() < _JSON_INT_BITS else ["i", f"{value:x}"]
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            if value.dtype.kind not in _ARRAY_KINDS:
                raise WireError(f"a value of dtype {value.dtype} cannot cross")
            array = np.asarray(value)  # an empty text's own dtype holds nothing, its array's one character
            return ["n", array.dtype.str, *self._store(array.tobytes())]
        if isinstance(value, list):
            return self._items("l", value, depth)
        if isinstance(value, tuple):
            fields = _fields_of(value)
            named = ["N", kind.__name__, list(fields)] if fields else ["t"]
            return named + [self.pack(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return self._items("d", (part for pair in value.items() for part in pair), depth)
        if isinstance(value, set):
            return self._items("s", value, depth)
        if isinstance(value, frozenset):
            return self._items("z", value, depth)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return ["b", *self._store(bytes(value))]
        if isinstance(value, complex):
            return ["c", float(value.real), float(value.imag)]
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return self.pack(int.__index__(value), depth)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, slice):
            return self._items(":", (value.start, value.stop, value.step), depth)
        if value is Ellipsis:
            return ["..."]
        return self._number_or_time(value, depth) or self.refer(value)

    def _number_or_time(self, value: Any, depth: int) -> list[Any] | None:
        if isinstance(value, Fraction) and _is_short(value.numerator, value.denominator):
            return self._items("F", (value.numerator, value.denominator), depth)
        if isinstance(value, Decimal) and len(text := str(value)) <= _MAX_DIGITS and _DECIMAL.fullmatch(text):
            return ["D", text]
        if isinstance(value, dt.timedelta):
            return ["E", value.days, value.seconds, value.microseconds]
        for name, kind in _TIMES.items():  # a datetime is a date, too: it comes first
            if isinstance(value, kind):
                return ["T", name, kind.isoformat(value)]
        return None


def _fields_of(value: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the names of a named tuple's fields; nothing where it is none that can be built anew."""
    fields = getattr(type(value), "_fields", ())
    good = type(fields) is tuple and len(fields) == len(value) and _are_fields(type(value).__name__, fields)
    return fields if good else ()


def _are_fields(name: object, fields: tuple[object, ...] | list[object]) -> bool:
    names = [name, *fields]
    return (
        0 < len(fields) <= _MAX_FIELDS
        and len(set(map(str, fields))) == len(fields)
        and all(
            type(each) is str
            and len(each) <= 60
            and each.isascii()
            and each.isidentifier()
            and not each.startswith("_")
            and not keyword.iskeyword(each)
            for each in names
        )
    )


def _is_short(*numbers: int) -> bool:
    return all(number.bit_length() <= _FRACTION_BITS for number in numbers)


@lru_cache(maxsize=256)
def _named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)  # noqa: PYI024 - its fields are known at run time alone


def pack_frame(message: list[Any], value: Any = None, refer: Refer = refuse) -> bytes:
    """Return the bytes of one frame.

    Parameters
    ----------
    message : list
        The envelope: JSON values that say what the frame is.
    value : object
        What crosses with it.
    refer : callable
        Returns the reference for an object that is not plain data, or raises `WireError`.

    Raises
    ------
    WireError
        Where `value` holds something that cannot cross, or too much.
    """
    packer = _Packer(refer)
    try:
        tree = packer.pack(value)
        head = json.dumps([message, tree], separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise WireError("nested too deeply") from None
    except RuntimeError as error:  # a container that changes while it is read
        raise WireError(str(error)) from None
    if len(head) > MAX_HEAD:
        raise WireError(f"the data is larger than {MAX_HEAD // 2**20} MiB")
    return b"".join([_PREFIX.pack(_MAGIC, len(head), packer.size), head, *packer.buffers])


# --- frames to values ------------------------------------------------------------------------------------


def _require(condition: object, message: str) -> None:
    if not condition:
        raise WireError(message)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_BODY


class _Unpacker:
    """Turns one JSON tree back into a value; believes nothing."""

    def __init__(self, body: memoryview, resolve: Resolve) -> None:
        self.body = body
        self.resolve = resolve
        self.nodes = 0
        self.taken = 0
        self.compared = 0
        self.kinds: set[tuple[str, ...]] = set()

    def _buffer(self, offset: object, length: object) -> memoryview:
        _require(_is_count(offset) and _is_count(length), "a buffer's place is no number")
        assert isinstance(offset, int)  # noqa: S101 - for the type checker
        assert isinstance(length, int)  # noqa: S101
        _require(offset + length <= len(self.body), "a buffer lies outside the body")
        self.taken += length  # one buffer named a thousand times must not fill the memory
        _require(self.taken <= len(self.body), "a buffer is used twice")
        return self.body[offset : offset + length]

    def _dtype(self, text: object) -> np.dtype[Any]:
        _require(isinstance(text, str) and len(text) <= 12, "not a dtype")
        assert isinstance(text, str)  # noqa: S101
        # "<U7", "|b1", ">f8": byte order, kind, size; nothing else reaches numpy's parser
        _require(
            len(text) >= 3 and text[0] in "<>|=" and text[1] in _ARRAY_KINDS and text[2:].isascii(),
            "not a dtype",
        )
        _require(text[2:].isdigit(), "not a dtype")
        try:
            return np.dtype(text)
        except (TypeError, ValueError) as error:
            raise WireError(f"not a dtype: {error}") from None

    def _array(self, node: list[Any]) -> np.ndarray[Any, Any]:
        _require(len(node) == 5 and isinstance(node[2], list) and len(node[2]) <= 32, "not an array")
        dtype, shape = self._dtype(node[1]), node[2]
        _require(all(_is_count(side) for side in shape), "not a shape")
        data = self._buffer(node[3], node[4])
        _require(math.prod(shape) * dtype.itemsize == len(data), "shape and size of an array differ")
        if dtype.itemsize == 0:
            return np.zeros(shape, dtype) if math.prod(shape) <= MAX_NODES else self._fail("array of nothing")
        return self._texts(np.frombuffer(data, dtype)).reshape(shape).copy()

    def _texts(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Refuse texts whose characters are none: numpy believes their numbers, and Python fails on them."""
        if array.dtype.kind == "U":
            points = array.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
            _require(not (points > sys.maxunicode).any(), "a text with a character that is none")
        return array

    def _fail(self, message: str) -> Any:
        raise WireError(message)

    def _scalar(self, node: list[Any]) -> Any:
        _require(len(node) == 4, "not a scalar")
        dtype, data = self._dtype(node[1]), self._buffer(node[2], node[3])
        _require(dtype.itemsize == len(data), "size of a scalar")
        if dtype.itemsize == 0:
            return dtype.type()
        return self._texts(np.frombuffer(data, dtype))[0]

    def _hashable(self, items: list[Any]) -> list[Any]:
        try:
            alike = Counter(map(hash, items))
        except TypeError:
            raise WireError("a key or a set's element cannot be hashed") from None
        self.compared += sum(number * (number - 1) // 2 for number in alike.values() if number > 1)
        _require(self.compared <= MAX_COMPARED, "too many keys of the same hash")
        return items

    def unpack(self, node: Any, depth: int = 0) -> Any:  # noqa: C901, PLR0911 - one branch a tag
        self.nodes += 1
        _require(self.nodes <= MAX_NODES, f"more than {MAX_NODES} values")
        _require(depth <= MAX_DEPTH, f"nested deeper than {MAX_DEPTH} levels")
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        _require(isinstance(node, list) and node and isinstance(node[0], str), "an element without a tag")
        tag = node[0]
        if tag in _ITEMS:
            items = [self.unpack(item, depth + 1) for item in node[1:]]
            return _ITEMS[tag](self._hashable(items) if tag in "sz" else items)
        if tag == "d":
            _require(len(node) % 2 == 1, "a dict with a key too many")
            items = [self.unpack(item, depth + 1) for item in node[1:]]
            return dict(zip(self._hashable(items[::2]), items[1::2], strict=True))
        if tag == "a":
            return self._array(node)
        if tag == "n":
            return self._scalar(node)
        if tag == "b":
            _require(len(node) == 3, "not bytes")
            return bytes(self._buffer(node[1], node[2]))
        if tag == "c":
            _require(len(node) == 3 and all(type(part) is float for part in node[1:]), "not a complex number")
            return complex(node[1], node[2])
        if tag == "i":
            _require(len(node) == 2 and isinstance(node[1], str) and len(node[1]) <= 2**20, "not an int")
            try:
                return int(node[1], 16)
            except ValueError:
                raise WireError("not an int") from None
        if tag == ":":
            _require(len(node) == 4, "not a slice")
            return slice(*(self.unpack(item, depth + 1) for item in node[1:]))
        if tag == "...":
            return Ellipsis
        if tag in "FDTEN":
            return self._rebuild(tag, node[1:], depth)
        return self.resolve(node)

    def _rebuild(self, tag: str, parts: list[Any], depth: int) -> Any:
        """Return a fraction, a decimal number, a time or a named tuple."""
        if tag == "N":
            _require(len(parts) >= 2 and isinstance(parts[1], list), "not a named tuple")
            _require(_are_fields(parts[0], parts[1]) and len(parts) == 2 + len(parts[1]), "not a named tuple")
            self.kinds.add((parts[0], *parts[1]))
            _require(len(self.kinds) <= MAX_KINDS, f"more than {MAX_KINDS} kinds of named tuples")
            return _named_tuple(parts[0], tuple(parts[1]))(
                *(self.unpack(item, depth + 1) for item in parts[2:])
            )
        if tag == "F":
            numbers = [self.unpack(part, depth + 1) for part in parts]
            _require(len(numbers) == 2 and all(type(number) is int for number in numbers), "not a fraction")
            _require(_is_short(*numbers) and numbers[1] > 0, "not a fraction")
            return Fraction(*numbers)
        if tag == "D":
            _require(
                len(parts) == 1 and isinstance(parts[0], str) and len(parts[0]) <= _MAX_DIGITS, "no number"
            )
            _require(_DECIMAL.fullmatch(parts[0]), "not a decimal number")
            return Decimal(parts[0])
        if tag == "E":
            _require(len(parts) == 3 and all(type(part) is int for part in parts), "not a span of time")
            return dt.timedelta(*parts)
        _require(len(parts) == 2 and parts[0] in _TIMES and isinstance(parts[1], str), "not a time")
        _require(len(parts[1]) <= 60, "not a time")
        return _TIMES[parts[0]].fromisoformat(parts[1])


def unpack_head(head: bytes) -> tuple[list[Any], Any]:
    """Return a frame's envelope and its value as a JSON tree that is not looked at yet.

    Raises
    ------
    WireError
        Where the head is no JSON of that form.
    """
    try:
        parts = json.loads(head)
    except (ValueError, RecursionError):
        raise WireError("the head of a frame is no JSON") from None
    _require(isinstance(parts, list) and len(parts) == 2, "a frame without an envelope")
    _require(isinstance(parts[0], list) and parts[0] and isinstance(parts[0][0], str), "not an envelope")
    return parts[0], parts[1]


def unpack_value(tree: Any, body: bytes, resolve: Resolve = refuse_tag) -> Any:
    """Return the value of a frame.

    Raises
    ------
    WireError
        Where the frame is not well formed or larger than the limits.
    """
    try:
        return _Unpacker(memoryview(body), resolve).unpack(tree)
    except (RecursionError, OverflowError, MemoryError) as error:
        raise WireError(f"too large: {type(error).__name__}") from None
    except (ValueError, TypeError) as error:  # what numpy makes of sizes and shapes that fit nothing
        raise WireError(f"not well formed: {error}") from None


# --- frames over a socket --------------------------------------------------------------------------------


class Channel:
    """One end of a socket that carries frames.

    Parameters
    ----------
    sock : socket.socket
        A connected stream socket; the channel owns it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._begun = bytearray()  # what has come of frames that nobody has received yet

    def _wait(self, deadline: float | None, event: int) -> None:
        if deadline is None:
            os.set_blocking(self.sock.fileno(), True)  # a room's code may have made it something else
            return
        poll = select.poll()
        poll.register(self.sock, event)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError

    def _read(self, size: int, deadline: float | None) -> None:
        while len(self._begun) < size:
            self._wait(deadline, select.POLLIN)
            part = self.sock.recv(min(max(size - len(self._begun), _PORTION), 2**20))
            if not part:
                raise EOFError
            self._begun += part

    def send(self, frame: bytes, deadline: float | None = None) -> None:
        """Send one frame; `deadline` is in seconds of `time.monotonic`.

        Raises
        ------
        TimeoutError, OSError
            Where the other side does not take it in time, or is gone.
        """
        if deadline is None:
            self._wait(None, select.POLLOUT)
            self.sock.sendall(frame)
            return
        view = memoryview(frame)
        while view:
            try:
                view = view[self.sock.send(view[:_PORTION], socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._wait(deadline, select.POLLOUT)

    def receive(self, deadline: float | None = None) -> tuple[bytes, bytes]:
        """Return head and body of the next frame; one that does not come in time can be waited for again.

        Raises
        ------
        TimeoutError, EOFError, OSError, WireError
            Where none comes in time, the other side is gone, or what comes is no frame.
        """
        start = _PREFIX.size
        self._read(start, deadline)
        magic, head, body = _PREFIX.unpack_from(self._begun)
        _require(magic == _MAGIC, "not a frame")
        _require(head <= MAX_HEAD and body <= MAX_BODY, "a frame larger than the limit")
        end = start + head + body
        self._read(end, deadline)
        begun, self._begun = memoryview(self._begun), self._begun[end:]
        return bytes(begun[start : start + head]), bytes(begun[start + head : end])

    def forward(self, head: bytes, body: bytes, deadline: float | None = None) -> None:
        """Send a frame on as it came."""
        self.send(_PREFIX.pack(_MAGIC, len(head), len(body)) + head + body, deadline)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()
