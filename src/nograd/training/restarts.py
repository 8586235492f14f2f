"""What a search with restarts knows while it runs: its current round, and whether another one is due."""

from collections.abc import Callable, Sequence

from jaxtyping import Array

from nograd.core.types import Key
from nograd.strategies.restarts import Round, may_restart


class Restarts:
    """Connects the observer of a search, which sees that a round has ended, with the engine, which begins the next.

    Args:
        word: "ipop" or "bipop".
        drawn: returns the coordinates at which a round begins, from a key.
        first: the first round.
    """

    def __init__(self, word: str, drawn: Callable[[Key], Sequence[Array]], first: Round) -> None:
        self.word, self.drawn, self.round = word, drawn, first
        self.due = False  # whether the next generation is the first one of a new round

    def ask(self) -> bool:
        """Requests another round; returns False if no more rounds are allowed."""
        self.due = may_restart(self.round, self.word)
        return self.due
