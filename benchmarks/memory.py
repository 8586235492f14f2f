"""Policies with memory where velocities are hidden, beside networks without: python benchmarks/memory.py [NAME ...].

CartPole shows place and angle alone, Pendulum the angle alone. A network that sees one step cannot know which way
the pole falls; a recurrent one finds the velocities out from the steps before. Same settings, seeds 0 to 2.

The environments are those of Gymnasium written in JAX, so that a training takes minutes. What was learnt plays in
Gymnasium's own at the end, whose score is printed.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

import nograd as ng

SEEDS = (0, 1, 2)
SETTINGS = {"population": 128, "sigma": 0.1, "lr": 0.05, "shaping": "centered_rank", "eval_episodes": 64}
TASKS: dict[str, dict[str, Any]] = {
    "cartpole": {"generations": 300, "target": 490.0, "eval_every": 10, "episodes": 2},
    "pendulum": {"generations": 600, "target": -200.0, "eval_every": 20, "episodes": 4},
}
MODELS = ("lstm:16", "mlp:32")


class State(NamedTuple):
    """What is seen of an episode, and what is not."""

    obs: jax.Array
    reward: jax.Array
    done: jax.Array
    hidden: jax.Array  # the environment's own state
    steps: jax.Array


class Pendulum:
    """Pendulum-v1 that shows cos and sin of the angle θ; θ = 0 is upright."""

    action_size = 1

    def reset(self, key: jax.Array) -> State:
        """θ within ±π, its velocity within ±1."""
        hidden = jax.random.uniform(key, (2,), minval=-1.0) * jnp.array([jnp.pi, 1.0])
        return self._state(hidden, jnp.zeros(()), jnp.int32(0))

    def step(self, state: State, action: jax.Array) -> State:
        """θ'' = (3g/2l) sin θ + (3/ml²) u with g = 10, m = l = 1 and |u| ≤ 2, by Euler steps of 0.05 s."""
        (angle, speed), torque = state.hidden, 2.0 * action[0]
        bent = (angle + jnp.pi) % (2 * jnp.pi) - jnp.pi
        cost = bent**2 + 0.1 * speed**2 + 0.001 * torque**2
        speed = jnp.clip(speed + 0.05 * (15.0 * jnp.sin(angle) + 3.0 * torque), -8.0, 8.0)
        return self._state(jnp.stack([angle + 0.05 * speed, speed]), -cost, state.steps + 1)

    def _state(self, hidden: jax.Array, reward: jax.Array, steps: jax.Array) -> State:
        seen = jnp.stack([jnp.cos(hidden[0]), jnp.sin(hidden[0])])
        return State(seen, reward, (steps >= 200).astype(jnp.float32), hidden, steps)


class CartPole:
    """CartPole-v1 that shows the place and the angle; an action above 0 pushes to the right, any other to the left."""

    action_size = 1

    def reset(self, key: jax.Array) -> State:
        """Place, velocity, angle and its velocity within ±0.05."""
        return self._state(jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05), jnp.zeros(()), jnp.int32(0))

    def step(self, state: State, action: jax.Array) -> State:
        """The equations of Barto, Sutton and Anderson (1983), by Euler steps of 0.02 s."""
        place, speed, angle, turn = state.hidden
        force = jnp.where(action[0] > 0, 10.0, -10.0)
        push = (force + 0.05 * turn**2 * jnp.sin(angle)) / 1.1
        bend = (9.8 * jnp.sin(angle) - jnp.cos(angle) * push) / (0.5 * (4 / 3 - 0.1 * jnp.cos(angle) ** 2 / 1.1))
        shift = push - 0.05 * bend * jnp.cos(angle) / 1.1
        moved = jnp.stack([place + 0.02 * speed, speed + 0.02 * shift, angle + 0.02 * turn, turn + 0.02 * bend])
        return self._state(moved, jnp.ones(()), state.steps + 1)

    def _state(self, hidden: jax.Array, reward: jax.Array, steps: jax.Array) -> State:
        fallen = (jnp.abs(hidden[0]) > 2.4) | (jnp.abs(hidden[2]) > 12 * 2 * jnp.pi / 360)
        return State(hidden[jnp.array([0, 2])], reward, (fallen | (steps >= 500)).astype(jnp.float32), hidden, steps)


def pendulum() -> Pendulum:
    """For `nograd train memory:pendulum`."""
    return Pendulum()


def cartpole() -> CartPole:
    """For `nograd train memory:cartpole`."""
    return CartPole()


def in_gymnasium(task: str, policy: Any, episodes: int) -> float:
    """The mean return of a policy in Gymnasium's own environment, of whose observations it sees a part."""
    name, seen = {"cartpole": ("CartPole-v1", [0, 2]), "pendulum": ("Pendulum-v1", [0, 1])}[task]
    env, total = gymnasium.make(name), 0.0
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        policy.reset()
        over = False
        while not over:
            action = policy.act(observation[seen])
            given = int(action[0] > 0) if task == "cartpole" else np.float32(2.0) * action
            observation, reward, ended, cut, _ = env.step(given)
            total, over = total + float(reward), ended or cut
    return total / episodes


def trained(task: str, model: str, seed: int, out: Path) -> ng.Run:
    """One training."""
    return ng.train(f"memory:{task}", model=model, seed=seed, out=out, workers=1, **SETTINGS, **TASKS[task])


def main() -> None:
    """Prints the mean return of 100 fresh episodes after training, by task, model and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    arguments = parser.parse_args()
    for task in arguments.tasks:
        for model in arguments.models:
            for seed in arguments.seeds:
                with tempfile.TemporaryDirectory() as folder:
                    run = trained(task, model, seed, Path(folder) / "run")
                    score, own = run.evaluate(episodes=100)["return"], in_gymnasium(task, run.policy(), 100)
                    steps, end = run.result["evaluations"], run.result["stop_reason"]
                    scores = f"{score:.1f}, in Gymnasium {own:.1f}"
                    print(f"{task} {model} seed {seed}: {scores}, after {steps:,} steps ({end})", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
