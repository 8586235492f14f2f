"""Decides by timing whether workers share the generations or the driver works alone; both give the same bits."""

import statistics

_PERIOD = 400  # generations from one trial to the next
_TRIES = 5  # generations in a trial that are shared, and as many in between that are not


class Trial:
    """Says for each generation whether it is to be shared: the faster way in the last trial, by the median time."""

    def __init__(self) -> None:
        self._generation, self._better = 0, True
        self._seconds: dict[bool, list[float]] = {True: [], False: []}

    def shared(self) -> bool:
        """Whether to share the coming generation."""
        at = self._generation % _PERIOD
        return at % 2 == 0 if at < 2 * _TRIES else self._better

    def note(self, seconds: float) -> None:
        """Notes how many seconds that generation took."""
        at = self._generation % _PERIOD
        if at < 2 * _TRIES:
            self._seconds[self.shared()].append(seconds)
        if at == 2 * _TRIES - 1:
            self._better = statistics.median(self._seconds[True]) <= statistics.median(self._seconds[False])
            self._seconds = {True: [], False: []}
        self._generation += 1
