"""Small environments in JAX, with Brax's pure functions: module:function words."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from nograd.core.random import mix


class State(NamedTuple):
    """A walker's place on a line."""

    key: Any
    at: Any
    time: Any
    obs: Any
    reward: Any
    done: Any


def draw(key, time):
    """A number of mean 0 and variance 1, evenly distributed: quicker to compile than JAX's own draws."""
    word = mix(mix(key[1] + jnp.uint32(time)) ^ key[0])
    return (word.astype(jnp.float32) * 2.0**-31 - 1.0) * 3**0.5


class Walk:
    """A noisy walk towards 0: each step costs the distance. It ends far out."""

    action_size = 1

    def __init__(self, noise=0.3, far=2.5, bad=None, beyond=1.0):
        self.noise, self.far, self.bad, self.beyond = noise, far, bad, beyond

    def reset(self, key):
        at = draw(key, 0)
        zero = jnp.zeros(())
        return State(key, at, zero, self._seen(at, zero), zero, zero)

    def step(self, state, action):
        time = state.time + 1
        at = state.at + action[0] + self.noise * draw(state.key, time)
        reward, seen = 1.0 - jnp.abs(at), self._seen(at, time)
        broken = (time == 3) & (draw(state.key, 0) > self.beyond)
        if self.bad == "reward":
            reward = jnp.where(broken, jnp.nan, reward)
        if self.bad == "observation":
            seen = jnp.where(broken, jnp.inf, seen)
        return State(state.key, at, time, seen, reward, (jnp.abs(at) > self.far).astype(jnp.float32))

    def _seen(self, at, time):
        return jnp.stack([at, at**2, 100.0 + time])


def walk(**options):
    return Walk(**options)


class Misfit(Walk):
    """Its step forgets what its reset gave."""

    def step(self, state, action):
        return super().step(state, action)._replace(key=())


def misfit():
    return Misfit()


class Several(Walk):
    """Its observations are parts of several kinds, in a dict and a tuple."""

    def _seen(self, at, time):
        return {
            "time": time,
            "place": (at[None], jnp.stack([at > 0, at < 0])),
            "bytes": jnp.full((1, 2), 51, jnp.uint8),
        }


def several():
    return Several()


class Named(NamedTuple):
    """Parts that have names and are no dict."""

    at: Any


class Unnamed(Walk):
    """Its observations are parts of a class of its own."""

    def _seen(self, at, time):
        return Named(at[None])


def unnamed():
    return Unnamed()


class Blind(Walk):
    """It shows nothing."""

    def _seen(self, at, time):
        return {"nothing": jnp.zeros((0,))}


def blind():
    return Blind()


class Complex(Walk):
    """It shows what is no real number."""

    def _seen(self, at, time):
        return {"at": at[None] + 0j}


def complex_numbers():
    return Complex()


class Untraceable(Walk):
    """Its step asks for a value that a trace does not have."""

    def step(self, state, action):
        return super().step(state, action) if float(state.at) < 9 else state


def untraceable():
    return Untraceable()


class Counted(Walk):
    """Asks for a hundredth of the number of the step, which nothing shows: the reward is −|action − that|."""

    def reset(self, key):
        zero = jnp.zeros(())
        return State(key, zero, zero, jnp.ones(2), zero, zero)

    def step(self, state, action):
        over = state.time >= 2 + 3 * (draw(state.key, 0) > 0)
        return state._replace(
            time=state.time + 1,
            reward=-jnp.abs(action[0] - state.time / 100),
            done=over.astype(jnp.float32),
        )


def counted():
    return Counted()
