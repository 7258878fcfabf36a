"""What a room does between frames: runs cells; the student's answers what tests ask of the student's names.

Everything here runs beside code that is not trusted, so nothing here is relied on: what leaves a room is
plain data, and the grader believes none of it.
"""

from __future__ import annotations

import builtins
import importlib
import io
import operator
import os
import random
import signal
import sys
import traceback
import types
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairmark.rooms.recall import WAY, Recall, Redirection
from fairmark.rooms.shell import (
    TRACEBACK_CHARACTERS,
    Outputs,
    Shell,
    Stream,
    do_without,
    integrate_matplotlib,
    message_of,
)
from fairmark.rooms.wire import Channel, WireError, pack_frame, unpack_head, unpack_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Below the home folder, and not the folder itself: programs take their settings from there, and in the
# examiner's room nothing that a student wrote may be a setting.
WORK = os.environ.get("HOME", "/home/student") + "/work"
TRUSTED = os.environ.get("TMPDIR", "/tmp") + "/trusted"  # noqa: S108 - the room's private folder

_MOST_PRINTED = 100_000  # characters that a test gets to see of what one call prints

OPERATORS: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name)
    for name in (
        *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
        *("and_", "or_", "xor", "lshift", "rshift", "neg", "pos", "abs", "invert"),
    )
}


def place_files(folder: str, files: dict[str, bytes], keep: frozenset[str] = frozenset()) -> None:
    """Write `files` below `folder`; names that lead out of it, and those in `keep`, are left out."""
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        parts = Path(name).parts
        inside = Path(*parts).as_posix()  # "./a" and "a//b" are names, too, and have only one meaning
        if not parts or Path(name).is_absolute() or ".." in parts or inside in keep:
            continue
        path = root / inside
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{name!r}: {error}\n")


def seed_random(seed: int) -> None:
    """Seed the generators that a fork would share with every other room."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the student's code may use the old generator


class Desk:
    """What a room does between frames: runs cells; the two kinds of room add to it.

    Parameters
    ----------
    channel : Channel
        To the grader.
    setup : dict
        What the grader said of the room: limits and seed.
    namespace : dict
        The cells' global names.
    """

    def __init__(self, channel: Channel, setup: dict[str, Any], namespace: dict[str, Any]) -> None:
        self.channel = channel
        self.process = os.getpid()
        limits = setup["limits"]
        # A little more than is kept, so that the grader sees for itself that something was left out.
        self.outputs = Outputs(limits["output"] + 1, limits["outputs"] + 1)
        self.streams = Stream(self.outputs, "stdout"), Stream(self.outputs, "stderr")
        sys.stdout, sys.stderr = self.streams
        self.shell = Shell.instance()
        self.shell.move_in(self.outputs, namespace)
        self.shell.drain = self._drain
        integrate_matplotlib(self.shell)
        seed_random(int(setup["seed"]))
        self.error: BaseException | None = None
        self.started = True  # the last cell has got past being compiled

    def serve(self) -> None:
        """Do what the grader says until it is gone."""
        while True:
            try:
                head, body = self.channel.receive()
            except EOFError:
                return
            self.obey(*unpack_head(head), body)

    def obey(self, message: list[Any], tree: Any, body: bytes) -> None:
        """Do what one frame says; each kind of room does it in its own way."""
        raise NotImplementedError

    def _drain(self) -> None:
        """Take over what C code and child processes wrote to the room's descriptors 1 and 2."""
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            try:
                size = os.fstat(descriptor).st_size
                if size:
                    text = os.pread(descriptor, min(size, self.outputs.size + 1), 0)
                    self.outputs.write(name, text.decode("utf-8", "replace"))
                    os.ftruncate(descriptor, 0)
                    os.lseek(descriptor, 0, os.SEEK_SET)
            except OSError:
                continue

    def run_cell(self, source: str) -> tuple[bool, list[dict[str, Any]]]:
        """Run one cell; return whether it went through, and its outputs.

        What was written since the last cell is none of them: it may be what a hidden test has handed over.
        """
        self._drain()
        self.outputs.clear()
        self.shell.last_value = self.error = None
        self.started = True
        sys.stdout, sys.stderr = self.streams
        with _interruptible():
            try:
                result = self.shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
                good = bool(result.success)
                self.started = result.error_before_exec is None
                self.error = result.error_before_exec or result.error_in_exec
            except BaseException:  # noqa: BLE001 - an interrupt between two of IPython's own lines
                self.shell.showtraceback()
                good = False
        self._end_copy()
        self._drain()
        return good, self.outputs.take()

    def _end_copy(self) -> None:
        """End a process that a cell has forked and not ended: two of them cannot answer one grader."""
        if os.getpid() != self.process:
            os._exit(0)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT raise ``KeyboardInterrupt`` while the cell runs, and only then."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


# --- the student's room ------------------------------------------------------------------------------------


class StudentDesk(Desk):
    """The student's room: runs the student's cells, and answers what tests ask."""

    def __init__(self, channel: Channel, setup: dict[str, Any]) -> None:
        super().__init__(channel, setup, {})
        self.kept: list[Any] = []  # the objects that tests hold a stand-in of
        self.numbers: dict[int, int] = {}
        self.depth = 0
        self.recall = Recall()
        self.shell.hidden = StudentDesk._call_and_keep.__code__
        if WORK not in sys.path:
            sys.path.append(WORK)  # last: a file beside the notebook shadows no installed package
        self.written = _list_files()

    # what crosses beside plain data

    def refer(self, value: Any) -> list[Any]:
        """Keep `value` here and return the reference for it."""
        if isinstance(value, types.ModuleType):
            raise WireError(f"the module {value.__name__} cannot cross: a test has to import it itself")
        if isinstance(value, _Stays):
            value = value.value
        number = self.numbers.get(id(value))
        if number is None:
            number = len(self.kept)
            self.kept.append(value)
            self.numbers[id(value)] = number
        name = getattr(value, "__name__", None)
        if not isinstance(name, str):
            name = type(value).__name__
        return ["r", number, name, callable(value)]

    def resolve(self, node: list[Any]) -> Any:
        """Return what a reference that came with a question stands for."""
        if node[0] == "r":
            return self.kept[node[1]]
        if node[0] == "f":
            value: Any = importlib.import_module(node[1])
            for part in node[2].split("."):
                value = getattr(value, part)
            return value
        if node[0] == "k":
            return self._call_back(node[1])
        raise WireError(f"unknown reference {node[0]}")

    def _call_back(self, number: int) -> Callable[..., Any]:
        def call_back(*args: Any, **kwargs: Any) -> Any:
            self.channel.send(pack_frame(["callback", number], (args, kwargs), self.refer))
            return self.serve_until_answered()

        return call_back

    # an instructor's cell

    def run_shared_cell(self, source: str, names: frozenset[str]) -> tuple[bool, list[dict[str, Any]]]:
        """Run a cell that the examiner's room runs after this, and keep what it called of `names` gave."""
        redirection = Redirection(names)
        self.shell.ast_transformers.append(redirection)
        self.shell.user_ns[WAY] = self._call_and_keep
        try:
            return self.run_cell(source)
        finally:
            self.shell.user_ns.pop(WAY, None)
            with suppress(ValueError):
                self.shell.ast_transformers.remove(redirection)

    def _call_and_keep(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        key = None if self.recall.full else self.recall.name_call(function, args, kwargs)
        if key is None:
            return function(*args, **kwargs)
        before = _mutable_parts("call", (function, args, kwargs))
        printed, usual = io.StringIO(), sys.stdout
        sys.stdout = _Tee(printed, usual)
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            self.recall.keep(key, function, pack_frame(["answer", False], _describe(error)))
            raise
        finally:
            sys.stdout = usual
        with suppress(WireError):  # an object that has to stay here, and may have changed by then
            answer = result, _changed_parts(before), printed.getvalue()[:_MOST_PRINTED]
            self.recall.keep(key, function, pack_frame(["answer", True], answer))
        return result

    # the questions

    def look_up(self, name: str) -> Any:
        """Return the value of a global name."""
        namespace = self.shell.user_ns
        if name not in namespace:
            raise NameError(f"name {name!r} is not defined")
        return namespace[name]

    def bind(self, name: str, value: Any) -> None:
        """Bind a global name."""
        self.shell.user_ns[name] = value

    def unbind(self, name: str) -> None:
        """Delete a global name."""
        self.shell.user_ns.pop(name, None)

    def call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function or an object."""
        result = function(*args, **kwargs)
        if isinstance(function, type) and type(result) is function and _is_of_notebook(function):
            return _Stays(result)
        return result

    def get(self, value: Any, name: str) -> Any:
        """Return an attribute."""
        return getattr(value, name)

    def put(self, value: Any, name: str, new: Any) -> None:
        """Set an attribute."""
        setattr(value, name, new)

    def item(self, value: Any, key: Any) -> Any:
        """Return an item."""
        return value[key]

    def put_item(self, value: Any, key: Any, new: Any) -> None:
        """Set an item."""
        value[key] = new

    def operate(self, name: str, *operands: Any) -> Any:
        """Apply one of `OPERATORS`."""
        return OPERATORS[name](*operands)

    def convert(self, name: str, value: Any) -> Any:
        """Apply a builtin that gives plain data: str, repr, len, bool, int, float, iter, next."""
        return getattr(builtins, name)(value)

    def files(self, is_test: bool) -> dict[str, bytes]:  # noqa: FBT001 - it comes with the question
        """Return the files that were written or changed since the last question.

        A test that comes now calls everything itself, whatever was kept for an instructor's cell before it.
        """
        if is_test:
            self.recall.forget()
        now = _list_files()
        changed = {name for name, stamp in now.items() if self.written.get(name) != stamp}
        self.written = now
        found: dict[str, bytes] = {}
        size = 0
        for name in sorted(changed):
            data = _read_file(name)
            if data is not None and size + len(data) <= 32 * 2**20:
                found[name] = data
                size += len(data)
        return found

    _QUESTIONS = frozenset(
        {"look_up", "bind", "unbind", "call", "get", "put", "item", "put_item", "operate", "convert", "files"}
    )

    # frames

    def _ask(self, question: str, value: Any) -> bytes:
        """Answer one question of a test; return the answer's frame."""
        if question not in self._QUESTIONS:
            raise WireError(f"no such question: {question}")
        if question == "call" and (known := self.recall.take(*value)) is not None:
            return known
        before = _mutable_parts(question, value)
        printed = io.StringIO()
        sys.stdout = _Tee(printed)
        try:
            with _interruptible() if self.depth == 0 else _nothing():
                self.depth += 1
                try:
                    result = getattr(self, question)(*value)
                finally:
                    self.depth -= 1
        finally:
            sys.stdout = self.streams[0]
        text = printed.getvalue()[:_MOST_PRINTED]
        return pack_frame(["answer", True], (result, _changed_parts(before), text), self.refer)

    def answer(self, message: list[Any], tree: Any, body: bytes) -> None:
        """Answer one question, or say how it failed."""
        try:
            frame = self._ask(str(message[1]), unpack_value(tree, body, self.resolve))
        except WireError as error:
            frame = pack_frame(["answer", False], _describe_refusal(error))
        except BaseException as error:  # noqa: BLE001 - the student's function may raise anything
            frame = pack_frame(["answer", False], _describe(error))
        self._end_copy()
        self.channel.send(frame)

    def serve_until_answered(self) -> Any:
        """Answer questions until the call back that is under way is answered."""
        while True:
            head, body = self.channel.receive()
            message, tree = unpack_head(head)
            if message[0] == "called":
                good, value = unpack_value(tree, body, self.resolve)
                if good:
                    return value
                raise RuntimeError(value)
            self.answer(message, tree, body)

    def obey(self, message: list[Any], tree: Any, body: bytes) -> None:
        """Run a cell, or answer a question."""
        if message[0] != "run":
            self.answer(message, tree, body)
            return
        self.recall.forget()
        source, names = unpack_value(tree, body), frozenset(message[1] if len(message) > 1 else ())
        good, outputs = self.run_shared_cell(source, names) if names else self.run_cell(source)
        self.channel.send(_pack_outputs(good, outputs))


class _Stays:
    """Holds an object that a class of the notebook has made: a list, say, that has to keep its methods."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _is_of_notebook(kind: type) -> bool:
    """Tell whether a class was written in the notebook, or beside it, and its objects can change."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    own = kind.__module__ == "__main__" or file.startswith(WORK)
    return own and issubclass(kind, (list, dict, set, bytearray))


class _Tee(io.TextIOBase):
    """Keeps what a function prints while a test calls it, for tests that look at it."""

    def __init__(self, store: io.StringIO, shown: Any = None) -> None:
        self.store = store
        self.shown = shown

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.store.tell() < _MOST_PRINTED:
            self.store.write(str(text)[:_MOST_PRINTED])
        if self.shown is not None:
            self.shown.write(text)
        return len(text)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _list_files() -> dict[str, tuple[int, int]]:
    """Return size and time of the regular files in the student's folder."""
    found: dict[str, tuple[int, int]] = {}
    for folder, _, names in os.walk(WORK):
        for name in names:
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            if path.is_file() and not path.is_symlink() and len(found) < 1000:
                found[str(path.relative_to(WORK))] = (status.st_size, status.st_mtime_ns)
    return found


def _read_file(name: str) -> bytes | None:
    path = Path(WORK, name)
    try:
        if path.stat().st_size > 16 * 2**20:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _mutable_parts(question: str, value: Any) -> list[tuple[Any, Any, bytes]]:
    """Return the arguments of a call that it may change, each with its place and its state before."""
    if question != "call":
        return []
    _, args, kwargs = value
    parts = [*enumerate(args), *kwargs.items()]
    return [
        (place, part, _state(part))
        for place, part in parts
        if isinstance(part, (list, dict, set, bytearray, np.ndarray))
    ]


def _state(value: Any) -> bytes:
    try:
        return pack_frame(["state"], value, lambda part: ["r", id(part), "", False])
    except WireError:
        return b""


def _changed_parts(before: list[tuple[Any, Any, bytes]]) -> dict[Any, Any]:
    return {place: part for place, part, state in before if _state(part) != state}


def _describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as plain data: its nearest builtin class, words, and traceback as text."""
    bases = [
        base.__name__
        for base in type(error).__mro__
        if base.__module__ == "builtins" and base not in (BaseException, Exception, object)
    ]
    try:
        lines = traceback.format_exception(error)
    except BaseException:  # noqa: BLE001
        lines = []
    return {
        "class": str(type(error).__name__)[:200],
        "builtin": bases[0] if bases else "",
        "message": message_of(error)[:5000],
        "traceback": "".join(lines)[-TRACEBACK_CHARACTERS:],
    }


def _describe_refusal(error: WireError) -> dict[str, Any]:
    words = f"the value cannot be handed to the test: {error}"
    return {"class": "TypeError", "builtin": "TypeError", "message": words, "traceback": ""}


def _pack_outputs(good: bool, outputs: list[dict[str, Any]]) -> bytes:  # noqa: FBT001
    try:
        return pack_frame(["ran", good], {"outputs": outputs})
    except WireError as error:  # a display object that is not text
        note = {"output_type": "stream", "name": "stderr", "text": f"[outputs left out: {error}]\n"}
        errors = [output for output in outputs if output["output_type"] in ("stream", "error")]
        return pack_frame(["ran", good], {"outputs": [*errors, note]})


def serve(sock: Any, setup: dict[str, Any]) -> None:
    """Be the shell of a room until the grader closes its socket."""
    channel = Channel(sock)
    try:
        desk = _set_up(channel, setup)
    except BaseException:  # noqa: BLE001 - told to the grader: it is our failure
        channel.send(pack_frame(["broken", traceback.format_exc()]))
        return
    channel.send(pack_frame(["ready"]))
    desk.serve()


def _top(name: str) -> str:
    """Return what would be imported of a file beside the notebook."""
    return name.lstrip("./").partition("/")[0].partition(".")[0]


def _set_up(channel: Channel, setup: dict[str, Any]) -> Any:
    head, body = channel.receive()
    files = unpack_value(unpack_head(head)[1], body)
    do_without(setup["without"])
    # A copy of a forbidden package beside the notebook would be found in its place.
    work = {name: data for name, data in files["work"].items() if _top(name) not in setup["without"]}
    if setup["role"] == "examiner":
        proxy = importlib.import_module("fairmark.proxy")
        return proxy.ExaminerDesk(channel, setup, {**files, "work": work})
    place_files(WORK, work)
    return StudentDesk(channel, setup)
