"""An environment as a task: the fitness of a member is the mean return of its episodes."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.config.axes import ENV_SOURCES
from nograd.core.metrics import RETURN, Measure
from nograd.core.random import random_normals
from nograd.core.types import ConfigError, EngineError, Params
from nograd.envs import EnvSpec, VectorEnv, vector_env
from nograd.envs.actions import chosen, decoded, is_continuous, output_count
from nograd.envs.jax_env import traced
from nograd.envs.jax_rollout import EpisodeBatch, rollout
from nograd.envs.normalization import Moments, no_moments, normalised
from nograd.envs.observing import encoded, finite
from nograd.envs.rollout import LONGEST, EpisodeResults, run_episodes
from nograd.envs.video import VideoRecorder
from nograd.envs.watch import DEADLINE, Heartbeat, watched
from nograd.generation.base import Generation
from nograd.generation.context import Context, Policy
from nograd.generation.host_episodes import Episodes
from nograd.generation.jax_episodes import Traced
from nograd.generation.policy import PolicyState
from nograd.models import Model
from nograd.models.memory import carry_of, in_order
from nograd.perturbations.base import Perturbation
from nograd.perturbations.population import Local
from nograd.strategies.base import Strategy
from nograd.tasks.acting import Actor, acted
from nograd.tasks.base import ReadPart, ReadSplit
from nograd.tasks.carried import carried_context, with_context
from nograd.tasks.network import Network, network_of_policy
from nograd.tasks.scores import mean_return
from nograd.tasks.slots import chunk_count, slot_layout

_STREAMS = {"val": 1, "test": 2, "fresh": 3, "reference": 4}  # seeds of episodes that are not played in training
_FRESH = 100  # episodes that `evaluate` plays


_REFERENCE, _APART, _ENVS = 128, 8, 8  # observations of the reference batch, steps between them, environments


class Environment(NamedTuple):
    """An environment, a network and the rules of the episodes."""

    env_spec: EnvSpec
    model: Model
    seed: int = 0  # of the episodes that are not played in training
    episodes: int = 1  # of each member
    eval_episodes: int = 16
    normalise: bool = False
    adaptive: bool = False  # whether an episode is cut at twice the mean length of the generation before
    limit: int = LONGEST  # steps of an episode beside the environment's own limit
    skip: int = 1  # steps that an action is held for
    bins: int | None = None  # values of each component of a continuous action; None: any
    action_noise: float = 0.0  # standard deviation of what is added to a member's continuous actions
    bonus: float = 0.0  # part of every step's reward that does not count in a member's fitness
    member_steps: int = 0  # a member goes on to further episodes until it has taken so many steps
    deadline: float = DEADLINE  # seconds without a step, after which the environment counts as hung

    @property
    def measure(self) -> Measure:
        """The mean return of the mean parameters."""
        return RETURN

    @property
    def note(self) -> str:
        """One line about the environment, printed when a training starts."""
        spec = self.env_spec
        source = ENV_SOURCES.entry(spec.source).help
        return f"environment: {spec.name} by {source}; {spec.observation.text}, {spec.action.text}"

    @property
    def checksum(self) -> str:
        """The checksum of the environment: a run can only be resumed on the same."""
        return self.env_spec.checksum

    def record(self) -> dict[str, Any]:
        """What config.json says of it."""
        return {"name": self.env_spec.name, "checksum": self.checksum, "world": self.env_spec.portable}

    def arrays(self) -> tuple[()]:
        """An empty tuple: an environment reads no data."""
        return ()

    def blank(self) -> Context:
        """A context with the shapes of every context of this task."""
        shown = self.env_spec.observation
        moments = no_moments(shown.input_shape) if self.normalise else ()
        reference = jnp.zeros((_REFERENCE, *shown.shape), shown.dtype) if self.model.prepare else ()
        return Context(moments, jnp.int32(self.limit) if self.adaptive else (), reference)

    def context(self) -> Context:
        """The context of generation 0. The reference batch holds observations under random actions."""
        blank = self.blank()
        return blank._replace(reference=jnp.asarray(_reference(self))) if self.model.prepare else blank

    def whole(self, params: Params, context: Context) -> Any:
        """The first argument of the network's `apply`: parameters, prepared with any reference batch."""
        if self.model.prepare is None:
            return params
        return params, self.model.prepare(params, self.see(context, jnp.asarray(context.reference)))

    def see(self, context: Context, observations: Array | np.ndarray) -> Array:
        """Network inputs from observations [batch, *shape]: bytes as 0..1, states one-hot, normalised if asked for."""
        shown = self.env_spec.observation
        if shown.states:
            return jax.nn.one_hot(jnp.asarray(observations, jnp.int32), shown.states)
        x = jnp.asarray(observations, jnp.float32)
        if shown.dtype == "uint8":
            return x / 255.0
        return normalised(context.moments, x) if isinstance(context.moments, Moments) else x

    def encoded(self, observations: Any) -> np.ndarray:
        """Observations as the environment gives them, one a row, as `see` takes them. Raises EngineError."""
        return encoded(self.env_spec.observation, list(observations), self.env_spec.name)

    def act(self, outputs: Array | np.ndarray) -> Array:
        """The actions that the outputs of a network stand for, as arrays; see `envs.actions`."""
        return chosen(self.env_spec.action, self.bins, jnp.asarray(outputs))

    def actions(self, outputs: Array | np.ndarray) -> Any:
        """The actions in the environment's own form: an array, or a list of actions where they are nested."""
        return decoded(self.env_spec.action, self.bins, jnp.asarray(outputs))

    def noisy(self, outputs: Array, seed: Array, step: Array) -> Array:
        """Outputs [outputs] with the action noise of one step of the episode with this seed."""
        real = is_continuous(self.env_spec.action)
        if not self.action_noise or self.bins or not real.any():
            return outputs
        key = jax.random.wrap_key_data(jnp.stack([seed.astype(jnp.uint32), step.astype(jnp.uint32)]))
        noise = self.action_noise * random_normals(key, outputs.shape[-1])
        return outputs + (noise if real.all() else jnp.where(real, noise, 0.0))

    def scores(self, policy: Policy) -> dict[str, float | None]:
        """The mean return of the evaluation's episodes, its standard error, their mean length: each time the same.

        Episodes that were dropped because a number was not finite are left out and counted.
        """
        results = self.results(policy, "val", self.eval_episodes)
        returns = results.sound.returns
        return {
            self.measure.val: results.mean,
            self.measure.error: float(np.std(returns, ddof=1)) / math.sqrt(len(returns)) if len(returns) > 1 else None,
            "val_length": float(np.mean(results.lengths)),
            **({"val_dropped": results.dropped} if results.dropped else {}),
        }

    def tested(self, policy: Policy) -> dict[str, Any]:
        """The mean return of the test's episodes, as many as for validation, with its 95% interval."""
        found = mean_return(self.results(policy, "test", self.eval_episodes))
        interval = None if found["return"] is None else found["interval"]
        return {self.measure.test: found["return"], "test_interval": interval}

    def chunk_count(self, population: int, mirrored: bool) -> int:
        """The number of chunks; each has enough episodes for one efficient call of the policy."""
        return chunk_count(self, population, mirrored)

    def population(self, perturbation: Perturbation, chunks: int | None) -> Local | None:
        """Each member sees observations of its own; the members of a dense perturbation are whole networks."""
        return slot_layout(perturbation, self, chunks)

    def generation(self, strategy: Strategy, local: Local | None, deadline: float) -> Generation:
        """Generations on episodes: within a program where the environment is one of JAX."""
        if self.env_spec.is_traced:
            return Traced(self, strategy, local)
        return Episodes(self, strategy, local, deadline)

    def begin(self, search: Any) -> PolicyState:
        """The strategy's state with the first context."""
        return PolicyState(self.context(), search)

    def carried(self, found: Mapping[str, np.ndarray], origin: str) -> Context:
        """What parameters take along into this training; see `carried_context`."""
        return carried_context(jax.eval_shape(self.blank), found, origin)

    def with_context(self, state: PolicyState, carried: Context) -> PolicyState:
        """A state that has what the parameters took along."""
        return state._replace(context=with_context(state.context, carried))

    def state_shapes(self, search: Any) -> PolicyState:
        """The shapes of any state, from those of the strategy's own."""
        return PolicyState(jax.eval_shape(self.blank), search)

    # What a finished run asks of it; see `TrainedTask`.

    def read_params(self, read: ReadPart) -> Policy:
        """The network's parameters and their context."""
        context = read(jax.eval_shape(self.blank), "context")
        return Policy(read(jax.eval_shape(self.model.init, jax.random.key(0)), "search/params"), context)

    def outputs(self, policy: Policy, x: np.ndarray) -> np.ndarray:
        """The network's outputs [observations, outputs]; with memory the observations are one episode, in order."""
        seen = self.see(policy.context, self.encoded(x))
        whole = self.whole(policy.params, policy.context)
        if self.model.initial_carry is None:
            return np.asarray(self.model.apply(whole, seen))
        return np.asarray(in_order(self.model, whole, seen))

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """The actions that the outputs stand for."""
        return self.actions(outputs)

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """Raises ConfigError: there are no files of observations."""
        raise ConfigError(f"this run was trained on the environment {self.env_spec.name}; use nograd evaluate")

    def evaluate(self, policy: Policy, split: str, read: ReadSplit, episodes: int | None) -> dict[str, Any]:
        """The mean return of fresh episodes, none of those that training or validation used."""
        return mean_return(self.results(policy, "fresh", episodes or _FRESH))

    def network(self, policy: Policy) -> Network:
        """Observations in, actions out."""
        spec, whole = self.env_spec, self.whole(policy.params, policy.context)
        act = lambda x: self.act(self.model.apply(whole, self.see(policy.context, x)))  # noqa: E731
        spaces = spec.action, spec.observation, output_count(spec.action, self.bins)
        return network_of_policy(policy.params, policy.context, *spaces, act, self.record())

    def actor(self, policy: Policy) -> Actor:
        """The policy, to be asked step by step."""
        return Actor(self, policy)

    def film(self, policy: Policy, path: Path) -> dict[str, Any]:
        """One fresh episode, rendered without a screen. Raises ConfigError where it cannot be rendered here."""
        results = self.results(policy, "fresh", 1, VideoRecorder(self.env_spec, path))
        return {"return": float(results.returns[0]), "length": int(results.lengths[0])}

    def results(self, policy: Policy, split: str, count: int, where: VectorEnv | None = None) -> EpisodeResults:
        """Episodes of a policy without any noise. Raises EngineError where the environment fails."""
        whole = jax.jit(self.whole)(policy.params, policy.context)
        context = policy.context._replace(reference=())
        if self.env_spec.is_traced and where is None:
            done = _traced_episodes(self, whole, context, jnp.array(self.seeds(split, count), jnp.int32))
            return EpisodeResults(np.asarray(done.returns, np.float64), np.asarray(done.lengths, np.int64))
        carry = carry_of(self.model, count)

        def act(seen: np.ndarray, step: int) -> np.ndarray:
            nonlocal carry
            actions, carry = acted(self, whole, context, carry, seen)
            return np.asarray(actions)

        with self._vector_env(where, count) as (found, pulse):
            return run_episodes(found, act, self.seeds(split, count), self.limit, self.skip, pulse=pulse)

    @contextmanager
    def _vector_env(self, where: VectorEnv | None, count: int) -> Iterator[tuple[VectorEnv, Heartbeat]]:
        """Environments side by side and a heartbeat that watches them; closed at the end."""
        found = vector_env(self.env_spec) if where is None else where
        try:
            with watched(self.deadline, self.env_spec.name, environments=count) as pulse:
                yield found, pulse
        finally:
            found.close()

    def seeds(self, split: str, count: int) -> list[int]:
        """Of the episodes of a split: the first ones are the same for any count."""
        words = np.random.SeedSequence([self.seed, _STREAMS[split]]).generate_state(count)
        return [int(word) >> 1 for word in words]


@partial(jax.jit, static_argnums=0)
def _traced_episodes(task: Environment, whole: Any, context: Context, seeds: Array) -> EpisodeBatch:
    act = lambda seen, step, carry: acted(task, whole, context, carry, seen)  # noqa: E731
    active, carry = jnp.ones(seeds.shape, bool), carry_of(task.model, len(seeds))
    return rollout(traced(task.env_spec), act, seeds, active, jnp.int32(task.limit), task.skip, carry=carry)


def _reference(task: Environment) -> np.ndarray:
    """Observations of random actions, [batch, *shape]: of several environments, some steps apart."""
    draws, seen = np.random.default_rng([task.seed, _STREAMS["reference"]]), []
    outputs = output_count(task.env_spec.action, task.bins)

    def act(observations: np.ndarray, step: int) -> np.ndarray:
        if step % _APART == 0:
            seen.append(observations[finite(observations)])
        return np.asarray(task.act(draws.normal(size=(_ENVS, outputs)).astype(np.float32)))

    with task._vector_env(None, _ENVS) as (found, pulse):
        for _ in range(_REFERENCE):
            run_episodes(found, act, task.seeds("reference", _ENVS), _REFERENCE * _APART // _ENVS, pulse=pulse)
            if sum(map(len, seen)) >= _REFERENCE:
                return np.concatenate(seen)[:_REFERENCE]
    raise EngineError(f"the environment {task.env_spec.name} gives no observations that are finite")
