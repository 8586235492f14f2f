"""Small environments for tests: module:function words that worker processes import."""

import time

import numpy as np

try:
    import gymnasium
except ImportError:  # the tests that need it are skipped
    gymnasium = None

_Base = gymnasium.Env if gymnasium else object


class Walk(_Base):
    """A noisy walk on a line towards 0: each step costs the distance. It ends far out, or after `steps` steps."""

    def __init__(self, steps=20, noise=0.3, discrete=False, seconds=0.0, render_mode=None):
        self.render_mode, self._seconds = render_mode, seconds
        spaces = gymnasium.spaces
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = spaces.Discrete(3) if discrete else spaces.Box(-2.0, 2.0, (1,), np.float32)
        self._steps, self._noise, self._discrete = steps, noise, discrete

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._at, self._time = float(self.np_random.normal()), 0
        return self._seen(), {}

    def step(self, action):
        time.sleep(self._seconds)
        move = float(action) - 1.0 if self._discrete else float(action[0])
        self._at += move + self._noise * float(self.np_random.normal())
        self._time += 1
        return self._seen(), 1.0 - abs(self._at), abs(self._at) > 3, self._time >= self._steps, {}

    def render(self):
        if self.render_mode != "rgb_array":
            return None
        picture = np.zeros((32, 32, 3), np.uint8)
        picture[:, int(np.clip(16 + 4 * self._at, 0, 31))] = 255
        return picture

    def _seen(self):
        return np.array([self._at, self._at**2, 100.0 + self._time], np.float32)


class Broken(Walk):
    """Does what `how` says at the third step, where the walk began right of `beyond`."""

    def __init__(self, how, beyond=-9.0):
        super().__init__()
        self._how, self._beyond = how, beyond

    def reset(self, *, seed=None, options=None):
        seen, info = super().reset(seed=seed)
        self._bad = self._at > self._beyond
        return seen, info

    def step(self, action):
        seen, reward, *rest = super().step(action)
        if self._bad and self._time == 3:
            if self._how == "raise":
                raise RuntimeError("the motor is stuck\nsecond line")
            if self._how == "hang":
                time.sleep(3600)
            if self._how == "nan reward":
                reward = float("nan")
            if self._how == "nan observation":
                seen = seen * np.nan
        return seen, reward, *rest


class Pictures(Walk):
    """The same walk, seen as a bright bar in a picture of bytes."""

    def __init__(self):
        super().__init__(steps=6)
        self.observation_space = gymnasium.spaces.Box(0, 255, (24, 20, 2), np.uint8)

    def _seen(self):
        picture = np.arange(24 * 20 * 2, dtype=np.uint8).reshape(24, 20, 2)
        picture[int(np.clip(12 + 3 * self._at, 0, 23))] = 255
        return picture


def walk(**options):
    return Walk(**options)


def broken(render_mode=None, **options):
    return Broken(**options)


def pictures():
    return Pictures()


def not_an_environment():
    return 3


def unmakeable():
    raise OSError("no such robot")


class Counted(_Base):
    """Asks for the number of the step, which nothing shows: the reward is −|action − steps so far|."""

    def __init__(self, steps=7):
        self.observation_space = gymnasium.spaces.Box(0, 1, (2,), np.float32)
        self.action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self._steps = steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._time, self._last = 0, int(self.np_random.integers(2, self._steps + 1))
        return np.ones(2, np.float32), {}

    def step(self, action):
        reward = -abs(float(action[0]) - self._time)
        self._time += 1
        return np.ones(2, np.float32), reward, self._time >= self._last, False, {}


def counted(**options):
    return Counted(**options)


def blind_cartpole(**options):
    """CartPole without its velocities."""
    space = gymnasium.spaces.Box(-10, 10, (2,), np.float32)
    env = gymnasium.make("CartPole-v1", **options)
    return gymnasium.wrappers.TransformObservation(env, lambda x: np.asarray(x)[[0, 2]], space)
