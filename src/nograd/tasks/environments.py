"""From settings to an environment's task."""

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import episode_limit
from nograd.envs import World
from nograd.envs.actions import output_count
from nograd.envs.rollout import LONGEST, TRACED_LIMIT
from nograd.models import Builder, Model, build_model
from nograd.tasks.control import Environment, check_environment


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
