"""Environments: their description, where they come from, and many of them stepped side by side."""

from nograd.envs.find import environment as environment
from nograd.envs.spaces import Action as Action
from nograd.envs.spaces import Observation as Observation
from nograd.envs.spec import EnvSpec as EnvSpec
from nograd.envs.vector import VectorEnv as VectorEnv
from nograd.envs.vector import vector_env as vector_env
