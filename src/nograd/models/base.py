"""A network: a pair of pure functions, or a builder that makes one from the shape of the data."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from nograd.core.types import Key, Params, PyTree

Shape: TypeAlias = tuple[int, ...]


class Model(NamedTuple):
    """A network: `init(key) -> params`, a tree of float arrays, and `apply(params, x [batch, *features]) -> outputs`.

    A policy may have `prepare(params, reference batch) -> prepared`, which is computed once for parameters; then it is
    `apply((params, prepared), x)`.

    A network with memory has `initial_carry()`, a tree of arrays of real numbers: what one sequence carries before its
    first step. Then it is `apply(params, carry, x) -> (outputs, carry)` for one step of sequences side by side, with
    the carry's leaves [batch, …]. In an environment a sequence is an episode; of examples [time, *features] the
    outputs after the last step count.

    `source` is the object of another library that an adapter made the network of, for files of that library.
    """

    init: Callable[[Key], Params]
    apply: Callable[..., Any]
    prepare: Callable[[Params, Any], Any] | None = None
    initial_carry: Callable[[], PyTree] | None = None
    source: Any = None


class Builder(NamedTuple):
    """A network that takes its sizes from the data: `build(input shape, classes) -> Model`."""

    spec: str | None  # its name on the command line and in config.json; None if it has none
    build: Callable[[Shape, int], Model]
    of_steps: bool = False  # whether it has memory, so that of examples [time, *features] it takes the shape of a step
    source: Any = None  # as of a `Model`

    def __call__(self, shape: Shape, classes: int) -> Model:
        return self.build(shape, classes)
