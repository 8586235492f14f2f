"""Environments: what one is, where it comes from, and many of them stepped side by side."""

from nograd.envs.lanes import Lanes as Lanes
from nograd.envs.lanes import lanes as lanes
from nograd.envs.spaces import Action as Action
from nograd.envs.spaces import Observation as Observation
from nograd.envs.world import World as World
from nograd.envs.world import environment as environment
