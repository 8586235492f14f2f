"""An environment whose observations and actions are nested, and which takes only actions of its own space."""

import numpy as np

try:
    from gymnasium import Env, spaces
except ImportError:  # the tests that need it are skipped
    Env, spaces = object, None


class Nested(Env):
    """Six steps; a point for each part of the action that is as the observation says."""

    def __init__(self):
        arm = spaces.Dict({"angle": spaces.Box(-1, 1, (2,), np.float64), "gear": spaces.Discrete(3, start=1)})
        self.observation_space = spaces.Dict(
            arm=arm, lamp=spaces.Tuple([spaces.MultiBinary(3), spaces.MultiDiscrete([2])])
        )
        move = spaces.Box(np.array([0.1]), np.array([np.inf]), dtype=np.float64)
        self.action_space = spaces.Tuple(
            [spaces.Dict(move=move, gear=spaces.Discrete(2, start=-1)), spaces.MultiBinary(2)]
        )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self._time, self._seen = 0, self.observation_space.sample()
        return self._seen, {}

    def step(self, action):
        assert self.action_space.contains(action), action
        assert self.observation_space.contains(self._seen)
        points = (
            (action[0]["gear"] == 0) + np.sum(action[1] == self._seen["lamp"][0][:2]) - abs(action[0]["move"][0] - 1.1)
        )
        self._time, self._seen = self._time + 1, self.observation_space.sample()
        return self._seen, points, self._time >= 6, False, {}


def make():
    return Nested()
