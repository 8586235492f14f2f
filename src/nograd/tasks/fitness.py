"""Fitness functions for classes: one value per example, higher is better.

A fitness is a function `(outputs [batch, classes], labels [batch]) -> [batch]`; it need not be differentiable. Those of
the whole batch are in `batch_fitness`; every word stands in the registry `nograd.config.scores`.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nograd.config.registry import load
from nograd.config.scores import FITNESSES, kinds_said
from nograd.core.imports import import_object
from nograd.core.precision import as_floats, is_real
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.tasks.targets import Fitness


def cross_entropy(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """f = log softmax(outputs)[label], in nats: minus the cross-entropy loss."""
    outputs = as_floats(outputs)
    return jnp.sum(
        jax.nn.log_softmax(outputs) * jax.nn.one_hot(labels, outputs.shape[-1], dtype=outputs.dtype), axis=-1
    )


def squared_error(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """f = −Σₖ (onehot(label)ₖ − softmax(outputs)ₖ)², the blog's reward for one example."""
    outputs = as_floats(outputs)
    onehot = jax.nn.one_hot(labels, outputs.shape[-1], dtype=outputs.dtype)
    return -jnp.sum((onehot - jax.nn.softmax(outputs)) ** 2, axis=-1)


def accuracy(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """f = 1 where the largest output is the label's, else 0. No gradient exists; ES needs none."""
    return (jnp.argmax(outputs, axis=-1) == labels).astype(jnp.float32)


def mean_fitness(values: Array) -> Float[Array, ""]:
    """The fitness of a member, float32: the mean of its values, which may be booleans, whole numbers or floats."""
    return jnp.mean(as_floats(values)).astype(jnp.float32)


def checked_fitness(fitness: Fitness, batch: int, width: int, targets: jax.ShapeDtypeStruct) -> tuple[int, ...]:
    """The shape of its values: (), one number for the batch, or (batch,). Raises ConfigError for any other."""
    outputs = jax.ShapeDtypeStruct((batch, width), jnp.float32)
    try:
        found = jax.eval_shape(fitness, outputs, targets)
        shape, kind = jnp.shape(found), jnp.result_type(found)
    except ConfigError:
        raise
    except Exception as error:
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConfigError(f"the fitness function fails on (outputs, labels): {told}") from error
    if shape not in ((), (batch,)):
        raise ConfigError(f"fitness must return shape () or ({batch},), one value an example, got {shape}")
    if not is_real(kind):
        raise ConfigError(f"fitness must return real numbers, got {kind}; return its real part or its size")
    return shape


@cache
def fitnesses_of(kind: str) -> Mapping[str, Fitness]:
    """The fitness functions of a kind of target, the default first; see `config.scores`."""
    return MappingProxyType({word: load(path) for word, path in FITNESSES.for_targets(kind).items()})


def resolve_fitness(name: str, known: Mapping[str, Fitness]) -> Fitness:
    """The fitness of this name among those of a kind of target, or the user's `module:function`.

    Raises:
        ConfigError: there is none, or it is for another kind of target.
    """
    if name in known:
        return known[name]
    if name.startswith("("):
        raise ConfigError(
            f"the run was trained with the fitness {name.strip('()')}, a Python function; give it again: "
            "nograd.train(resume=path, fitness=…)"
        )
    word, colon, number = name.partition(":")
    family = known.get(word)
    if colon and hasattr(family, "of"):  # a word with a number of its own, such as quantile:0.9
        return cast(Any, family).of(number)
    if word in FITNESSES.entries and word not in known:
        raise ConfigError(
            f"--fitness {name} is for {kinds_said(FITNESSES, word)}, and the targets are of another kind; "
            f"use {', '.join(known)}"
        )
    if colon and word not in known:
        return import_object(name, "fitness", known)
    raise ConfigError(f"unknown fitness {name!r}{did_you_mean(name, known)}; or module:function of your own")
