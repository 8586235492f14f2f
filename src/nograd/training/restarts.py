"""What a search with restarts knows of itself while it runs: which round it is in, and whether another is due."""

from collections.abc import Callable, Sequence

from jaxtyping import Array

from nograd.core.types import Key
from nograd.strategies.restarts import Round, may_restart


class Restarts:
    """Between the observer of a search, who sees that a round has ended, and the engine, which begins the next.

    Args:
        word: "ipop" or "bipop".
        drawn: gives the coordinates that a round begins at.
        first: the first round.
    """

    def __init__(self, word: str, drawn: Callable[[Key], Sequence[Array]], first: Round) -> None:
        self.word, self.drawn, self.round = word, drawn, first
        self.due = False  # whether the next generation is the first of another round

    def ask(self) -> bool:
        """Has another round begin, unless this was the last that may be."""
        self.due = may_restart(self.round, self.word)
        return self.due
