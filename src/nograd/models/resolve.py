"""The network that a word names: a built-in one, or the one that a function of the user's returns."""

from nograd.config.axes import MODELS
from nograd.core.imports import call_object
from nograd.core.types import ConfigError
from nograd.models.adapters.base import adopt
from nograd.models.base import Builder, Model
from nograd.models.registry import is_built_in, is_policy, parse_model, parse_policy


def resolve_model(spec: str) -> Model | Builder:
    """The model that a spec names: a built-in one, or the one that the user's `module:function` returns."""
    if ":" in spec and not is_built_in(spec):
        made = call_object(spec, "model", MODELS.words)
        model = adopt(made)
        if model is None and not callable(made):
            raise ConfigError(f"model {spec!r} returned {type(made).__name__}; return nograd.Model(init, apply)")
        return model or Builder(spec, made)
    return parse_model(spec)


def resolve_policy(spec: str) -> Model | Builder:
    """The policy that a spec names: a built-in one, or the one that the user's `module:function` returns."""
    return parse_policy(spec) if is_policy(spec) else resolve_model(spec)
