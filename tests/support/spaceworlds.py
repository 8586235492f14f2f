"""An environment of the spaces that a test puts into SPACES: it shows samples, and refuses actions from outside."""

import gymnasium

SPACES = {}


class Sampled(gymnasium.Env):
    def __init__(self):
        self.observation_space, self.action_space = SPACES["observations"], SPACES["actions"]
        self.steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        if not self.action_space.contains(action):
            raise ValueError(f"{action!r} is not in {self.action_space}")
        self.steps += 1
        return self.observation_space.sample(), 1.0, self.steps == 3, False, {}


def make():
    return Sampled()
