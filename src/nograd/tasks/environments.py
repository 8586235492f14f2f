"""From settings to an environment's task."""

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import episode_limit
from nograd.core.types import ConfigError
from nograd.envs import EnvSpec
from nograd.envs.actions import is_bounded, is_continuous, output_count
from nograd.envs.rollout import LONGEST, TRACED_LIMIT
from nograd.models import Builder, Model, build_policy
from nograd.tasks.control import Environment


def make_environment(config: TrainConfig, env_spec: EnvSpec, model: Model | Builder) -> Environment:
    """The task that the config makes of an environment. Raises ConfigError or ModelError for what does not fit."""
    outputs = output_count(env_spec.action, config.action_bins)
    return check_environment(
        Environment(
            env_spec,
            build_policy(model, env_spec.observation.input_shape, outputs),
            seed=config.seed,
            episodes=config.episodes,
            eval_episodes=config.eval_episodes,
            normalise=config.observations == "normalized",
            adaptive=config.episode_limit == "adaptive",
            limit=episode_limit(config.episode_limit) or (TRACED_LIMIT if env_spec.is_traced else LONGEST),
            skip=config.frame_skip,
            bins=config.action_bins,
            action_noise=config.action_noise,
            bonus=config.survival_bonus,
            member_steps=config.member_steps,
            deadline=config.deadline,
        )
    )


def check_environment(task: Environment) -> Environment:
    """The task itself. Raises ConfigError where a setting does not fit the environment."""
    real = is_continuous(task.env_spec.action).any()
    if task.bins is not None and not real:
        raise ConfigError(
            f"--action-bins {task.bins} cuts continuous actions, and those of {task.env_spec.name} are choices; "
            "leave it out"
        )
    if task.bins is not None and not is_bounded(task.env_spec.action).all():
        raise ConfigError(f"--action-bins {task.bins} needs bounds, and the actions of {task.env_spec.name} have none")
    if task.normalise and (task.env_spec.observation.states or task.env_spec.observation.dtype == "uint8"):
        raise ConfigError(
            f"--observations normalized is for real numbers, and those of {task.env_spec.name} are "
            f"{'states' if task.env_spec.observation.states else 'bytes'}; use --observations raw"
        )
    if task.action_noise and not real:
        raise ConfigError(
            f"--action-noise {task.action_noise} is for continuous actions, and those of {task.env_spec.name} are "
            "choices; leave it out"
        )
    return task
