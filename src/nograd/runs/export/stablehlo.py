"""The whole prediction as a program of StableHLO, which `jax.export.deserialize` reads and JAX runs."""

import jax
from jax import export

from nograd.core.runtime import without_source_lines
from nograd.runs.export.about import about_text
from nograd.runs.export.base import Exported, Files
from nograd.runs.export.program import traced

_PLATFORMS = ("cpu", "cuda", "tpu")


def encode(given: Exported) -> Files:
    """The program, for any number of examples; beside it FILE.json, as the program has no place for words.

    Raises:
        ConfigError: the network cannot be traced for any number of examples.
    """
    with traced(given.network) as (answers, x), without_source_lines():
        program = export.export(jax.jit(answers), platforms=_PLATFORMS)(x).serialize()
    return Files(bytes(program), {".json": about_text(given).encode()})
