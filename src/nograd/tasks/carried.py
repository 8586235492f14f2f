"""What a policy takes along with its parameters into another training, so that it acts as it did before."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.types import ConfigError
from nograd.envs.normalization import Moments
from nograd.generation.context import Context

MOMENTS, REFERENCE = "moments/", "reference"


def carried_context(blank: Context, found: Mapping[str, np.ndarray], origin: str) -> Context:
    """The moments of observations, and the reference batch; () for what begins anew, as the limit of episodes does.

    Args:
        blank: a context of the shapes of this training.
        found: the arrays of another context, by name; none where parameters come alone.
        origin: names the parameters in errors.
    Raises:
        ConfigError: the network saw normalized observations and is to see raw ones, or the other way round.
    """
    normalised, has = isinstance(blank.moments, Moments), any(name.startswith(MOMENTS) for name in found)
    if normalised and not has:
        raise ConfigError(
            f"init {origin} has no statistics of observations, which --observations normalized needs for the same "
            "actions; give a run that was trained so, or use --observations raw"
        )
    if has and not normalised:
        raise ConfigError(
            f"init {origin} was trained on normalized observations, and this training has raw ones, which its "
            "parameters do not know; use --observations normalized"
        )
    moments = _moments(blank.moments, found, origin) if isinstance(blank.moments, Moments) else ()
    reference = found.get(REFERENCE)
    fits = reference is not None and reference.shape == getattr(blank.reference, "shape", ())
    return Context(moments, (), jnp.asarray(reference) if fits else ())


def with_context(context: Context, carried: Context) -> Context:
    """A context with the parts of another one that there are."""
    taken = {name: part for name, part in carried._asdict().items() if not isinstance(part, tuple) or part}
    return context._replace(**taken)


def _moments(like: Moments, found: Mapping[str, np.ndarray], origin: str) -> Moments:
    arrays: dict[str, Array] = {}
    for name, leaf in like._asdict().items():
        array = found.get(f"{MOMENTS}{name}")
        if array is None or array.shape != leaf.shape:
            there = "missing" if array is None else list(array.shape)
            raise ConfigError(
                f"init {origin} does not fit this environment: {MOMENTS}{name} is {there} there and {list(leaf.shape)} "
                "here; give parameters of an environment with these observations"
            )
        arrays[name] = jnp.asarray(array, leaf.dtype)
    return Moments(**arrays)
