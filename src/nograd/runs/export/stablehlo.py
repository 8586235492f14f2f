"""Export of the prediction as a StableHLO program, to be loaded with `jax.export.deserialize` and run by JAX."""

import jax
from jax import export

from nograd.core.runtime import without_source_lines
from nograd.runs.export.about import about_text
from nograd.runs.export.base import Exported, Files
from nograd.runs.export.program import traced

_PLATFORMS = ("cpu", "cuda", "tpu")


def encode(given: Exported) -> Files:
    """The program, for any number of examples. Its description goes into FILE.json: the program cannot hold text.

    Raises:
        ConfigError: the network cannot be traced for any number of examples.
    """
    with traced(given.network) as (answers, x), without_source_lines():
        program = export.export(jax.jit(answers), platforms=_PLATFORMS)(x).serialize()
    return Files(bytes(program), {".json": about_text(given).encode()})
