"""Asks many forks at once: a few at a time of each server, and none waits for another's silence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from fairmark.repository.mirror import Mirror, Refs, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fairmark.repository.address import Address

Answer = TypeVar("Answer")

# Of one server. A public forge serves this many at once without a word, as it does a browser, while it
# throttles who asks dozens; and it is enough to hide the way there and back.
FORKS_AT_A_TIME = 8


def ask_forks(mirror: Mirror, places: Iterable[Address]) -> dict[str, Refs | Unanswered]:
    """Ask forks for their heads, and bring those that are not here yet.

    What pull requests brought already is not transferred again. Each fork is asked once; one that does not
    answer costs the time that each is given, and its place among the few that are asked at a time.

    Parameters
    ----------
    mirror : Mirror
    places : iterable of Address

    Returns
    -------
    dict
        By address, in the order of `places`, whoever answered first: what the fork shows, with its heads in
        the mirror, or why it shows nothing.
    """
    known = {place.url: place for place in places}
    answers = dict(_ask_each(mirror, known, mirror.list_refs))
    lacking = {}
    for url, answer in answers.items():
        try:
            if isinstance(answer, Refs) and mirror.lacks(answer):
                lacking[url] = known[url]
        except Unanswered as error:
            answers[url] = error
    for url, trouble in _ask_each(mirror, lacking, mirror.bring_heads).items():
        answers[url] = trouble or _confirm(mirror, answers[url])
    mirror.clear_up()
    return answers


def _confirm(mirror: Mirror, answer: Refs | Unanswered) -> Refs | Unanswered:
    """Return what a fork showed, where that is what was brought."""
    try:
        if isinstance(answer, Refs):
            mirror.confirm(answer)
    except Unanswered as error:
        return error
    return answer


def _ask_each(
    mirror: Mirror, places: Mapping[str, Address], ask: Callable[[Address], Answer]
) -> dict[str, Answer | Unanswered]:
    """Ask all of several servers, some forks of each at a time; an interrupt ends all that is under way."""

    def try_to_ask(place: Address) -> Answer | Unanswered:
        try:
            return ask(place)
        except Unanswered as error:
            return error

    pools = {place.host: ThreadPoolExecutor(FORKS_AT_A_TIME) for place in places.values()}
    try:
        waiting = {url: pools[place.host].submit(try_to_ask, place) for url, place in places.items()}
        return {url: each.result() for url, each in waiting.items()}
    except BaseException:
        for pool in pools.values():  # first: a thread whose question is ended takes the next that waits
            pool.shutdown(wait=False, cancel_futures=True)
        mirror.running.end()
        raise
    finally:
        for pool in pools.values():
            pool.shutdown()
