"""Restarts with other populations, for functions of many optima: IPOP and BIPOP.

IPOP (Auger & Hansen 2005, doi:10.1109/CEC.2005.1554902) begins again with twice the population where a search has
ended. BIPOP (Hansen 2009, doi:10.1145/1570256.1570333) has two kinds of restart, and takes the kind that has called
the function less often so far: large ones as IPOP, and small ones with a drawn population and a drawn, smaller sigma.
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np

from nograd.core.types import ConfigError, Key

WORDS = ("none", "ipop", "bipop")
DOUBLINGS = 9  # of the population, after which a search ends for good: the papers' number


class Round(NamedTuple):
    """One search among restarts, as numbers that a state can hold; the first is round 0."""

    number: Any  # restarts before it
    doublings: Any  # large restarts so far: the population of the last is that of round 0, doubled so often
    population: Any
    first_population: Any  # of round 0
    small: Any  # 1 where it is a small one
    calls: Any  # of the function in this round so far
    large_calls: Any  # of all large rounds that have ended
    small_calls: Any  # of all small ones
    last_large_calls: Any  # of the large round that ended last
    most: Any  # generations that it may take; 0: as many as the search's own limit


def first_round(population: int) -> Round:
    """The search before any restart; it counts for neither kind."""
    return Round(*(np.int64(value) for value in (0, 0, population, population, 0, 0, 0, 0, 0, 0)))


def check_word(word: str) -> None:
    """Raises ConfigError for another word than none, ipop and bipop."""
    if word not in WORDS:
        raise ConfigError(f"restarts must be one of {', '.join(WORDS)}, got {word!r}; try bipop")


def may_restart(now: Round, word: str) -> bool:
    """Whether another round may follow."""
    return word != "none" and int(now.doublings) < DOUBLINGS


def next_round(now: Round, word: str, key: Key) -> tuple[Round, float]:
    """The round after one, and the factor on the search's first sigma.

    A small round has λ (½ λ_l/λ)^(u²) members, with λ of round 0, λ_l of the last large one and u uniform in (0, 1),
    rounded to λ times a power of two; its sigma is 10^(−2u′) times the first, and it may take half of the calls of the
    last large round.
    """
    ended = {name: int(value) for name, value in now._asdict().items()}
    default = ended["first_population"]
    if ended["number"]:  # the calls of round 0 count for neither kind
        ended["small_calls" if ended["small"] else "large_calls"] += ended["calls"]
    if not ended["small"]:
        ended["last_large_calls"] = ended["calls"]
    after = {**ended, "number": ended["number"] + 1, "calls": 0, "most": 0, "small": 0}
    if word == "bipop" and ended["small_calls"] < ended["large_calls"]:
        shrinking, narrowing = map(float, jax.random.uniform(key, (2,)))
        doubled = round(max(0.0, shrinking**2 * (ended["doublings"] - 1)))
        after |= {"small": 1, "population": default * 2**doubled}
        after["most"] = max(1, math.ceil(0.5 * ended["last_large_calls"] / after["population"]))
        factor = 10 ** (-2 * narrowing)
    else:
        after |= {"doublings": ended["doublings"] + 1, "population": default * 2 ** (ended["doublings"] + 1)}
        factor = 1.0
    return Round(*(np.int64(after[name]) for name in Round._fields)), factor
