"""Environments: what one is, where it comes from, and many of them stepped side by side."""

from nograd.envs.find import environment as environment
from nograd.envs.spaces import Action as Action
from nograd.envs.spaces import Observation as Observation
from nograd.envs.spec import World as World
from nograd.envs.vector import Lanes as Lanes
from nograd.envs.vector import lanes as lanes
