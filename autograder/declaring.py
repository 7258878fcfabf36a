"""Ways to declare checks that tasks of all notebooks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fairmark.checks import Failure, Recorder, Task, agree, unaltered

Cases = Callable[[np.random.Generator], Iterable[tuple[Any, ...]]]


def expect(  # noqa: PLR0913 - one declaration of a check needs all its words
    task: Task, name: str, title: str, cases: Cases, *, points: float, hint: str, rtol: float = 1e-5
) -> None:
    """Declare a check that compares with the reference on inputs that depend on the seed."""

    def body(function: Recorder, rng: np.random.Generator, reference: Callable[..., Any]) -> None:
        for arguments in cases(rng):
            expected = reference(*arguments)
            agree(function(*arguments), expected, rtol=rtol)

    body.__name__, body.__doc__ = name, title
    task.check(points=points, hint=hint)(body)


def expect_arguments_left_alone(task: Task, cases: Cases, *, points: float) -> None:
    """Declare a check that what goes in stays as it is, while what comes out is right."""

    def body(function: Recorder, rng: np.random.Generator, reference: Callable[..., Any]) -> None:
        for arguments in cases(rng):
            expected = reference(*arguments)
            result = function(*arguments)
            unaltered(function)
            agree(result, expected)

    body.__name__ = "arguments_left_alone"
    body.__doc__ = "What goes into the function is the same afterwards."
    task.check(points=points, hint="Make a new array, for example with image.astype(float) or image.copy().")(
        body
    )


def refused(function: Recorder, *arguments: Any, what: str) -> None:
    """Pass where the student's function refuses the arguments with a ValueError.

    Raises
    ------
    Failure
        Where it accepts them, or ends in another way.
    """
    try:
        function(*arguments)
    except Failure as failure:
        if function.calls and function.calls[-1].raised and "ValueError" in str(failure):
            return
        raise Failure(f"For {what} the function must raise a ValueError. {failure}") from None
    raise Failure(f"For {what} the function must raise a ValueError, but it gave back a result.")
