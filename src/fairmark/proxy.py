"""The examiner's room: its cells' names, and the stand-ins for what lives in the student's room."""

from __future__ import annotations

import builtins
import os
import sys
import traceback
import types
from contextlib import nullcontext
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from fairmark import inquiry
from fairmark.rooms.desk import OPERATORS, TRUSTED, WORK, Desk, place_files
from fairmark.rooms.shell import leave_figures_undrawn
from fairmark.rooms.wire import Channel, WireError, pack_frame, unpack_head, unpack_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairmark.rooms.shell import Shell

_Kind = TypeVar("_Kind")
_OF_STUDENT = "_fairmark_of_student"
# Programs that a test starts look for modules and settings in the folder that they are started in. There lie
# the student's files: in this room they are data.
_CAREFUL = {
    "PYTHONSAFEPATH": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "explicit",
}
_ORDERS = frozenset({".git", "matplotlibrc"})
_TRUSTED_ROOTS = ("autograder", "fairmark", "__main__")


class StudentError(Exception):
    """The student's code raised an exception that is of no builtin class."""


class StudentStopped(Exception):  # noqa: N818 - it is what happened, in the words of the limits
    """The student's code was stopped, because it took too long or too much, or ended on its own."""


class Link:
    """Asks the student's room, by way of the grader, and serves its call backs meanwhile."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.callables: list[Callable[..., Any]] = []
        self.asked = 0

    def refer(self, value: Any) -> list[Any]:
        """Return the reference under which `value` crosses to the student's room."""
        if isinstance(value, StandIn):
            return ["r", object.__getattribute__(value, "_number")]
        if isinstance(value, types.ModuleType):
            raise WireError(f"the module {value.__name__} cannot be handed to a student's function")
        if callable(value):
            module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
            if module is None and isinstance(value, np.ufunc):
                module, name = "numpy", value.__name__
            if _is_importable(value, module, name):
                return ["f", module, name]
            self.callables.append(value)
            return ["k", len(self.callables) - 1]
        raise WireError(f"a value of class {type(value).__name__} cannot cross: only plain data can")

    def resolve(self, node: list[Any]) -> Any:
        """Return the stand-in for an object that stays in the student's room."""
        if (
            node[0] == "r"
            and len(node) == 4
            and type(node[1]) is int
            and isinstance(node[2], str)
            and isinstance(node[3], bool)
        ):
            return StandIn(self, node[1], node[2][:200])
        raise WireError("a reference that is none")

    def ask(self, question: str, *value: Any) -> Any:
        """Ask the student's room one question and return the answer.

        Raises
        ------
        Exception
            What the student's code raised: a builtin exception as itself, another as `StudentError`;
            `StudentStopped` where its room was stopped.
        """
        self.asked += 1
        try:
            frame = pack_frame(["ask", question], value, self.refer)
        except WireError as error:
            raise TypeError(str(error)) from None
        self.channel.send(frame)
        while True:
            head, body = self.channel.receive()
            message, tree = unpack_head(head)
            if message[0] == "callback":
                self._call_back(message, tree, body)
            elif message[0] == "stopped":
                raise StudentStopped(str(message[1]))
            elif message[0] == "answer":
                return self._read_answer(message, tree, body, question, value)
            else:
                raise WireError(f"unexpected message {str(message[0])[:20]}")

    def inquire(self, topic: str, question: Any) -> Any:
        """Ask the grader itself, for what no room can see.

        Raises
        ------
        NobodyAnswers
            Where it has no answer.
        """
        self.channel.send(pack_frame(["inquire", topic], question))
        head, body = self.channel.receive()
        message, tree = unpack_head(head)
        if message[0] != "told":
            raise WireError(f"unexpected message {str(message[0])[:20]}")
        answer = unpack_value(tree, body)
        if message[1] is not True:
            raise inquiry.NobodyAnswers(str(answer))
        return answer

    def _read_answer(
        self, message: list[Any], tree: Any, body: bytes, question: str, value: tuple[Any, ...]
    ) -> Any:
        try:
            answer = unpack_value(tree, body, self.resolve)
            if message[1] is not True:
                raise _to_exception(answer, of_next=question == "convert" and value[0] == "next")
            result, changed, printed = answer
            changed, printed = dict(changed), str(printed)
        except (WireError, TypeError, ValueError) as error:
            if isinstance(error, WireError) or message[1] is True:
                raise StudentError(f"what the function returned is not well formed: {error}") from None
            raise
        if printed:
            sys.stdout.write(printed)
        if changed and question == "call":
            _carry_over(changed, *value[1:])
        return result

    def _call_back(self, message: list[Any], tree: Any, body: bytes) -> None:
        try:
            args, kwargs = unpack_value(tree, body, self.resolve)
            number = message[1]
            if type(number) is not int or not 0 <= number < len(self.callables):
                raise WireError("no such call back")
            frame = pack_frame(["called"], (True, self.callables[number](*args, **kwargs)), self.refer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the student's function gets it
            frame = pack_frame(["called"], (False, f"{type(error).__name__}: {error}"))
        self.channel.send(frame)


def _is_importable(value: object, module: str | None, name: str | None) -> bool:
    """Tell whether `value` can be found by name in an installed package, in any room."""
    if not module or not name or module.split(".")[0] in _TRUSTED_ROOTS or "<" in name:
        return False
    found: Any = sys.modules.get(module)
    if found is None or str(getattr(found, "__file__", "")).startswith((TRUSTED, "/course")):
        return False
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is value


def _to_exception(description: Any, *, of_next: bool) -> Exception:
    """Build the exception that the student's code raised from its description as plain data.

    ``StopIteration`` is one only for `next`: elsewhere it would end a loop of the test's.
    """
    if not isinstance(description, dict):
        return StudentError("the student's code failed")
    words = {key: str(description.get(key, "")) for key in ("class", "builtin", "message", "traceback")}
    kind = getattr(builtins, words["builtin"], None)
    error: Exception
    if isinstance(kind, type) and issubclass(kind, Exception) and kind not in (Exception, StopIteration):
        try:
            error = kind(words["message"])
        except TypeError:  # UnicodeDecodeError and its like want more arguments
            error = (
                ValueError(words["message"])
                if issubclass(kind, ValueError)
                else StudentError(words["message"])
            )
    elif words["builtin"] == "StopIteration" and of_next:
        error = StopIteration()
    else:
        error = StudentError(f"{words['class']}: {words['message']}")
    error.__dict__[_OF_STUDENT] = True
    if words["traceback"]:
        error.add_note("In the student's code:\n" + words["traceback"])
    return error


def _carry_over(changed: dict[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Give the arguments of a call the state that the student's function left them in."""
    for place, new in changed.items():
        if isinstance(place, str):
            old = kwargs.get(place)
        else:
            old = args[place] if type(place) is int and 0 <= place < len(args) else None
        if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
            if old.shape == new.shape and old.flags.writeable:
                np.copyto(old, new, casting="unsafe")
        elif isinstance(old, (list, bytearray)) and isinstance(new, (list, bytes)):
            old[:] = new
        elif (isinstance(old, dict) and isinstance(new, dict)) or (
            isinstance(old, set) and isinstance(new, set)
        ):
            old.clear()
            old.update(new)


def _incomparable(name: str) -> Callable[..., Any]:
    def compare(self: StandIn, other: object) -> bool:  # noqa: ARG001
        kind = object.__getattribute__(self, "_name")
        raise TypeError(
            f"an object of the student's ({kind}) cannot be compared: compare plain data, "
            "such as numbers, texts, lists or arrays"
        )

    compare.__name__ = name
    return compare


class StandIn:
    """Stands for an object in the student's room: attributes, items and calls go across.

    It cannot be compared with anything, because the comparison would be the student's code.
    """

    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # numpy's operators leave it alone
    __eq__ = _incomparable("__eq__")
    __ne__ = _incomparable("__ne__")
    __lt__ = _incomparable("__lt__")
    __le__ = _incomparable("__le__")
    __gt__ = _incomparable("__gt__")
    __ge__ = _incomparable("__ge__")

    def __init__(self, link: Link, number: int, name: str) -> None:
        object.__setattr__(self, "_link", link)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "__name__", name)

    def __copy__(self) -> StandIn:
        return self

    def __deepcopy__(self, _: Any) -> StandIn:
        return self

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        return _ask(self, "call", args, kwargs)

    def __getattr__(self, name: str) -> Any:
        # What IPython and our own shell look for is never the student's to give.
        hooks = ("_repr_", "_ipython_", "_fairmark_")
        if name.startswith(hooks) or (name.startswith("__") and name != "__annotations__"):
            raise AttributeError(name)
        return _ask(self, "get", name)

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return _ask(self, "get", "__doc__")

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "put", name, value)

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "put_item", key, value)

    def __iter__(self) -> Iterator[Any]:
        iterator = _convert(self, "iter")
        while True:
            try:
                yield _convert(iterator, "next")
            except StopIteration:
                return

    def __next__(self) -> Any:
        return _convert(self, "next")

    def __len__(self) -> int:
        return _plain(_convert(self, "len"), int)

    def __bool__(self) -> bool:
        return _plain(_convert(self, "bool"), bool)

    def __int__(self) -> int:
        return _plain(_convert(self, "int"), int)

    def __float__(self) -> float:
        return _plain(_convert(self, "float"), float)

    def __str__(self) -> str:
        return _plain(_convert(self, "str"), str)

    def __repr__(self) -> str:
        return f"<{object.__getattribute__(self, '_name')} in the student's notebook>"


def _ask(stand_in: StandIn, question: str, *value: Any) -> Any:
    link: Link = object.__getattribute__(stand_in, "_link")
    return link.ask(question, stand_in, *value)


def _convert(value: Any, name: str) -> Any:
    if not isinstance(value, StandIn):
        return getattr(builtins, name)(value)
    link: Link = object.__getattribute__(value, "_link")
    return link.ask("convert", name, value)


def _plain(value: Any, kind: type[_Kind]) -> _Kind:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__} from the student's object, got {type(value).__name__}")
    return value


def _forward(name: str, *, reflected: bool = False) -> Callable[..., Any]:
    def operate(self: StandIn, *others: Any) -> Any:
        if not all(isinstance(other, StandIn) for other in others):
            # The operand is the test's, and may be what is expected: the student's operator must not see it.
            kind = object.__getattribute__(self, "_name")
            raise TypeError(
                f"there is no arithmetic with an object of the student's ({kind}): use plain parts"
            )
        link: Link = object.__getattribute__(self, "_link")
        return link.ask("operate", name, *((*others, self) if reflected else (self, *others)))

    return operate


for _name in OPERATORS:
    setattr(StandIn, f"__{_name.rstrip('_')}__", _forward(_name))
    if _name not in ("neg", "pos", "abs", "invert"):
        setattr(StandIn, f"__r{_name.rstrip('_')}__", _forward(_name, reflected=True))


class Names(dict[str, Any]):
    """The global names of the examiner's cells.

    A name that an instructor's cell binds is the instructor's, even where that cell has failed and it is not
    bound; a name that the instructor's own solution binds, and any other free name, is looked up in the
    student's room. No student's name hides a builtin, unless the instructor's solution binds that name.
    """

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self.students: frozenset[str] = frozenset()
        self.instructors: frozenset[str] = frozenset()
        self.imports: dict[str, str] = {}
        self.own: set[str] = set()  # names of the student's that this cell has bound itself
        self.carries = True  # the student's room does not run this cell: what it does to names must cross
        self.unbound = ""  # the last name of the instructor's that was asked for and not there
        self.cache: tuple[int, dict[str, Any]] = (0, {})

    def begin(self, cell: dict[str, Any]) -> None:
        """Start a cell: tell whose the names are, and which statements the solution's imports are."""
        for name in self.own & (self.students if self.carries else set()):
            self.pop(name, None)  # what a test bound to a name of the student's ends with the test
        self.own.clear()
        self.students, self.instructors = cell["students"], cell["instructors"]
        self.imports, self.carries = cell["imports"], cell["carries"]
        self.unbound = ""
        self.cache = (0, {})

    def __getitem__(self, name: str) -> Any:
        if name in self.students and name not in self.own:
            return self._look_up(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Any:
        if name.startswith("__") or hasattr(builtins, name):
            raise KeyError(name)
        if name in self.imports:
            exec(self.imports[name], self)  # noqa: S102 - an import statement of the instructor's
            return super().__getitem__(name)
        if name in self.instructors:
            self.unbound = name
            raise KeyError(name)
        return self._look_up(name)

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self.students:
            # From here to its end the cell reads its own value: never what the student's room says of it.
            self.own.add(name)
            # A function takes the place of the student's in their room, too. Other values stay here: a test's
            # own counters and expected values may bear names that the reference solution uses as well.
            if self.carries and callable(value):
                self.link.ask("bind", name, value)
                self.cache = (0, {})
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        if name in self.students or (not super().__contains__(name) and not name.startswith("__")):
            self._look_up(name)  # a name that is not there cannot be deleted
            self.link.ask("unbind", name)
            self.students |= {name}  # until the cell ends: what puts it back has to cross, too
            self.own.discard(name)
            self.cache = (0, {})
        else:
            super().__delitem__(name)

    def _look_up(self, name: str) -> Any:
        # Plain data is a copy: within a cell it has to be the same copy each time, unless the student's
        # code ran in between.
        asked, cache = self.cache
        if asked == self.link.asked and name in cache:
            return cache[name]
        try:
            value = self.link.ask("look_up", name)
        except NameError:
            raise KeyError(name) from None
        kept = cache if asked == self.link.asked - 1 else {}
        kept[name] = value
        self.cache = (self.link.asked, kept)
        return value


class ExaminerDesk(Desk):
    """The examiner's room: runs the instructor's read-only cells and the graded test cells."""

    def __init__(self, channel: Channel, setup: dict[str, Any], files: dict[str, dict[str, bytes]]) -> None:
        self.link = Link(channel)
        self.names = Names(self.link)
        super().__init__(channel, setup, self.names)
        inquiry.answer_by(self.link.inquire)
        self.kept = frozenset(files["trusted"])
        place_files(TRUSTED, files["trusted"])
        place_files(WORK, _choose_data(files["work"]))
        place_files(WORK, files["trusted"])
        sys.path.insert(0, TRUSTED)
        os.environ |= _CAREFUL | {"FAIRMARK_SEED": str(setup["seed"])}

    def obey(self, message: list[Any], tree: Any, body: bytes) -> None:  # noqa: ARG002 - all it is told is to run
        """Run a cell."""
        self._run(unpack_value(tree, body))

    def _run(self, cell: dict[str, Any]) -> None:
        self.link.callables.clear()  # a function that knows the answers must not outlive its test
        place_files(WORK, _choose_data(cell["files"]), self.kept)
        self.names.begin(cell)
        # Nobody looks at what an instructor's cell shows here: the student's room shows it as well.
        with nullcontext() if cell["carries"] else leave_figures_undrawn(self.shell):
            good, outputs = self.run_cell(cell["source"])
        score, report = _read_value(self.shell.last_value)
        verdict = {
            "outputs": [
                output for output in outputs if output["output_type"] != "stream" or not cell["quiet"]
            ],
            "score": score,
            "report": report,
            "ours": "" if good else _blame(self.error, started=self.started),
            "unbound": self.names.unbound if isinstance(self.error, NameError) else "",
        }
        try:
            frame = pack_frame(["ran", good], verdict)
        except WireError as error:
            frame = pack_frame(["ran", False], verdict | {"outputs": [], "report": None, "ours": str(error)})
        self.channel.send(frame)


class _Refusal:
    """A channel on which every question fails."""

    def send(self, frame: bytes) -> None:
        """Drop a frame."""

    def receive(self) -> Any:
        """Fail, as a student's function does."""
        raise ValueError


def rehearse(shell: Shell) -> None:
    """Show an error that comes from the student's room: the first takes long."""
    name = "of_student"
    shell.user_ns[name] = StandIn(Link(cast("Channel", _Refusal())), 0, name)
    shell.run_cell(f"{name}(1)", store_history=True)  # type: ignore[no-untyped-call]


def _choose_data(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return a student's files but for those from which programs started here would take orders."""
    return {
        name: data
        for name, data in files.items()
        if not _ORDERS.intersection(part.lower() for part in PurePosixPath(name).parts)
    }


def _blame(error: BaseException | None, *, started: bool) -> str:
    """Return words where a test failed by our own or the author's fault, whatever the student did."""
    if error is None or _OF_STUDENT in error.__dict__:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    importing = any(frame.filename.startswith("<frozen importlib") for frame in frames)
    missing = isinstance(error, ImportError) and error.name is not None
    # A SyntaxError that was raised while the cell ran came from what the test itself has compiled.
    if importing or missing or (isinstance(error, SyntaxError) and not started):
        return f"the test cannot run: {type(error).__name__}: {error}"
    return ""


def _read_value(value: Any) -> tuple[float | None, Any]:
    """Return the points and the report that a test cell's last expression stands for."""
    report = getattr(type(value), "_fairmark_report_", None)
    if report is not None and not isinstance(value, StandIn):
        document = report(value)
        return float(document["score"]), document
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return None, None
    return float(np.real(value)), None
