"""Lets Ctrl-C, a kill and a closed terminal end a command, at whatever moment and however often they come."""

from __future__ import annotations

import math
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_OF_TERMINALS = {signal.SIGINT, signal.SIGHUP}
_SIGNALS = (*_OF_TERMINALS, signal.SIGTERM)
# A person who presses Ctrl-C twice means the same; one who presses it again later sees that nothing happens.
_DEAF_SECONDS = 3.0
_AGAIN_SECONDS = 0.05


class Interrupted(KeyboardInterrupt):
    """Somebody wants the command to end."""


class _Ear:
    """Raises `Interrupted` where a signal comes, once for all that come in the same moment."""

    def __init__(self) -> None:
        self.heard = -math.inf

    def hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signals are handled
        now = time.monotonic()
        if now - self.heard > _DEAF_SECONDS:
            self.heard = now
            raise Interrupted

    def hear_again(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        raise Interrupted

    def notice(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Raise it once more where it was lost: in a finalizer, which lets nothing through."""
        if issubclass(unraisable.exc_type, Interrupted):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            sys.__unraisablehook__(unraisable)


@contextmanager
def hear_interrupts() -> Iterator[None]:
    """Let the signals that end a command raise `Interrupted` in the block.

    Whoever has started the command so that it does not hear one of them (``nohup``) is obeyed. When the block
    was interrupted, none of them is heard any more: the command is about to end, with its own exit code.
    """
    ear = _Ear()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = [number for number in _SIGNALS if before[number] != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, ear.hear)
    alarm, hook = signal.signal(signal.SIGALRM, ear.hear_again), sys.unraisablehook
    sys.unraisablehook = ear.notice
    after = before
    try:
        yield
    except Interrupted:
        after = dict.fromkeys(heard, signal.SIG_IGN)
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in heard:
            signal.signal(number, after[number])
        signal.signal(signal.SIGALRM, alarm)
        sys.unraisablehook = hook


@contextmanager
def heard_later() -> Iterator[None]:
    """Hear at the end of the block what comes in it: some module may swallow the exception on its way.

    In a thread, where signals are not heard, nothing is changed.
    """
    came: list[int] = []
    before = {}
    try:
        for number in _SIGNALS:
            before[number] = signal.signal(number, lambda number, _: came.append(number))
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Start processes in the block that do not hear a terminal until `hear_nothing`: their parent does.

    It hears it when they are started: half of what it tells them would be an error in each. To block the
    signal is not enough for that, since it may come by way of another thread.
    """
    with heard_later():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_TERMINALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hear_nothing() -> None:
    """Be a process that ends with its parent: what a terminal sends to all that it has started is not for it.

    The signals are not blocked any more: those below it may need them.
    """
    for each in _OF_TERMINALS:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_TERMINALS)
