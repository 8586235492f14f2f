"""A network's prediction as a function that is traced with a symbolic number of examples."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax import export
from jaxtyping import Array

from nograd.core.runtime import in_64_bits
from nograd.core.types import ConfigError, NogradError
from nograd.tasks.network import Network

EXAMPLES = "examples"  # the symbol of the first dimension


@contextmanager
def traced(network: Network) -> Iterator[tuple[Callable[[Array], dict[str, Array]], jax.ShapeDtypeStruct]]:
    """The prediction function of a network, and the shape and type of its inputs with a symbolic first dimension.

    Raises:
        ConfigError: tracing failed; the message holds the first line of the error.
    """
    with in_64_bits(network.wide):
        (examples,) = export.symbolic_shape(EXAMPLES)
        given = jax.ShapeDtypeStruct((examples, *network.input_shape), np.dtype(network.dtype))
        try:
            yield network.answers, given
        except NogradError:
            raise
        except Exception as error:
            text: Any = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigError(
                f"the network cannot be exported as one program for any number of examples ({text}); "
                "write x.shape[0] where it has len(x), or use --format safetensors"
            ) from error
