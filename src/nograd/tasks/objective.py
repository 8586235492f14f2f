"""A function as a task: a member is a point, its fitness the value of the function; the result is the best point."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.json_text import to_json
from nograd.core.metrics import Measure
from nograd.core.numbers import as_number, as_numbers
from nograd.core.precision import is_real
from nograd.core.runtime import in_64_bits
from nograd.core.types import ConfigError, Key, NogradError, PyTree
from nograd.envs.watch import DEADLINE, summary
from nograd.generation.base import Generation
from nograd.generation.calls import Best, HostCalls, Searched, TracedCalls
from nograd.models import Model
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import as_dense
from nograd.perturbations.population import Local
from nograd.strategies.base import Strategy
from nograd.strategies.restarts import Round
from nograd.tasks.base import ReadPart, ReadSplit
from nograd.tasks.network import Network
from nograd.tasks.search_space import Space, recorded_space

_SEEDS, _APART = 16, 2  # of a noisy function, that its mean at a point is taken over; apart from those of members


class Objective(NamedTuple):
    """A function, the space of its points, and whether it is minimised or maximised."""

    function: Callable[..., Any]
    space: Space
    name: str
    maximize: bool = False
    traced: bool = False  # whether the function is one of JAX, to be compiled
    vectorized: bool = False
    noisy: bool = False
    seed: int = 0
    deadline: float = DEADLINE
    watch: Callable[[Searched], None] | None = None  # called with each state that is scored
    restarts: str = ""  # how a search that has ended begins again; "": it does not
    first: Round | tuple[()] = ()  # of its rounds, where it does

    @property
    def word(self) -> str:
        """The text for it in config.json."""
        return f"{'maximize' if self.maximize else 'minimize'} {self.name}"

    @property
    def sign(self) -> float:
        """Fitness is the value times this."""
        return 1.0 if self.maximize else -1.0

    @property
    def measure(self) -> Measure:
        """The value of the function."""
        return Measure("value", ".6g", "value", "calls", None, higher=self.maximize)

    @property
    def note(self) -> str:
        """One line about the function."""
        return f"function: {self.name}, {self.size:,} coordinates, {'maximized' if self.maximize else 'minimized'}"

    @property
    def checksum(self) -> str:
        """The checksum of the space, the function's name and the restarts; what it computes cannot be checked."""
        about = [self.name, self.maximize, self.noisy, self.space.record(), *([self.restarts] if self.restarts else [])]
        return hashlib.sha256(to_json(about).encode()).hexdigest()

    @property
    def model(self) -> Model:
        """The start of the search in its coordinates; there is no network."""
        return Model(lambda key: self.space.origin(), lambda params, x: x)

    @property
    def size(self) -> int:
        """Coordinates of a point."""
        return self.space.size

    def record(self) -> dict[str, Any]:
        """What config.json says of it."""
        words = {name: getattr(self, name) for name in ("name", "maximize", "traced", "vectorized", "noisy")}
        words |= {"restarts": self.restarts} if self.restarts else {}
        return {"checksum": self.checksum, "objective": {**words, "space": self.space.record()}, "name": self.name}

    def arrays(self) -> tuple[()]:
        """No data are read."""
        return ()

    def origin(self) -> tuple[Array, ...]:
        """The coordinates of the start."""
        return self.space.origin()

    def values(self, coordinates: Sequence[Array]) -> tuple[Array, ...]:
        """The point at some coordinates, leaf by leaf."""
        return self.space.values(coordinates)

    def called(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The function, and a function that makes its argument from the leaves of a point."""
        return self.function, self.space.stacked if self.vectorized else self.space.plain

    def fitness(self, values: Sequence[Array], key: Key) -> Float[Array, ""]:
        """The fitness of a point, for a JAX function; NaN if it is infinite. Raises ConfigError for no number."""
        found = jnp.asarray(self.function(self.space.traced(values), *([key] if self.noisy else [])))
        if found.size != 1 or not is_real(found.dtype):
            raise ConfigError(f"the function {self.name} returned {found.dtype}{list(found.shape)}; return one number")
        value = found.reshape(()).astype(jnp.float64)
        return jnp.where(jnp.isfinite(value), self.sign * value, jnp.nan)

    def chunk_count(self, population: int, mirrored: bool) -> None:
        """As many as suit the population."""
        return None

    def population(self, perturbation: Perturbation, chunks: int | None) -> None:
        """Members are whole points. Raises ConfigError for a perturbation of a network's layers."""
        if as_dense(perturbation) is None:
            raise ConfigError(f"--perturbation {perturbation.word} is for networks, and this is a function; use dense")

    def generation(self, strategy: Strategy, local: Local | None, deadline: float) -> Generation:
        """Its calls: within a program where the function is one of JAX."""
        return (TracedCalls if self.traced else HostCalls)(self._replace(deadline=deadline), strategy, local)

    def begin(self, search: Any) -> Searched:
        """The strategy's state, and nothing found yet."""
        points = () if self.noisy else Best(jnp.float64(-jnp.inf), self.values(self.origin()))
        return Searched(search, points, self.first)

    def state_shapes(self, search: Any) -> Searched:
        """The shapes of any state, from those of the strategy's own."""
        return jax.eval_shape(lambda: self.begin(()))._replace(search=search)

    def scores(self, state: Searched) -> dict[str, float | None]:
        """The score None: the best point is part of the state, so that no earlier state can be better."""
        if self.watch:
            self.watch(state)
        return {self.measure.val: None}

    def tested(self, state: Searched) -> dict[str, Any]:
        """The best value; of a noisy function, the mean of some calls at the mean of the search."""
        if isinstance(state.best, Best):
            return {self.measure.test: _finite(self.sign * float(state.best.fitness)), "test_interval": None}
        values = self._at(state)
        mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
        interval = self.measure.interval(mean, len(values), error)
        return {self.measure.test: _finite(mean), "test_interval": interval and list(interval)}

    def check(self) -> float:
        """Calls the function at the start; returns the seconds that this takes, 0 for a function of JAX.

        Raises ConfigError or EngineError where it does not give a number.
        """
        if self.traced:
            values = jax.eval_shape(lambda: self.values(self.origin()))
            try:
                jax.eval_shape(self.fitness, values, jax.random.key(0))
            except Exception as error:
                raise ConfigError(f"the function {self.name} fails as one of JAX: {summary(error)}") from error
            return 0.0
        values = [np.asarray(value) for value in self.values(self.origin())]
        start = time.perf_counter()
        try:
            self._called_at(values, np.zeros(1, np.int32))
        except NogradError:
            raise
        except Exception as error:
            raise ConfigError(f"the function {self.name} fails at x0: {summary(error)}") from error
        return time.perf_counter() - start

    def point(self, state: Searched) -> PyTree:
        """The best point, in the form of the function's argument; the mean of the search for a noisy function."""
        values = (
            state.best.values if isinstance(state.best, Best) else self.values(jax.tree.leaves(state.search.params))
        )
        return self.space.plain([np.asarray(value) for value in values])

    # What a finished run asks of it; see `TrainedTask`.

    def read_params(self, read: ReadPart) -> PyTree:
        """The point that a checkpoint holds; of a noisy function, the mean of the search."""
        return self.point(self.read_state(read))

    def read_state(self, read: ReadPart) -> Searched:
        """The part of a search's state that a checkpoint needs to give the point."""
        with in_64_bits():
            if self.noisy:
                return Searched(_Mean(read(jax.eval_shape(self.origin), "search/params")), ())
            return Searched((), read(self.state_shapes(()).best, "best"))

    def outputs(self, params: Any, x: np.ndarray) -> np.ndarray:
        """Raises ConfigError: there is no network."""
        raise ConfigError(f"this run searched the function {self.name}, and has no outputs; see its params")

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Raises ConfigError: there is no network."""
        return self.outputs((), outputs)

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """Raises ConfigError: there is no network."""
        raise ConfigError(f"this run searched the function {self.name}, and predicts nothing")

    def evaluate(self, params: Any, split: str, read: ReadSplit, episodes: int | None) -> dict[str, Any]:
        """Raises ConfigError: a finished run has no function to call."""
        raise ConfigError(f"this run searched the function {self.name}; call it on the run's params")

    def network(self, params: Any) -> Network:
        """There is none."""
        raise ConfigError(f"this run searched the function {self.name}, and has no network; see its params")

    def film(self, params: Any, path: Path) -> dict[str, Any]:
        """Raises ConfigError: there are no episodes."""
        raise ConfigError(f"--video cannot be {path}: this run searched the function {self.name}; leave it out")

    def _at(self, state: Searched) -> np.ndarray:
        """The values of several calls at the mean of the search, with seeds that no member has."""
        words = np.random.SeedSequence([self.seed, _APART]).generate_state(_SEEDS)
        values = self.values(jax.tree.leaves(state.search.params))
        if self.traced:
            keys = jax.vmap(jax.random.key)(jnp.asarray(words))
            return self.sign * np.asarray(jax.vmap(lambda key: self.fitness(values, key))(keys))
        return self._called_at(values, (words >> 1).astype(np.int32))

    def _called_at(self, values: Sequence[Array | np.ndarray], seeds: np.ndarray) -> np.ndarray:
        """The values of a function of Python at one point, for some seeds where it is noisy."""
        function, plain = self.called()
        if self.vectorized:
            points = plain([np.repeat(np.asarray(value)[None], len(seeds), 0) for value in values])
            return as_numbers(function(points, *([seeds] if self.noisy else [])), len(seeds), self.name)
        point = plain([np.asarray(value) for value in values])
        return np.array([as_number(function(point, *([int(s)] if self.noisy else [])), self.name) for s in seeds])


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


class _Mean(NamedTuple):
    """What is read of a search's state."""

    params: Any


def recorded_objective(record: Mapping[str, Any]) -> Objective:
    """The task of a run, from what its config.json says: without the function."""
    words = dict(record["objective"])
    return Objective(_unknown, recorded_space(words.pop("space")), words.pop("name"), **words)


def _unknown(*arguments: Any) -> Any:
    raise ConfigError("the function of a run is not part of it; call your own on the run's params")
