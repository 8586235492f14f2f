"""A law with its name, and what the laws compare by."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nograd.core.types import PyTree


class Law(NamedTuple):
    """A check that is called without arguments; its text is its name."""

    name: str
    check: Callable[[], None]

    def __call__(self) -> None:
        self.check()

    def __str__(self) -> str:
        return self.name


def laws_of(functions: Sequence[Callable[..., None]], *arguments: Any) -> list[Law]:
    """Each function with these arguments; its name is the law's."""
    return [Law(function.__name__, lambda function=function: function(*arguments)) for function in functions]  # type: ignore[misc]


def bits(tree: PyTree) -> list[bytes]:
    """All bits of a tree of arrays."""
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def flat(tree: PyTree) -> np.ndarray:
    """All numbers of a tree of arrays, as float64."""
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)])


def require(holds: bool, message: str) -> None:
    """Raises AssertionError with a message: `assert` is left out under python -O."""
    if not holds:
        raise AssertionError(message)
