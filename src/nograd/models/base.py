"""What a network is here: a pair of pure functions, or what makes one from the shape of the data."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from nograd.core.types import Key, Params

Shape: TypeAlias = tuple[int, ...]


class Model(NamedTuple):
    """`init(key) -> params`, a tree of floating-point arrays; `apply(params, x [batch, *features]) -> outputs`.

    A policy may have `prepare(params, reference batch) -> prepared`, which is computed once for parameters; then it is
    `apply((params, prepared), x)`.
    """

    init: Callable[[Key], Params]
    apply: Callable[[Params, Any], Any]
    prepare: Callable[[Params, Any], Any] | None = None


class Builder(NamedTuple):
    """A network that takes its sizes from the data: `build(input shape, classes) -> Model`."""

    spec: str | None  # what the command line and config.json call it; None where words cannot say it
    build: Callable[[Shape, int], Model]

    def __call__(self, shape: Shape, classes: int) -> Model:
        return self.build(shape, classes)
