"""How long a cell may take: wall clock, less what its rooms, and we, wait for a processor that others use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fairmark.rooms import watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairmark.rooms.room import Room

_MOMENT_SECONDS = 10.0
# A cell is not stopped for having waited for a processor that others use, up to so many times its own limit.
_PATIENCE = 4.0
_LEAST_SECONDS = 0.05
_US = "thread-self"


class Clock:
    """The time of one cell: for how long its rooms have no processor, because others use it, is not counted.

    Nor is for how long this thread has none, which carries what the rooms say to each other. A mark must not
    depend on how busy the machine is. There is an end to it, because a student's processes may wait for one
    another.

    Parameters
    ----------
    seconds : float
        What the cell may take.
    ends : float
        The moment of `time.monotonic` when it is over in any case.
    rooms : sequence of Room or None
        Those in which it runs, one at a time.
    """

    def __init__(self, seconds: float, ends: float, rooms: Sequence[Room | None]) -> None:
        self.began = time.monotonic()
        self.seconds = seconds
        self.ends = ends
        self.rooms = [room for room in rooms if room is not None]
        self.deadline = min(self.began + seconds, ends)
        self.waited = watch.read_wait(_US)  # until now

    def receive(self, room: Room) -> tuple[list[Any], Any, bytes, bytes]:
        """Return a room's next frame as `Room.receive` does."""
        while True:
            try:
                return room.receive(self.deadline)
            except TimeoutError:
                if not self._go_on():
                    raise

    def _go_on(self) -> bool:
        """Set a later deadline; tell whether there is one."""
        waited = sum(room.waited(self.began) for room in self.rooms) + watch.read_wait(_US) - self.waited
        later = min(self.began + self.seconds + min(waited, _PATIENCE * self.seconds), self.ends)
        if later < self.deadline + _LEAST_SECONDS:
            return False
        # To ask has taken a while on a busy machine: what has come meanwhile came in time.
        self.deadline = max(later, time.monotonic() + _LEAST_SECONDS)
        return True

    def leave_out(self, seconds: float) -> None:
        """Do not count a time that was not the cell's."""
        self.began += seconds
        self.deadline += seconds

    def soon(self) -> float:
        """Return a deadline that an answer to our own room can meet, although the cell's has just passed."""
        return max(self.deadline, time.monotonic() + _MOMENT_SECONDS)
