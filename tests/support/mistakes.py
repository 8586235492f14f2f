"""An environment of Gymnasium that makes one mistake in what its functions return."""

import numpy as np

try:
    import gymnasium
except ImportError:  # the tests that need it are skipped
    gymnasium = None

_Base = gymnasium.Env if gymnasium else object
INFINITE = float("inf")


class Mistaken(_Base):
    """Twenty steps, each with the reward 1 for the right side; `how` says what is wrong from step `at` on."""

    def __init__(self, how="nothing", at=0, steps=20):
        spaces = gymnasium.spaces
        self.observation_space, self.action_space = spaces.Box(-np.inf, np.inf, (2,)), spaces.Discrete(2)
        self._how, self._from, self._steps = how, at, steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._time, self._seen = 0, self.np_random.normal(size=2).astype(np.float32)
        how = self._how if self._from == 0 else ""
        if how == "reset without info":
            return self._seen
        if how == "some resets infinite" and self.np_random.random() < 0.3:
            self._seen[0] = INFINITE
        if how == "every reset infinite":
            self._seen[0] = INFINITE
        if how == "some resets huge" and self.np_random.random() < 0.3:
            self._seen[0] = 1e30
        if how == "reset of another shape":
            return np.zeros(3, np.float32), {}
        return self._seen, {}

    def step(self, action):
        reward, self._time = float(action == (self._seen[0] > 0)), self._time + 1
        self._seen = self.np_random.normal(size=2).astype(np.float32)
        answer = [self._seen, reward, self._time >= self._steps, False, {}]
        return self._wrong(answer) if self._time > self._from else tuple(answer)

    def _wrong(self, answer):
        seen, reward, over, _, info = answer
        return {
            "4 values": (seen, reward, over, info),
            "a list": answer,
            "no reward": (seen, None, over, False, info),
            "an array as reward": (seen, np.array([reward, 0.0]), over, False, info),
            "a line of one as reward": (seen, np.array([reward]), over, False, info),
            "a word as reward": (seen, "1.0", over, False, info),
            "a complex reward": (seen, 1j, over, False, info),
            "terminated None": (seen, reward, None, False, info),
            "terminated a word": (seen, reward, "False", False, info),
            "truncated a dict": (seen, reward, over, info, info),
            "terminated an array": (seen, reward, np.array([over]), False, info),
            "another shape": (np.zeros((2, 1), np.float32), reward, over, False, info),
            "words": (["a", "b"], reward, over, False, info),
            "too large for float32": (np.array([1e39, 0.0]), reward, over, False, info),
            "NaN reward": (seen, float("nan"), over, False, info),
        }.get(self._how, tuple(answer))


def make(**options):
    return Mistaken(**options)
