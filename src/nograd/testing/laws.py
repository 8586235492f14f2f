"""The class `Law`, and functions that the laws share."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nograd.core.types import PyTree


class Law(NamedTuple):
    """A named check: call it without arguments; it raises AssertionError if it does not hold."""

    name: str
    check: Callable[[], None]

    def __call__(self) -> None:
        self.check()

    def __str__(self) -> str:
        return self.name


def laws_of(functions: Sequence[Callable[..., None]], *arguments: Any) -> list[Law]:
    """A law for each function, called with these arguments; its name is that of the function."""
    return [Law(function.__name__, lambda function=function: function(*arguments)) for function in functions]  # type: ignore[misc]


def bits(tree: PyTree) -> list[bytes]:
    """The bytes of each array in a tree."""
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def flat(tree: PyTree) -> np.ndarray:
    """All numbers in a tree of arrays, as one float64 vector."""
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)])


def require(holds: bool, message: str) -> None:
    """Raises AssertionError unless the condition holds; unlike `assert` also under python -O."""
    if not holds:
        raise AssertionError(message)
