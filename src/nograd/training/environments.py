"""From settings to an environment's task, and how its population lies in chunks."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import episode_limit
from nograd.core.chunks import MAX_CHUNKS
from nograd.core.types import Params
from nograd.envs import World
from nograd.envs.actions import output_count
from nograd.envs.rollout import LONGEST, TRACED_LIMIT
from nograd.models import Builder, Model, build_model
from nograd.perturbations.lowrank import LowRank
from nograd.perturbations.population import Local, local_population
from nograd.tasks.control import Environment, check_environment

_LANES = 32  # episodes of a chunk that make a call of the policy cheap beside the steps of the environment
_TRACED_LANES = 1024  # that fill a GPU, where both are one program


def make_environment(config: TrainConfig, world: World, model: Model | Builder) -> Environment:
    """The task that the config makes of an environment. Raises ConfigError or ModelError for what does not fit."""
    outputs = output_count(world.action, config.action_bins)
    return check_environment(
        Environment(
            world,
            build_model(model, world.observation.input_shape, outputs),
            seed=config.seed,
            episodes=config.episodes,
            eval_episodes=config.eval_episodes,
            normalise=config.observations == "normalized",
            adaptive=config.episode_limit == "adaptive",
            limit=episode_limit(config.episode_limit) or (TRACED_LIMIT if world.is_traced else LONGEST),
            skip=config.frame_skip,
            bins=config.action_bins,
            action_noise=config.action_noise,
            bonus=config.survival_bonus,
            member_steps=config.member_steps,
            deadline=config.deadline,
        )
    )


def chunk_count(config: TrainConfig, population: int, world: World) -> int:
    """The chunks of a population that plays: as many as hold enough lanes for one call of the policy, at least 2."""
    most = max(population * config.episodes // (_TRACED_LANES if world.is_traced else _LANES), 2)
    return min(most, population // (2 if config.mirrored else 1), MAX_CHUNKS)


def seated(perturbation: LowRank, task: Environment, count: int | None) -> Local:
    """How a low-rank population lies in chunks where each member sees observations of its own."""
    shown = jax.ShapeDtypeStruct((1, *task.world.observation.input_shape), jnp.float32)
    params = jax.eval_shape(task.model.init, jax.eval_shape(lambda: jax.random.key(0)))

    def alone(params: Params, x: Array) -> Array:
        prepare = task.model.prepare
        return task.model.apply((params, prepare(params, x[None])) if prepare else params, x[None])[0]

    return local_population(perturbation._replace(group=0), alone, params, shown, count=count)
