"""Checks of a student's function: tasks, partial points, and the name of the likely mistake."""

from __future__ import annotations

import contextlib
import copy
import html
import inspect
import itertools
import math
import os
import secrets
import warnings
import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np

from fairmark.compare import (
    NotPlainError,
    class_name,
    compare,
    distance,
    is_array,
    is_number,
    is_plain,
    plain_array,
)
from fairmark.errors import GraderError
from fairmark.previews import preview
from fairmark.results import CheckResult, Visibility

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from fairmark.results import Comparison, Kind

OFFERED = ("function", "rng", "reference")
_Body = TypeVar("_Body", bound="Callable[..., Any]")
_LIMITS = {"title": 160, "message": 400, "hint": 300, "diagnosis": 300}
_VERDICTS = {"passed": "passed", "failed": "not yet", "error": "could not be judged"}


class Failure(Exception):  # noqa: N818 - an error would be ours
    """A check found the student's work wrong; the message is for the student.

    Parameters
    ----------
    message : str
    comparison : Comparison, optional
        The result beside the expected one, for the feedback page.
    """

    def __init__(self, message: str = "", *, comparison: Comparison | None = None) -> None:
        super().__init__(message)
        self.comparison = comparison


def agree(
    actual: object,
    expected: object,
    *,
    inside: int = 0,
    rtol: float = 1e-5,
    scale: float | None = None,
) -> None:
    """Pass where `actual` equals `expected`; otherwise say in plain words how it differs.

    Parameters
    ----------
    actual, expected : array, number, bool, list, str or None
        What the student's function returned, and what is right.
    inside : int
        So many pixels along each border are not looked at.
    rtol : float
        Allowed difference as a part of `scale`.
    scale : float, optional
        Usually the range of the input; by default the largest absolute value of `expected`.

    Raises
    ------
    Failure
        Where they differ.
    """
    difference = compare(actual, expected, inside=inside, rtol=rtol, scale=scale)
    if difference is not None:
        raise Failure(difference.message, comparison=preview(actual, expected, inside=inside))


def image_of(result: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a student's result as floating-point numbers that a check can calculate with.

    Raises
    ------
    Failure
        Where it is no array of numbers of this shape, or holds NaN.
    """
    if is_array(result) and result.dtype.kind == "b":
        result = np.asarray(result).astype(np.uint8)
    difference = compare(result, np.zeros(shape), rtol=math.inf, scale=1.0)
    if difference is not None:
        raise Failure(difference.message)
    return plain_array(result).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the student's function.

    Parameters
    ----------
    arguments, named : tuple, dict
        What went in, as it was before the call.
    result : object
        What came back; None where the function raised an exception.
    altered : tuple of str
        The arguments that the function altered, in words.
    raised : bool
        Whether the function ended with an exception.
    """

    arguments: tuple[Any, ...]
    named: dict[str, Any]
    result: Any
    altered: tuple[str, ...] = ()
    raised: bool = False


class Recorder:
    """Stands for the student's function in a check: same calls, same results, but nothing gets lost.

    The function gets copies of the arguments, so that a check's own arrays stay as they are; an alteration is
    noted in `calls`. What the function prints or warns about is dropped, because it could show the inputs,
    and because nbgrader takes a cell's warnings for an error. Its exceptions become a `Failure`.

    Parameters
    ----------
    function : callable
        The student's function, or a stand-in that calls it in another process.
    names : tuple of str
        Names of the parameters, for messages.
    """

    def __init__(self, function: Callable[..., Any], names: tuple[str, ...] = ()) -> None:
        self._function = function
        self._names = names
        self.calls: list[Call] = []

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the student's function and note what went in and what came out."""
        before, before_named = copy.deepcopy((arguments, named))
        given, given_named = copy.deepcopy((arguments, named))
        try:
            with _silence():
                result = self._function(*given, **given_named)
        except (KeyboardInterrupt, GraderError):
            raise  # stopped from outside, or our own failure: not the student's
        except BaseException as error:  # noqa: BLE001 - SystemExit and odd classes are the student's as well
            self.calls.append(Call(before, before_named, None, raised=True))
            raise Failure(_describe_exception(error)) from None
        if is_array(result):  # a plain copy, as from another process
            result = np.array(result, copy=True, subok=False)
        altered = tuple(
            [self._name(i) for i, value in enumerate(before) if _is_altered(value, given[i])]
            + [f"`{name}`" for name, value in before_named.items() if _is_altered(value, given_named[name])]
        )
        self.calls.append(Call(before, before_named, result, altered))
        return result

    def _name(self, position: int) -> str:
        known = position < len(self._names)
        return f"`{self._names[position]}`" if known else f"number {position + 1}"


def unaltered(function: Recorder) -> None:
    """Pass where no call so far altered the arrays that the student's function was given.

    Raises
    ------
    Failure
        Where one did.
    """
    for call in function.calls:
        if call.altered:
            names = ", ".join(call.altered)
            raise Failure(f"Your function altered its argument {names}; it must leave it as it was.")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a task: what the student reads, what it is worth, and the function that does it."""

    name: str
    title: str
    points: float
    hint: str
    body: Callable[..., Any]
    asks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A usual mistake: a sentence's end, and an implementation that makes it."""

    words: str
    body: Callable[..., Any]


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What checks found; as text it is the score alone, which nbgrader reads as partial credit.

    Parameters
    ----------
    title : str
        What the student reads above the checks.
    checks : tuple of CheckResult
    kind : {'code', 'git', 'environment'}
        What was looked at: a function, a repository, an environment file.
    """

    title: str
    checks: tuple[CheckResult, ...]
    kind: Kind = "code"

    @property
    def score(self) -> float:
        """Points that were reached."""
        return round(sum(check.score for check in self.checks), 6)

    @property
    def max_score(self) -> float:
        """Points that could be reached."""
        return round(sum(check.max_score for check in self.checks), 6)

    def __float__(self) -> float:
        """Return the score."""
        return float(self.score)

    def __repr__(self) -> str:
        """Return the score as a number."""
        return f"{self.score:.10g}"

    def _fairmark_report_(self) -> dict[str, Any]:
        """Return the report as plain data, for fairmark's grader."""
        checks = [asdict(check) for check in self.checks]
        return {
            "title": self.title,
            "kind": self.kind,
            "score": self.score,
            "max_score": self.max_score,
            "checks": checks,
        }

    def _repr_html_(self) -> str:
        """Return the report as a small table, for nbgrader's feedback pages."""
        rows = "".join(_html_row(check) for check in self.checks)
        caption = f"{html.escape(self.title)}: {self!r} of {self.max_score:.10g} points"
        head = "<thead><tr><th>Check</th><th>Points</th><th>Result</th></tr></thead>"
        return f"<table><caption>{caption}</caption>{head}<tbody>{rows}</tbody></table>"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one check ended, before the diagnosis."""

    check: Check
    status: Literal["passed", "failed", "error"]
    message: str = ""
    calls: tuple[Call, ...] = field(default=())
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A call with its right result, how far the student's is off, and what difference counts as none."""

    call: Call
    right: Any
    off: float
    tolerance: float


class Task:
    """What a student's function has to do: a reference, checks with points, and the usual mistakes.

    Parameters
    ----------
    title : str
        What the student reads above the checks.
    reference : callable
        A right implementation with the student's signature.
    expected : {"after_due_date", "visible", "after_published", "hidden"}
        When a student's feedback page may show expected images beside the student's.

    Examples
    --------
    >>> double = Task("Double", reference=lambda image: 2 * image)
    >>> @double.check(points=1, hint="Multiply by 2.")
    ... def ones_become_twos(function):
    ...     "Ones become twos."
    ...     agree(function(np.ones((2, 3))), np.full((2, 3), 2.0))
    >>> double.grade(lambda image: image + image)
    1
    """

    def __init__(
        self, title: str, *, reference: Callable[..., Any], expected: Visibility = "after_due_date"
    ) -> None:
        if expected not in get_args(Visibility):
            raise ValueError(f"{title!r}: expected={expected!r} is none of {', '.join(get_args(Visibility))}")
        self.title = title
        self.reference = reference
        self.expected = expected
        self.checks: list[Check] = []
        self.mistakes: list[Mistake] = []

    @property
    def points(self) -> float:
        """Sum of the checks' points; the notebook's cell has the same number."""
        return round(sum(check.points for check in self.checks), 6)

    def check(self, *, points: float, hint: str = "") -> Callable[[_Body], _Body]:
        """Register a check: a function that returns where all is well, and raises `Failure` where not.

        It receives only the arguments it names: ``function`` (the student's, in a `Recorder`), ``rng`` (a
        random generator of its own) and ``reference``. The first line of its docstring is the title that
        students read.
        """
        if not points > 0:
            raise ValueError(f"a check of {self.title!r} has {points} points: give it more than 0")

        def register(body: _Body) -> _Body:
            asks = tuple(inspect.signature(body).parameters)
            unknown = [name for name in asks if name not in OFFERED]
            if unknown:
                raise TypeError(
                    f"check {body.__name__!r} of {self.title!r} asks for {', '.join(unknown)}: "
                    f"a check may name {', '.join(OFFERED)}"
                )
            if body.__name__ in (check.name for check in self.checks):
                raise ValueError(f"{self.title!r} has two checks named {body.__name__!r}")
            title = _first_sentence(body, "check", self.title)
            self.checks.append(Check(body.__name__, title, points, hint, body, asks))
            return body

        return register

    def mistake(self, body: _Body) -> _Body:
        """Register a usual mistake, to be named where a student's result is exactly what it gives.

        Its docstring completes "Your result is exactly what comes out when the function …".
        """
        self.mistakes.append(Mistake(_first_sentence(body, "mistake", self.title), body))
        return body

    def grade(self, function: object, *, seed: int | None = None) -> Report:
        """Run all checks on a student's function.

        Parameters
        ----------
        function : object
            Anything; what cannot be called fails every check with words.
        seed : int, optional
            By default the environment variable ``FAIRMARK_SEED``, else a fresh random one.
        """
        if seed is None:
            seed = int(os.environ.get("FAIRMARK_SEED") or secrets.randbits(32))
        if callable(function):
            outcomes = [self._run(check, function, seed) for check in self.checks]
        else:
            words = f"A function is needed here, but there is {_describe_object(function)}."
            outcomes = [_Outcome(check, "failed", words) for check in self.checks]
        diagnoses = self._diagnose(outcomes)
        results = tuple(_judge(*pair) for pair in zip(outcomes, diagnoses, strict=True))
        return Report(_shorten(self.title, "title"), results)

    def _run(self, check: Check, function: Callable[..., Any], seed: int) -> _Outcome:
        """Run one check: return, `Failure` and anything else are passed, failed and our own error."""
        names = tuple(inspect.signature(self.reference).parameters)
        recorder = Recorder(function, names)
        rng = np.random.default_rng([seed, zlib.crc32(check.name.encode())])
        offer = {"function": recorder, "rng": rng, "reference": self.reference}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                check.body(**{name: offer[name] for name in check.asks})
        except (Failure, AssertionError) as error:
            message = str(error) or "The result is not as it should be."
            comparison = error.comparison if isinstance(error, Failure) else None
            if comparison is not None:
                comparison = replace(comparison, visibility=self.expected)
            return _Outcome(check, "failed", message, tuple(recorder.calls), comparison)
        except GraderError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever else happens here is our own fault
            odd = self._find_odd_result(recorder.calls)
            if odd or getattr(error, "_fairmark_of_student", False):  # set by what stands for their objects
                words = odd or f"What your function gave back cannot be used as an image: {error}"[:300]
                return _Outcome(check, "failed", words, tuple(recorder.calls))
            return _Outcome(check, "error", _describe_own_error(error), tuple(recorder.calls))
        words = self._find_disguise(recorder.calls)
        return _Outcome(check, "failed" if words else "passed", words, tuple(recorder.calls))

    def _find_disguise(self, calls: list[Call]) -> str:
        """Tell which result only looks like an array or a number: what it is asked, the student answers."""
        for call in calls:
            if not call.raised and not is_plain(call.result):
                expected = _ask(self.reference, call)
                if is_array(expected) or is_number(expected):
                    given, wanted = class_name(call.result), class_name(expected)
                    return f"Your function gave back a value of class {given}; {wanted} was expected."
        return ""

    def _find_odd_result(self, calls: list[Call]) -> str:
        """Tell which result is of a kind that a check could not go on with: the student's fault, not ours."""
        for call in calls:
            if call.raised:
                continue
            expected = self.reference(*copy.deepcopy(call.arguments), **copy.deepcopy(call.named))
            if is_array(expected) and is_array(call.result):
                difference = compare(call.result, expected, rtol=math.inf, scale=1.0)  # all but the numbers
                if difference is not None:
                    return difference.message
            elif is_array(expected) or type(expected) is not type(call.result):
                given, wanted = class_name(call.result), class_name(expected)
                return f"Your function gave back a value of class {given}; {wanted} was expected."
        return ""

    def _diagnose(self, outcomes: list[_Outcome]) -> list[str]:
        """Name for each failed check the mistake whose results are the student's, or nothing.

        Evidence counts: a mistake that explains every call of every check comes before one that explains all
        failed checks, and this one before one that explains only the check in question.
        """
        if all(outcome.status != "failed" for outcome in outcomes):
            return [""] * len(outcomes)
        numbers = range(len(self.mistakes))
        evidence = {o.check.name: self._collect_evidence(o) for o in outcomes}
        failed = [evidence[o.check.name] for o in outcomes if o.status == "failed" and evidence[o.check.name]]
        common = list(numbers)
        for calls in failed:
            common = [number for number in common if self._explains(number, calls)]
        passed = [evidence[o.check.name] for o in outcomes if o.status == "passed"]
        everywhere = [n for n in common if all(self._explains(n, calls, telling=False) for calls in passed)]
        words = []
        for outcome in outcomes:
            calls = evidence[outcome.check.name]
            found: list[int] = []
            if outcome.status == "failed" and calls:
                alone = (number for number in numbers if self._explains(number, calls))
                found = everywhere or common or list(itertools.islice(alone, 1))
            words.append(self.mistakes[found[0]].words if found else "")
        return words

    def _collect_evidence(self, outcome: _Outcome) -> list[_Evidence]:
        """Return a check's calls and the right results, the worst first; nothing if a call has no result."""
        if not self.mistakes:
            return []
        evidence = []
        for call in outcome.calls:
            right = _ask(self.reference, call)
            off = math.inf if call.raised else _distance(call.result, right)
            if call.raised or math.isinf(off):
                return []
            evidence.append(_Evidence(call, right, off, 1e-5 * _largest(call)))
        return sorted(evidence, key=lambda one: -one.off)

    def _explains(self, number: int, evidence: list[_Evidence], *, telling: bool = True) -> bool:
        """Tell whether a mistake gives the student's results on all these calls.

        `telling` asks in addition for a call where the student's result is much nearer to the mistake's than
        the mistake's is to the right one: where mistake and reference agree, nothing is proved.
        """
        proved = not telling
        for one in evidence:
            value = _ask(self.mistakes[number].body, one.call)
            off = _distance(one.call.result, value)
            if not off <= one.tolerance:
                return False
            proved = proved or 100 * off < _distance(value, one.right) > 1e-4 * one.tolerance
        return proved


class _Silent:
    """Swallows what is printed."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is kept."""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drop output and warnings, and undo changes of how numpy treats its own."""
    silent: Any = _Silent()
    with (
        contextlib.redirect_stdout(silent),
        contextlib.redirect_stderr(silent),
        warnings.catch_warnings(),
        np.errstate(),
    ):
        warnings.simplefilter("ignore")
        yield


def _ask(function: Callable[..., Any], call: Call) -> Any:
    """Return what `function` gives on a call's inputs; what it cannot do equals nothing."""
    arguments, named = copy.deepcopy((call.arguments, call.named))
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function(*arguments, **named)
    except Exception:  # noqa: BLE001 - a mistake need not work for every input
        return None


def _distance(actual: object, expected: object) -> float:
    """Return the largest difference; infinite where one of both is no array of numbers."""
    try:
        return distance(actual, expected)
    except NotPlainError:
        return math.inf


def _largest(call: Call) -> float:
    """Return the largest number that went into a call."""
    arrays = [value for value in (*call.arguments, *call.named.values()) if is_array(value) and value.size]
    sizes = [float(np.abs(array).max()) for array in arrays if array.dtype.kind in "iuf"]
    return max(sizes, default=1.0)


def _is_altered(before: Any, after: Any) -> bool:
    """Tell whether plain data were altered; the student's side of it is never asked."""
    if isinstance(before, np.ndarray):
        same_frame = before.shape == after.shape and before.dtype == after.dtype
        return not (same_frame and before.tobytes() == after.tobytes())
    if type(before) is not type(after):
        return True
    if isinstance(before, list | tuple):
        return len(before) != len(after) or any(map(_is_altered, before, after))
    if isinstance(before, dict):
        return before.keys() != after.keys() or any(_is_altered(before[key], after[key]) for key in before)
    return False


def _judge(outcome: _Outcome, diagnosis: str) -> CheckResult:
    """Turn an outcome into the record that is kept, with all texts cut to size."""
    check, passed = outcome.check, outcome.status == "passed"
    if diagnosis:
        diagnosis = f"Your result is exactly what comes out when the function {diagnosis.rstrip('.')}."
    return CheckResult(
        title=_shorten(check.title, "title"),
        status=outcome.status,
        score=check.points if passed else 0.0,
        max_score=check.points,
        message=_shorten(outcome.message, "message"),
        hint=_shorten(check.hint, "hint") if outcome.status == "failed" else "",
        diagnosis=_shorten(diagnosis, "diagnosis"),
        comparison=outcome.comparison,
    )


def _shorten(text: str, part: str) -> str:
    """Return one printable line of limited length."""
    limit = _LIMITS[part]
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _first_sentence(body: Callable[..., Any], what: str, title: str) -> str:
    """Return the first paragraph of a docstring as one line."""
    text = inspect.getdoc(body)
    if not text:
        raise ValueError(f"{what} {body.__name__!r} of {title!r} has no docstring: students read it")
    return " ".join(text.split("\n\n")[0].split())


def _describe_exception(error: BaseException) -> str:
    """Say in one line what the student's function raised."""
    try:
        text = str(error)[:1000]
    except Exception:  # noqa: BLE001 - a student's class may do anything here
        text = ""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    kind = class_name(error)
    if isinstance(error, NotImplementedError):
        return "Your function is not written yet: it raised NotImplementedError."
    if isinstance(error, SystemExit):
        return "Your function ended the program: it must not call exit() or quit()."
    if kind == "StudentError":  # its text starts with the name of the student's own class
        return f"Your function raised {first[:200]}"
    if kind == "StudentStopped":  # its text says which limit was exceeded
        return f"Your function had no result: {first[:200]}"
    return f"Your function raised {kind}" + (f": {first[:200]}" if first else ".")


def _describe_own_error(error: Exception) -> str:
    """Say where a check of ours broke, without the data that it worked on."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" in {Path(code.co_filename).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return f"This check could not be carried out ({type(error).__name__}{place}). It is our fault, not yours."


def _describe_object(value: object) -> str:
    """Name a thing that is no function."""
    if value is None:
        return "None"
    if is_array(value):
        return "an array: give the function itself, without calling it"
    if type(value) in (bool, int, float, complex) or isinstance(value, np.generic):
        return "a number: give the function itself, without calling it"
    return f"an object of the class {class_name(value)}"


def _html_row(check: CheckResult) -> str:
    """Return one check as a row of the table."""
    parts = [f"<strong>{_VERDICTS.get(check.status, check.status)}</strong>"]
    parts += [html.escape(text) for text in (check.message, check.diagnosis) if text]
    if check.hint:
        parts.append(f"<em>{html.escape(check.hint)}</em>")
    points = f"{check.score:.10g} of {check.max_score:.10g}"
    return f"<tr><td>{html.escape(check.title)}</td><td>{points}</td><td>{'<br>'.join(parts)}</td></tr>"
