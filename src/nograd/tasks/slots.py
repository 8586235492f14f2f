"""How the population of an environment's task is divided into chunks."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from nograd.core.chunks import MAX_CHUNKS
from nograd.core.types import Params
from nograd.generation.context import EpisodeTask
from nograd.models.memory import advanced, carry_of
from nograd.perturbations.base import Perturbation
from nograd.perturbations.population import Local

_ENVS = 32  # episodes of a chunk that make a call of the policy cheap beside the steps of the environment
_TRACED_ENVS = 1024  # that fill a GPU, where both are one program


def chunk_count(task: EpisodeTask, population: int, mirrored: bool) -> int:
    """The chunks of a population on episodes: as many as fill a call of the policy with environments; 2 or more."""
    most = max(population * task.episodes // (_TRACED_ENVS if task.env_spec.is_traced else _ENVS), 2)
    return min(most, population // (2 if mirrored else 1), MAX_CHUNKS)


def slot_layout(perturbation: Perturbation, task: EpisodeTask, count: int | None) -> Local | None:
    """How a population lies in chunks where each member sees observations of its own; None for whole networks.

    Raises:
        ConfigError: the perturbation draws its noise per example.
    """
    shown = jax.ShapeDtypeStruct((1, *task.env_spec.observation.input_shape), jnp.float32)
    params = jax.eval_shape(task.model.init, jax.eval_shape(lambda: jax.random.key(0)))

    def alone(params: Params, x: Array) -> Array:
        model = task.model
        whole = (params, model.prepare(params, x[None])) if model.prepare else params
        outputs, carry = advanced(model, whole, carry_of(model, 1), x[None])
        if model.initial_carry is None:
            return outputs[0]
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves((outputs, carry))])  # all that noise reaches

    return perturbation.whole_batch().layout(alone, params, shown, count=count)
