"""The observations and actions of an environment, described by plain numbers that JSON can hold."""

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from nograd.core.types import ConfigError

SpaceKind = Literal["box", "discrete", "multi", "binary"]
_NAMES = {"Box": "box", "Discrete": "discrete", "MultiDiscrete": "multi", "MultiBinary": "binary"}
_NESTED = ("Dict", "Tuple")


class Leaf(NamedTuple):
    """One space of numbers, by itself or somewhere inside of Dict and Tuple spaces."""

    path: tuple[str | int, ...]  # keys of Dict spaces and places in Tuple spaces, from the outside in
    kind: SpaceKind
    shape: tuple[int, ...]
    dtype: str
    choices: tuple[int, ...] = ()  # of each component; () for a box
    starts: tuple[int, ...] = ()  # the number of each component's first choice
    low: tuple[float | None, ...] = ()  # of each component of a box; None: unbounded
    high: tuple[float | None, ...] = ()

    @property
    def size(self) -> int:
        """The number of components."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """The numbers that a policy sees of it: one for each component, or one for each choice."""
        return sum(self.choices) if self.kind in ("discrete", "multi") else self.size

    @property
    def label(self) -> str:
        """The path as a name, such as arm.0.angle; "" for a space that is not inside of another."""
        return ".".join(map(str, self.path))


class Observation(NamedTuple):
    """One observation as a policy gets it: an array of real numbers, bytes of a picture, or the number of a state.

    Spaces inside of Dict and Tuple spaces are joined into one vector, in Gymnasium's order.
    """

    shape: tuple[int, ...]
    dtype: Literal["float32", "uint8"]
    states: int = 0  # how many, if the observation is the number of a state, which the policy sees as one-hot
    leaves: tuple[Leaf, ...] = ()  # the spaces that are joined; () if the other fields say it all

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of the policy's input."""
        return (self.states,) if self.states else self.shape

    @property
    def parts(self) -> tuple[Leaf, ...]:
        """The spaces that it is made of."""
        if self.leaves:
            return self.leaves
        if self.states:
            return (Leaf((), "discrete", (), "int64", (self.states,), (0,)),)
        return (Leaf((), "box", self.shape, self.dtype),)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each number that a policy sees, in order: `arm.angle[2]`, or `gear=3` for a choice."""
        return tuple(name for leaf in self.parts for name in _number_names(leaf))

    @property
    def text(self) -> str:
        """A description for a person."""
        if self.states:
            return f"{self.states} states"
        labels = ", ".join(leaf.label for leaf in self.leaves if leaf.path)
        return f"observations {list(self.shape)}" + (f" ({labels})" if labels else "")


class Action(NamedTuple):
    """One action: a choice, several choices, an array of real numbers, or a nesting of these."""

    kind: Literal["discrete", "multi", "box", "nested"]
    shape: tuple[int, ...]  # (n,) for a nested action: its parts joined into one vector
    choices: tuple[int, ...] = ()  # of each component
    starts: tuple[int, ...] = ()  # the number of each component's first choice
    low: tuple[float | None, ...] = ()  # of each component of a box; None: unbounded
    high: tuple[float | None, ...] = ()
    dtype: str = ""  # of the space; "" in files of earlier versions
    leaves: tuple[Leaf, ...] = ()  # the parts of a nested action

    @property
    def parts(self) -> tuple[Leaf, ...]:
        """The spaces that it is made of."""
        if self.kind == "nested":
            return self.leaves
        dtype = self.dtype or ("float32" if self.kind == "box" else "int64")
        return (Leaf((), self.kind, self.shape, dtype, self.choices, self.starts, self.low, self.high),)

    @property
    def text(self) -> str:
        """A description for a person."""
        choices = sum(sum(leaf.choices) for leaf in self.parts)
        shapes = [str(list(leaf.shape)) for leaf in self.parts if leaf.kind == "box"]
        real = f"actions {', '.join(shapes)} of real numbers" if shapes else ""
        return " and ".join(filter(None, (f"{choices} choices" if choices else "", real)))


def observation_of(space: Any, name: str) -> Observation:
    """The description of a Gymnasium observation space. Raises ConfigError if its size is not fixed."""
    leaves = tuple(leaf._replace(low=(), high=()) for leaf in _leaves(space, (), f"the observations of {name}"))
    only = leaves[0] if leaves[0].path == () else None
    if only and only.kind == "box" and only.shape:
        return Observation(only.shape, "uint8" if only.dtype == "uint8" else "float32")
    if only and only.kind == "discrete":
        return Observation((), "float32", only.choices[0], leaves if any(only.starts) else ())
    if only and only.kind == "binary":
        return Observation(only.shape, "float32", 0, leaves)
    return Observation((sum(leaf.width for leaf in leaves),), "float32", 0, leaves)


def action_of(space: Any, name: str) -> Action:
    """The description of a Gymnasium action space. Raises ConfigError if its size is not fixed."""
    leaves = tuple(_as_choices(leaf) for leaf in _leaves(space, (), f"the actions of {name}"))
    only = leaves[0]
    if only.path or only.kind == "binary":
        return Action("nested", (sum(leaf.size for leaf in leaves),), leaves=leaves)
    return Action(only.kind, only.shape, only.choices, only.starts, only.low, only.high, only.dtype)


def _as_choices(leaf: Leaf) -> Leaf:
    """A MultiBinary space as one choice of two for each component; any other space unchanged."""
    return leaf._replace(kind="multi") if leaf.kind == "binary" else leaf


def _leaves(space: Any, path: tuple[str | int, ...], whose: str) -> list[Leaf]:
    """All spaces of numbers in a space, in Gymnasium's order."""
    where = f"{whose} at {'.'.join(map(str, path))}" if path else whose
    if _kind(space) in _NESTED:
        found = [leaf for key, inner in _inner(space, where) for leaf in _leaves(inner, (*path, key), whose)]
    else:
        found = [_leaf(space, path, where)]
    if not path and not sum(leaf.size for leaf in found):
        raise ConfigError(f"{whose} are {space}, which holds no number; give it at least one")
    return found


def _inner(space: Any, whose: str) -> Iterator[tuple[str | int, Any]]:
    pairs: list[tuple[Any, Any]] = list(
        space.spaces.items() if isinstance(space.spaces, dict) else enumerate(space.spaces)
    )
    if not pairs:
        raise ConfigError(f"{whose} are an empty {_kind(space)}, which holds no number; leave it out of the space")
    for key, inner in pairs:
        if isinstance(space.spaces, dict) and not isinstance(key, str):
            raise ConfigError(f"{whose} are a Dict with the key {key!r}; its keys must be words, such as {str(key)!r}")
        yield key, inner


def _leaf(space: Any, path: tuple[str | int, ...], whose: str) -> Leaf:
    kind = _NAMES.get(_kind(space))
    if kind == "discrete":
        return Leaf(path, "discrete", (), str(space.dtype), (int(space.n),), (int(space.start),))
    if kind is None or np.dtype(space.dtype).kind not in "fiub":
        raise ConfigError(_refusal(space, whose))
    shape, dtype = tuple(map(int, space.shape)), str(np.dtype(space.dtype))
    if kind == "multi":
        return Leaf(path, "multi", shape, dtype, _integers(space.nvec), _integers(space.start))
    if kind == "binary":
        return Leaf(path, "binary", shape, dtype, (2,) * math.prod(shape), (0,) * math.prod(shape))
    low, high = _bounds(space.low, space.bounded_below), _bounds(space.high, space.bounded_above)
    return Leaf(path, "box", shape, dtype, (), (), low, high)


def _kind(space: Any) -> str:
    """The name of the Gymnasium class that a space is an instance of."""
    names = [kind.__name__ for kind in type(space).__mro__]
    return next((name for name in names if name in _NAMES or name in _NESTED), names[0])


def _refusal(space: Any, whose: str) -> str:
    kind = _kind(space)
    if kind == "Box":
        return (
            f"{whose} are a Box of {space.dtype}, and a network reads and gives real numbers; give it a numeric dtype"
        )
    if whose.startswith("the observations") and kind in ("Text", "OneOf"):
        return f"{whose} are {kind}; wrap the environment in gymnasium.wrappers.FlattenObservation, which numbers them"
    wrapper = "TransformObservation" if whose.startswith("the observations") else "TransformAction"
    return (
        f"{whose} are {kind}, which is no fixed number of numbers; use Box, Discrete, MultiDiscrete, MultiBinary, Dict "
        f"or Tuple, such as by gymnasium.wrappers.{wrapper} in a module:function of your own"
    )


def _integers(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in np.ravel(values))


def _bounds(values: Any, bounded: Any) -> tuple[float | None, ...]:
    """The bound of each component, None if unbounded; for an integer box as integers, which JSON holds exactly."""
    number = float if values.dtype.kind == "f" else int
    pairs = zip(np.ravel(values), np.ravel(bounded), strict=True)
    return tuple(number(value) if has and np.isfinite(value) else None for value, has in pairs)


def _number_names(leaf: Leaf) -> Iterator[str]:
    places = [f"[{','.join(map(str, place))}]" if place else "" for place in np.ndindex(*leaf.shape)]
    if leaf.kind in ("box", "binary"):
        yield from (f"{leaf.label}{place}" for place in places)
        return
    for place, count, start in zip(places, leaf.choices, leaf.starts, strict=True):
        yield from (f"{leaf.label}{place}={start + choice}" for choice in range(count))
