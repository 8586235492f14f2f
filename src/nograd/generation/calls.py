"""Generations of an objective: a member is a point, its fitness the value of a function, the best point is kept."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import cloudpickle
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nograd.core.chunks import chunk_units
from nograd.core.types import Key
from nograd.generation.base import Fixed, Generation, Named, OneProgram, Outcome, at, flattened
from nograd.perturbations.dense import Distribution, member_params
from nograd.strategies.restarts import Round

_AT_ONCE = 1_000_000  # numbers of the members that a program of a Python function's makes in one call


class Best(NamedTuple):
    """The point of the highest fitness so far."""

    fitness: Float[Array, ""]  # −∞ before the first
    values: tuple[Array, ...]  # leaf by leaf, as `Space.values` gives them


class Searched(NamedTuple):
    """The state of a search: that of the strategy, and the best point."""

    search: Any  # first, as the published leaves are the first of the state
    best: Best | tuple[()]  # () where a value is noisy, so that the highest says little
    round: Round | tuple[()] = ()  # () where there are no restarts

    @property
    def params(self) -> "Searched":
        """The result of the search: the state itself."""
        return self

    @property
    def generation(self) -> Int[Array, ""]:
        """Generations so far."""
        return self.search.generation


class Objective(Protocol):
    """What a generation asks of its task; see `nograd.tasks.objective.Objective` for each."""

    @property
    def noisy(self) -> bool:
        """Whether the function takes a source of randomness beside the point."""

    @property
    def restarts(self) -> str:
        """How a search that has ended begins again, a word of `nograd.strategies.restarts`; "": it does not."""

    @property
    def size(self) -> int:
        """Coordinates of a point."""

    @property
    def deadline(self) -> float:
        """Seconds that a call may take."""

    @property
    def sign(self) -> float:
        """1 where the function is maximised, −1 where it is minimised: fitness is its value times this."""

    @property
    def vectorized(self) -> bool:
        """Whether the function takes points side by side."""

    @property
    def name(self) -> str:
        """The name of the function."""

    def values(self, coordinates: Sequence[Array]) -> tuple[Array, ...]:
        """The point at some coordinates, leaf by leaf."""

    def fitness(self, values: Sequence[Array], key: Key) -> Float[Array, ""]:
        """The fitness of a point, for a JAX function."""

    def called(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The Python function, and a function that makes its argument from the leaves of a point."""

    def origin(self) -> tuple[Array, ...]:
        """The coordinates of the start."""


@dataclass(frozen=True)
class Calls(Generation):
    """What generations of a function of JAX and of one of Python have in common."""

    task: Objective

    precision: ClassVar[Any] = jnp.float64

    @property
    def watched(self) -> tuple[str, ...]:
        """The best value so far, and what the stop reasons of `nograd.training.stopping` go by."""
        return ("best", "fitness_median", "condition", *(["restart"] if self.task.restarts else []))

    @property
    def evaluations(self) -> int:
        """Calls of the function a generation."""
        return self.strategy.size

    @property
    def halves(self) -> None:
        """None: fitness and estimate are two passes."""
        return None

    @property
    def seats(self) -> int:
        """Members of a chunk, those that only fill it among them."""
        return self.fitness_shape[1] * self.fitness_shape[2]

    @property
    def found(self) -> list[Any]:
        """Fitness, and the best point of each chunk."""
        points = () if self.task.noisy else self._point()
        return [*super().found, *(jax.ShapeDtypeStruct((self.plan.chunks, *leaf.shape), leaf.dtype) for leaf in points)]

    def published(self, state: Searched) -> Distribution:
        """The distribution from which members are drawn."""
        return self.strategy.distribution(state.search)

    def around(self, published: Distribution) -> Distribution:
        """The distribution from which members are drawn."""
        return published

    def inputs(self, fixed: Fixed, generation: Int[Array, ""]) -> Any:
        """Nothing: a dense population reads no examples."""
        raise NotImplementedError("an objective has no examples for a local perturbation to go by")

    def points(
        self, fixed: Fixed, around: Distribution, generation: Int[Array, ""], chunk: Int[Array, ""]
    ) -> tuple[tuple[Array, ...], Key]:
        """The members of a chunk, [seats, …] leaf by leaf, and the key of each."""
        dense, keys = self.strategy.dense, self.unit_keys(fixed, generation)

        def one(unit: Array, member: Array) -> tuple[tuple[Array, ...], Key]:
            coordinates = member_params(dense, fixed.shared, keys[unit], around.mean, member, around.scale)
            own = jax.random.fold_in(at(fixed.batch, generation), unit * dense.members + member)
            return self.task.values(coordinates), own

        units = chunk_units(self.plan, chunk)
        values, own = jax.vmap(jax.vmap(one, (None, 0)), (0, None))(units, jnp.arange(dense.members))
        return tuple(leaf.reshape(-1, *leaf.shape[2:]) for leaf in values), own.reshape(-1)

    def update(self, state: Searched, total: Distribution, found: Sequence[Array]) -> tuple[Searched, Outcome]:
        """The strategy's own step, and the better of the best so far and the best of these members."""
        search, info, finite = self.stepped(state.search, total, found[0])
        best = self._better(state.best, found) if isinstance(state.best, Best) else ()
        value = self.task.sign * (best.fitness if isinstance(best, Best) else info.fitness_max)
        watched = [value, jnp.nanmedian(_members(found[0], self.members)), condition_of(search)]
        after = state.round
        if isinstance(after, Round):
            watched, after = [*watched, after.number], after._replace(calls=after.calls + self.evaluations)
        return Searched(search, best, after), Outcome(info, finite, jnp.int32(self.evaluations), tuple(watched))

    def _better(self, before: Best, found: Sequence[Array]) -> Best:
        """The best of the earlier best and the best of each chunk, without the padding of the last chunks."""
        fitness = _members(found[0], self.members)
        chunked = jnp.max(jnp.where(jnp.isfinite(fitness), fitness, -jnp.inf), axis=(1, 2))
        place = jnp.argmax(chunked)
        highest, is_new = chunked[place], chunked[place] > before.fitness
        values = [jnp.where(is_new, chunk[place], old) for chunk, old in zip(found[1:], before.values, strict=True)]
        return Best(jnp.where(is_new, highest, before.fitness), tuple(values))

    def _point(self) -> tuple[Any, ...]:
        """The shapes of a point, leaf by leaf."""
        return jax.eval_shape(lambda: self.task.values(self.task.origin()))


def condition_of(search: Any) -> Float[Array, ""]:
    """Of the shape that a strategy has learnt, as a state says it; 1 where it learns none."""
    return jnp.asarray(getattr(search, "condition", 1.0), jnp.float64)


def _members(fitness: Float[Array, "chunks size width"], members: int) -> Float[Array, "chunks size width"]:
    """The fitness of the members, NaN in place of what only fills the last chunks."""
    return jnp.where((jnp.arange(fitness.size) < members).reshape(fitness.shape), fitness, jnp.nan)


@dataclass(frozen=True)
class TracedCalls(Calls, OneProgram):
    """Generations of a function of JAX."""

    ahead: ClassVar[bool] = True

    def chunk(
        self, fixed: Fixed, published: Distribution, generation: Int[Array, ""], chunk: Int[Array, ""]
    ) -> list[Array]:
        """The fitness of a chunk's members, and its best point where values are not noisy."""
        values, keys = self.points(fixed, published, generation, chunk)
        fitness = jax.vmap(self.task.fitness)(values, keys)
        real = chunk * self.seats + jnp.arange(self.seats) < self.members
        place = jnp.argmax(jnp.where(real & jnp.isfinite(fitness), fitness, -jnp.inf))
        return [fitness, *(() if self.task.noisy else (leaf[place] for leaf in values))]


@dataclass(frozen=True)
class HostCalls(Calls):
    """Generations of a function of Python: a program makes the points, the host calls the function."""

    @property
    def given(self) -> Any:
        """The function itself: this process calls no copy."""
        return self.task.called()

    @property
    def together(self) -> int:
        """Chunks whose points are made in one call."""
        return max(1, min(self.plan.chunks, _AT_ONCE // (self.seats * self.task.size)))

    @property
    def drawn(self) -> list[Any] | None:
        """The points of all members, leaf by leaf, and their seeds where the function is noisy."""
        if self.together < self.plan.chunks:
            return None
        count = self.plan.chunks * self.seats
        seeds = [jax.ShapeDtypeStruct((), jnp.int32)] if self.task.noisy else []
        return [jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype) for leaf in (*self._point(), *seeds)]

    def host(self) -> dict[str, Any]:
        """What `nograd.engines.host_function.HostFunction` is made from.

        Under "refused" stands why no other process can make it; this one needs no copy.
        """
        function, refused = _pickled(self.task.called())
        return {
            "make": "nograd.engines.host_function:HostFunction",
            "at_points": "nograd.engines.host_function:AtPoints",
            "function": base64.b64encode(function).decode(),
            "refused": refused,
            "name": self.task.name,
            "sign": self.task.sign,
            "shape": list(self.fitness_shape),
            "members": self.members,
            "together": self.together,
            "noisy": self.task.noisy,
            "vectorized": self.task.vectorized,
            "deadline": self.task.deadline,
        }

    def evaluating(self, fixed: Fixed, published: Distribution, flat: Sequence[Any]) -> Named:
        """`members` of `together` chunks from one on: their points, and where the function is noisy their seeds."""
        back = flattened(fixed, published)

        def members(fixed: Any, around: Any, generation: Any, first: Any) -> Any:
            chunks = first + jnp.arange(self.together)
            draw = lambda chunk: self.points(*back(fixed, around), generation, chunk)  # noqa: E731
            values, keys = jax.vmap(draw)(chunks)
            seeds = [jax.vmap(jax.vmap(_seed))(keys)] if self.task.noisy else []
            return [leaf.reshape(-1, *leaf.shape[2:]) for leaf in (*values, *seeds)]

        return {"members": (members, [*flat, jax.ShapeDtypeStruct((), jnp.int32)])}


def _seed(key: Key) -> Array:
    """A number below 2³¹, which any library takes as a seed."""
    return (jax.random.bits(key, dtype=jnp.uint32) >> 1).astype(jnp.int32)


def _pickled(called: Any) -> tuple[bytes, str]:
    """The function for other processes, or why it cannot be sent to them."""
    try:
        return cloudpickle.dumps(called), ""
    except Exception as error:
        return b"", (
            f"the function cannot be sent to worker processes: {type(error).__name__}: {error}; open files, locks and "
            "connections inside of it, or use workers=1"
        )
