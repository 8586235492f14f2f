"""The leaves of a search space: real numbers with bounds, whole numbers, choices.

A search moves in coordinates z without bounds, of which a step of 1 is `scale` of the leaf's own units:
x = fold(start + scale · z), and fold mirrors what lies outside at the bound (reflection, one of the better of the 22
ways compared by Biedrzycki 2020, doi:10.1016/j.swevo.2019.100627). So a member never leaves its bounds, the search
sees no edge, and an optimum at a bound can be approached from both sides.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nograd.core.types import ConfigError, Key
from nograd.strategies.margin import Block, ahead_margin, interval_margin

STEP = 0.3  # the standard deviation of a search to begin with, in its coordinates
_RANGE = 0.25  # the same as a share of the range between two bounds


class Leaf(Protocol):
    """One leaf of the function's argument."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its coordinates."""

    def value(self, z: Float[Array, "*shape"]) -> Array:
        """The value at the coordinates: an array, a whole number, or the index of an option."""

    def drawn(self, key: Key) -> Float[Array, "*shape"]:
        """Coordinates that another search can begin at: anywhere within the bounds; the start where there are none."""

    def margin(self, z: Float[Array, "*shape"], block: Block, alpha: float) -> tuple[Array, Array]:
        """The mean of a search, and factors on its deviations, so that a value of this leaf does not freeze.

        Args:
            z: the mean of the search.
            block: gives the covariance matrix of its coordinates.
            alpha: the least probability that a member has another value than the mean.
        """

    def traced(self, value: Array) -> Array:
        """A value in the form in which a JAX function takes it."""

    def plain(self, value: np.ndarray) -> Any:
        """A value in the form in which a Python function takes it."""

    def several(self, values: np.ndarray) -> np.ndarray:
        """The values of several points, [points, …], in the form in which a vectorized function takes them."""

    def record(self) -> dict[str, Any]:
        """The record of it in config.json."""


class Reals(NamedTuple):
    """Real numbers, each between its bounds."""

    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    scale: np.ndarray
    number: bool  # whether the function takes a number rather than an array

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array."""
        return self.start.shape

    def value(self, z: Float[Array, "*shape"]) -> Array:
        """fold(start + scale · z)."""
        return fold(self.start + self.scale * z, self.low, self.high)

    def drawn(self, key: Key) -> Float[Array, "*shape"]:
        """Uniform between two bounds."""
        between = np.isfinite(self.low) & np.isfinite(self.high)
        low, high = (np.where(between, side, self.start) for side in (self.low, self.high))
        return (jax.random.uniform(key, self.shape, minval=low, maxval=high) - self.start) / self.scale

    def margin(self, z: Float[Array, "*shape"], block: Block, alpha: float) -> tuple[Array, Array]:
        """No real number freezes."""
        return z, jnp.ones_like(z)

    def traced(self, value: Array) -> Array:
        """The array itself."""
        return value

    def plain(self, value: np.ndarray) -> Any:
        """A number, or an array."""
        return float(value) if self.number else np.asarray(value)

    def several(self, values: np.ndarray) -> np.ndarray:
        """The arrays themselves."""
        return values

    def record(self) -> dict[str, Any]:
        """Start, bounds and scale."""
        parts = {name: getattr(self, name).tolist() for name in ("start", "low", "high", "scale")}
        return {"kind": "reals", **parts, "number": self.number}


@dataclass(frozen=True)
class Integers:
    """Whole numbers low, low + 1, …, high; see `integers`."""

    low: int
    high: int
    start: int

    @property
    def shape(self) -> tuple[int, ...]:
        """One coordinate."""
        return ()

    def value(self, z: Float[Array, ""]) -> Array:
        """The whole number nearest to fold(start + scale · z), each of them as wide as any other."""
        folded = fold(self.start + self._scale * z, self.low - 0.5, self.high + 0.5)
        return jnp.clip(jnp.round(folded), self.low, self.high).astype(jnp.int32)

    def drawn(self, key: Key) -> Float[Array, ""]:
        """Each number as likely as any other."""
        return (jax.random.uniform(key, (), minval=self.low - 0.5, maxval=self.high + 0.5) - self.start) / self._scale

    def margin(self, z: Float[Array, ""], block: Block, alpha: float) -> tuple[Array, Array]:
        """That of the interval of all coordinates around the mean that have its value; twice as wide at an end."""
        center, count = self.start + self._scale * z, self.high - self.low + 1
        whole = jnp.round(center)
        low = whole - 0.5 - (jnp.mod(whole - self.low, count) == 0)
        high = whole + 0.5 + (jnp.mod(whole - self.low + 1, count) == 0)
        deviation = self._scale * jnp.sqrt(block().reshape(()))
        mean, wanted = interval_margin(center, deviation, low, high, alpha)
        kept = wanted == deviation
        return jnp.where(kept, z, (mean - self.start) / self._scale), jnp.where(kept, 1.0, wanted / deviation)

    @property
    def _scale(self) -> float:
        return float(ranged(self.high - self.low + 1.0))

    def traced(self, value: Int[Array, ""]) -> Array:
        """The number itself."""
        return value

    def plain(self, value: np.ndarray) -> int:
        """A number."""
        return int(value)

    def several(self, values: np.ndarray) -> np.ndarray:
        """The numbers themselves."""
        return values

    def record(self) -> dict[str, Any]:
        """Its range."""
        return {"kind": "integers", "low": self.low, "high": self.high, "start": self.start}


@dataclass(frozen=True)
class Choice:
    """One of several values; see `choice`."""

    options: tuple[Any, ...]
    start: int

    @property
    def shape(self) -> tuple[int, ...]:
        """A score for each option."""
        return (len(self.options),)

    def value(self, z: Float[Array, " options"]) -> Array:
        """The index of the option with the highest score; the start has a bonus."""
        return jnp.argmax(z + self._bonus(z)).astype(jnp.int32)

    def margin(self, z: Float[Array, " options"], block: Block, alpha: float) -> tuple[Array, Array]:
        """Raises the scores of the options that could not be the highest any more."""
        score = z + self._bonus(z)
        raised = ahead_margin(score, block(), alpha)
        return jnp.where(raised > score, raised - self._bonus(z), z), jnp.ones_like(z)

    def _bonus(self, z: Array) -> Array:
        return STEP * jax.nn.one_hot(self.start, len(self.options), dtype=z.dtype)

    def drawn(self, key: Key) -> Float[Array, " options"]:
        """Each option as likely as any other to be ahead, and as far as the start was."""
        ahead, start = jax.random.randint(key, (), 0, len(self.options)), self.start
        return STEP * (jax.nn.one_hot(ahead, len(self.options)) - jax.nn.one_hot(start, len(self.options)))

    def traced(self, value: Int[Array, ""]) -> Array:
        """The option, which must be a number. Raises ConfigError for any other."""
        table = np.asarray(self.options)
        if table.dtype.kind not in "iufb" or table.ndim != 1:
            raise ConfigError(f"a JAX function takes numbers, and ng.choice{self.options} has others; use jit=False")
        return jnp.asarray(table)[value]

    def plain(self, value: np.ndarray) -> Any:
        """The option."""
        return self.options[int(value)]

    def several(self, values: np.ndarray) -> np.ndarray:
        """The options."""
        return np.array([self.options[value] for value in values])

    def record(self) -> dict[str, Any]:
        """Its options, as text."""
        return {"kind": "choice", "options": [repr(option) for option in self.options], "start": self.start}


def integers(low: int, high: int, start: int | None = None) -> Integers:
    """A whole number from low to high, both included, as a leaf of `x0`.

    Args:
        start: the number with which the search begins; default the middle.

    Raises:
        ConfigError: there are fewer than two such numbers, or the start is none of them.
    """
    for name, number in (("low", low), ("high", high)):
        if not isinstance(number, int | np.integer) or isinstance(number, bool):
            raise ConfigError(f"{name} of ng.integers must be a whole number, got {number!r}")
    if not low < high:
        raise ConfigError(f"ng.integers({low}, {high}) has no range; low must be below high")
    start = (low + high) // 2 if start is None else start
    if not low <= start <= high:
        raise ConfigError(f"start {start} of ng.integers({low}, {high}) is outside of the range")
    return Integers(int(low), int(high), int(start))


def choice(*options: Any, start: int = 0) -> Choice:
    """One of these values, as a leaf of `x0`: `ng.choice("relu", "tanh")`.

    Args:
        start: the index of the option with which the search begins.

    Raises:
        ConfigError: there are fewer than two options, or none with this index.
    """
    if len(options) < 2:
        raise ConfigError(f"ng.choice needs two options at least, got {len(options)}; give them one by one")
    if not 0 <= start < len(options):
        raise ConfigError(f"start {start} of ng.choice is none of its places 0 to {len(options) - 1}")
    return Choice(options, start)


def fold(value: Any, low: Any, high: Any) -> Array:
    """The value where it lies within the bounds, else mirrored at them as often as it takes."""
    value = jnp.asarray(value)
    both = jnp.isfinite(low) & jnp.isfinite(high)
    width = jnp.where(both, high - low, 1.0)
    from_low = jnp.mod(value - jnp.where(both, low, 0.0), 2 * width)
    twice = jnp.where(both, low, 0.0) + width - jnp.abs(from_low - width)
    once = jnp.where(value < low, 2 * low - value, jnp.where(value > high, 2 * high - value, value))
    inside = (low <= value) & (value <= high)
    return jnp.clip(jnp.where(inside, value, jnp.where(both, twice, once)), low, high)


def ranged(width: Any) -> Any:
    """The units of a coordinate such that a search begins with a quarter of the range as its deviation."""
    return _RANGE / STEP * width
