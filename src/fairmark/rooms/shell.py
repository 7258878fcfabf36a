"""IPython's shell for rooms: what cells show becomes data, and what is slow is done once, before they open.

In rooms it runs beside code that is not trusted, and nothing here is relied on.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Instance, Type
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

TRACEBACK_CHARACTERS = 20_000


class Outputs:
    """Collects what a cell shows, in order, as nbformat's outputs; stops at the limits."""

    def __init__(self, size: int, count: int) -> None:
        self.size, self.count = size, count
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.items: list[dict[str, Any]] = []
        self.left = self.size
        self.dropped = False

    def add(self, output: dict[str, Any], size: int) -> None:
        """Append one output of about `size` bytes; an error always has a place."""
        if (size > self.left or len(self.items) >= self.count) and output["output_type"] != "error":
            self.dropped = True
            return
        self.left -= size
        self.items.append(output)

    def write(self, name: str, text: str) -> None:
        """Append text of the stream `name`, to the last output where that is the same stream."""
        if len(text) > self.left:
            text, self.dropped = text[: max(self.left, 0)], True
        if not text:
            return
        last = self.items[-1] if self.items else {}
        if last.get("output_type") == "stream" and last.get("name") == name:
            last["text"].append(text)
            self.left -= len(text)
        else:
            self.add({"output_type": "stream", "name": name, "text": [text]}, len(text))

    def take(self) -> list[dict[str, Any]]:
        """Return the outputs, and forget them."""
        items = [
            {**item, "text": "".join(item["text"])} if item["output_type"] == "stream" else item
            for item in self.items
        ]
        if self.dropped:
            note = "[the rest of the output was left out: it is too long]\n"
            items.append({"output_type": "stream", "name": "stderr", "text": note})
        self.clear()
        return items


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of a room."""

    encoding = "utf-8"

    def __init__(self, outputs: Outputs, name: str) -> None:
        self.outputs = outputs
        self.name = name

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Append to the outputs."""
        self.outputs.write(self.name, str(text))
        return len(text)

    def fileno(self) -> int:
        """Refuse: there is no file."""
        raise io.UnsupportedOperation("a notebook's output is no file")


def _size(data: dict[str, Any]) -> int:
    return sum(len(value) for value in data.values() if isinstance(value, (str, bytes)))


def _as_text(data: dict[str, Any]) -> dict[str, Any]:
    """Encode pictures as nbformat does."""
    import base64  # noqa: PLC0415

    return {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in data.items()
    }


class _Hook(DisplayHook):
    """Collects the value of a cell's last expression."""

    shell: Shell

    def __call__(self, result: Any = None) -> None:
        self.shell.last_value = result
        super().__call__(result)  # type: ignore[no-untyped-call]

    def write_output_prompt(self) -> None:
        """Print no prompt."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        data = _as_text(format_dict)
        output = {
            "output_type": "execute_result",
            "data": data,
            "metadata": md_dict or {},
            "execution_count": self.prompt_count,
        }
        self.shell.outputs.add(output, _size(data))

    def finish_displayhook(self) -> None:
        """Print no line end."""


class _Publisher(DisplayPublisher):
    """Collects what ``display`` is called with."""

    shell: Shell

    def publish(self, data: dict[str, Any], metadata: Any = None, **_: Any) -> None:  # type: ignore[override]
        data = _as_text(data)
        output = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
        self.shell.outputs.add(output, _size(data))

    def clear_output(self, wait: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        self.shell.outputs.clear()


class _Compiler(CachingCompiler):
    """Lets what writes tracebacks know at once that a cell lies in no module's file.

    Otherwise `inspect` looks through all modules, several times for each frame of a cell.
    """

    def cache(self, *args: Any, **kwargs: Any) -> str:
        name = super().cache(*args, **kwargs)
        files = getattr(inspect, "modulesbyfile", {})
        files[name] = files[os.path.abspath(name)] = ""  # noqa: PTH100 - as `inspect` does it
        return name


class _Transformer(TransformerManager):
    """Looks for IPython's own syntax where a cell is no plain Python: that takes longer than many cells."""

    def do_token_transforms(self, lines: list[str]) -> list[str]:
        text = "".join(lines)
        # An escape that Python does not know is told, and once is enough.
        if self.token_transformers == _TOKENS and "\\" not in text and _is_python(text):
            return lines
        return super().do_token_transforms(lines)  # type: ignore[no-untyped-call, no-any-return]


_TOKENS = TransformerManager().token_transformers  # a cell may change those of its room


def _is_python(text: str) -> bool:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        compile(text, "cell", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class Shell(InteractiveShell):
    """IPython without a terminal and without a kernel: outputs become data."""

    compiler_class = Type(_Compiler)
    input_transformer_manager = Instance(_Transformer, ())
    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)

    def __init__(self) -> None:
        self.outputs = Outputs(10**6, 10)
        self.last_value: Any = None
        self.drain: Callable[[], None] = lambda: None
        self.hidden: CodeType | None = None  # of a function of ours that no traceback shows
        # A room has one shell, and `display` and `get_ipython` have to find it.
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.autocall = 0
        super().__init__(config=config, user_ns={})  # type: ignore[no-untyped-call]

    def move_in(self, outputs: Outputs, namespace: dict[str, Any]) -> None:
        """Begin anew in a room: with these outputs and global names, and nothing of what was before."""
        self.outputs = outputs
        self.last_value = None
        self.execution_count = 1
        self.displayhook._ = self.displayhook.__ = self.displayhook.___ = ""
        self.history_manager.reset()  # type: ignore[union-attr]
        self.init_create_namespaces(user_ns=namespace)  # type: ignore[no-untyped-call]
        self.init_sys_modules()  # type: ignore[no-untyped-call]
        self.init_user_ns()  # type: ignore[no-untyped-call]
        self.Completer.namespace = self.user_ns
        Path(self.profile_dir.location).mkdir(parents=True, exist_ok=True)  # type: ignore[union-attr]

    def init_io(self) -> None:
        """Leave the streams to `capture`."""

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        text = "\n".join(stb)
        if len(text) > TRACEBACK_CHARACTERS:
            half = TRACEBACK_CHARACTERS // 2
            text = f"{text[:half]}\n[…]\n{text[-half:]}"
        output = {
            "output_type": "error",
            "ename": str(getattr(etype, "__name__", "Error"))[:200],
            "evalue": message_of(evalue)[:TRACEBACK_CHARACTERS],
            "traceback": text.split("\n"),
        }
        self.outputs.add(output, len(text))

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        kind, error, traceback = super()._get_exc_info(exc_tuple)  # type: ignore[no-untyped-call]
        place = traceback
        while place is not None:
            while place.tb_next is not None and place.tb_next.tb_frame.f_code is self.hidden:
                place.tb_next = place.tb_next.tb_next
            place = place.tb_next
        return kind, error, traceback

    def _format_exception_for_storage(self, *_: Any, **__: Any) -> None:
        """Leave out what IPython would keep of an error for a history: it costs as much as the traceback."""

    def system(self, cmd: str) -> None:
        """Run a command of the system's; a room has no terminal to lend to it."""
        line = self.var_expand(cmd, depth=1)  # type: ignore[no-untyped-call]
        done = subprocess.run(line, shell=True, check=False)  # noqa: S602 - the student's own, in their room
        self.user_ns["_exit_code"] = done.returncode
        self.drain()

    def ask_exit(self) -> None:
        """Let ``exit()`` and ``quit()`` do nothing, as in a notebook that goes on."""

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: there is no screen."""

    def enable_matplotlib(self, gui: str | None = None) -> tuple[str, str]:  # noqa: ARG002
        """Show figures inline, whatever ``%matplotlib`` asks for."""
        integrate_matplotlib(self)
        return "inline", "module://matplotlib_inline.backend_inline"


def message_of(error: BaseException) -> str:
    """Return an exception's message, whatever its ``__str__`` does."""
    try:
        return str(error)
    except BaseException:  # noqa: BLE001
        return ""


def warm(role: str) -> None:
    """Import and build in the zygote what every room of `role` needs."""
    if role == "examiner":
        importlib.import_module("fairmark.proxy")
    for name in ("matplotlib_inline.backend_inline", "IPython.core.magics", "IPython.core.completer"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    # A shell takes longer to build than a small notebook to run: each room gets a copy of this one, and moves
    # in.
    main = sys.modules["__main__"]
    shell = Shell.instance()
    integrate_matplotlib(shell)
    shell.run_cell("pass", store_history=True)  # type: ignore[no-untyped-call]
    sys.modules["__main__"] = main


# What every second notebook does. The first time, each of these reads sources and fills caches, which takes
# up to a hundred times as long as all later times.
_REHEARSAL = ("1 + 1", "import numpy as np\nnp.arange(3) / 7", "assert 1 == 2", "absent")
_TESTS = ("import numpy as np\nnp.testing.assert_allclose(1, 2)",)
_FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2], label='a')\nplt.legend()\nplt.title('a')"


def rehearse(role: str) -> None:
    """Do once in the zygote, after its imports, what is slow the first time: show values, figures, errors."""
    main = sys.modules["__main__"]
    shell = Shell.instance()
    cells = [*_REHEARSAL, *(_TESTS if role == "examiner" else ())]
    if role == "student" and "matplotlib.pyplot" in sys.modules:  # it may be forbidden, or is never used
        cells += [_FIGURE]
    for source in cells:
        shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
    if role == "examiner":
        importlib.import_module("fairmark.proxy").rehearse(shell)
    shell.outputs.clear()
    sys.modules["__main__"] = main
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        vars(sys).pop(name, None)


class _Absent:
    """Says at an import what the assignment does without; that it is not there does not depend on this."""

    def __init__(self, modules: list[str]) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002
        """Refuse these modules, and leave all others to Python."""
        if any(name == module or name.startswith(f"{module}.") for module in self.modules):
            words = f"No module named {name!r}: this notebook has to be solved without {_list(self.modules)}"
            raise ModuleNotFoundError(words, name=name)


def _list(words: list[str]) -> str:
    return ", ".join(words)


def do_without(modules: list[str]) -> None:
    """Let imports of these modules fail with words; of those of an earlier call no longer."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Absent)]
    if modules:
        sys.meta_path.insert(0, _Absent(modules))
        for name in list(sys.path_importer_cache):
            sys.path_importer_cache.pop(name)


def integrate_matplotlib(shell: InteractiveShell) -> None:
    """Show figures at the end of a cell, as a kernel does, without waiting for ``%matplotlib``."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
        from IPython.core.pylabtools import select_figure_formats  # noqa: PLC0415
        from matplotlib_inline.backend_inline import flush_figures  # noqa: PLC0415
        from matplotlib_inline.config import InlineBackend  # noqa: PLC0415
    except ImportError:
        return
    backend = InlineBackend.instance(parent=shell)
    backend.shell = shell
    mpl.interactive(b=True)
    if flush_figures not in shell.events.callbacks["post_execute"]:
        shell.events.register("post_execute", flush_figures)
    select_figure_formats(shell, backend.figure_formats, **backend.print_figure_kwargs)


@contextmanager
def leave_figures_undrawn(shell: InteractiveShell) -> Iterator[None]:
    """Show figures as words meanwhile: to draw one takes longer than all else that most cells do."""
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    printers = [formatter.type_printers for formatter in shell.display_formatter.formatters.values()]  # type: ignore[union-attr]
    kept = [(each, each.pop(figure, None)) for each in printers]
    try:
        yield
    finally:
        if not any(figure in each for each in printers):  # the cell has not chosen a format itself
            for each, printer in kept:
                if printer is not None:
                    each[figure] = printer
