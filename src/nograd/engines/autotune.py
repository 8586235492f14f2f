"""Whether to share the work or to do it alone, by trying both: the bits are the same, so only time decides."""

import statistics

_PERIOD = 400  # generations from one trial to the next
_TRIES = 5  # generations of each way in a trial, in turns


class Trial:
    """Says for each generation whether it is shared, from the seconds that both ways took lately."""

    def __init__(self) -> None:
        self._generation, self._better = 0, True
        self._seconds: dict[bool, list[float]] = {True: [], False: []}

    def shared(self) -> bool:
        """Whether to share the coming generation."""
        at = self._generation % _PERIOD
        return at % 2 == 0 if at < 2 * _TRIES else self._better

    def note(self, seconds: float) -> None:
        """How long that generation took."""
        at = self._generation % _PERIOD
        if at < 2 * _TRIES:
            self._seconds[self.shared()].append(seconds)
        if at == 2 * _TRIES - 1:
            self._better = statistics.median(self._seconds[True]) <= statistics.median(self._seconds[False])
            self._seconds = {True: [], False: []}
        self._generation += 1
