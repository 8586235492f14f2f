"""Aliases for arrays and pytrees, and the exception tree. Nothing here imports JAX at run time.

NogradError
├── ConfigError        a setting that is wrong or impossible; the text names the value and the remedy
├── DataError          a data set that is missing, damaged or malformed
├── ModelError         a model that cannot be built, or does not fit its data
├── RunError           a run directory that is missing, foreign, read-only or full
│   └── CheckpointError    a checkpoint that is truncated, damaged or of another run
├── EngineError        workers that cannot start, or keep failing
└── InterpretError     a model that the jaxpr walker cannot follow
"""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from jax import Array

    Key: TypeAlias = Array  # a scalar typed PRNG key, jax.random.key
else:
    Key = Any

PyTree: TypeAlias = Any  # any nesting of containers whose leaves are arrays
Params: TypeAlias = Any  # a PyTree of floating-point arrays: the mean θ of the search distribution


class NogradError(Exception):
    """Root of every error that nograd raises on purpose. Its text is one line for a person to act on."""

    def __str__(self) -> str:
        # The text may quote a value with line breaks: a file name, a label, a message of another library.
        return " ".join(filter(None, map(str.strip, super().__str__().splitlines())))


class ConfigError(NogradError):
    """A setting that is wrong or impossible."""


class DataError(NogradError):
    """A data set that is missing, damaged or malformed."""


class ModelError(NogradError):
    """A model that cannot be built, or that does not fit its data."""


class RunError(NogradError):
    """A run directory that is missing, foreign, read-only or full."""


class CheckpointError(RunError):
    """A checkpoint that is truncated, damaged or of another run."""


class EngineError(NogradError):
    """Workers that cannot start, or that keep failing."""


class InterpretError(NogradError):
    """A model that the jaxpr walker cannot follow."""
