"""`nograd.grad` and `nograd.value_and_grad`: called like those of JAX, but estimated by Evolution Strategies."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.precision import as_floats, is_real
from nograd.core.trees import require_floats
from nograd.core.types import ConfigError, Key, Params, PyTree
from nograd.models.stopped import held_at, reaching
from nograd.perturbations.base import Perturbation
from nograd.perturbations.batch_dependence import EXAMPLES, depends_on_others, trial
from nograd.perturbations.dense import as_dense
from nograd.strategies.shaping import raw, valid_members, weights

# (params, *inputs [batch, ...]) -> losses [batch], where loss i depends on example i alone; lower is better.
Losses: TypeAlias = Callable[..., Float[Array, " batch"]]


def value_and_grad(loss: Losses, perturbation: Perturbation) -> Callable[..., tuple[Float[Array, ""], Params]]:
    """Returns a function that estimates the mean loss L and its gradient g = E[(L(θ + σε) − L(θ − σε)) ε] / 2σ.

    g is an unbiased estimate of the gradient of the *smoothed* loss E[L(θ + σε)] with L = mean(loss), also if the loss
    itself has no gradient. For a smooth loss it differs from jax.grad by terms of order σ². As in jax.grad, values that
    pass through `jax.lax.stop_gradient` are constants: a parameter that reaches the loss only in this way has g = 0.

    Args:
        loss: (params, *inputs) -> [batch], one value per example; any function that JAX can trace. With `lowrank` and
            `node`, value i may depend on example i only, because each example is evaluated alone.
        perturbation: `nograd.dense`, `nograd.lowrank` or `nograd.node`. Its `directions` are the mirrored pairs that
            are drawn for the whole batch (dense, and low-rank with group 0), or for each group of examples.

    Returns:
        A function (params, *inputs, key) -> (L, g): L is the mean loss of the members, g a tree like params. It works
        under jit, vmap and shard_map (with check_vma=False, and a different key on each device). Members with a NaN or
        infinite loss are left out of L and g, with the other half of their mirrored pair.

    Raises:
        ConfigError: the loss is not one value per example, or a parameter is not a float (when the function is called).
        InterpretError: the loss has a primitive without a rule (when the function is called).
    """

    tried: set[str] = set()  # shapes of params and inputs for which the loss has been checked

    def estimate(params: Params, *inputs: PyTree, key: Key) -> tuple[Float[Array, ""], Params]:
        _check(loss, params, inputs)
        reached = reaching(loss, params, *inputs)
        held = held_at(loss, params)
        shapes = str(jax.tree.map(jnp.shape, (params, inputs)))
        if as_dense(perturbation) is None and shapes not in tried:
            _require_alone(loss, params, inputs)
            tried.add(shapes)
        values = lambda *arguments: -as_floats(held(*arguments))  # noqa: E731
        fitness, total = perturbation.sampled(values, params, inputs, key, lambda pairs: weights(raw, pairs)[0])
        valid = valid_members(fitness)
        count = jnp.maximum(jnp.sum(valid), 1)
        value = -jnp.sum(jnp.where(valid, fitness, 0.0)) / count
        gradient = _scaled(-1.0 / (count.astype(jnp.float32) * perturbation.sigma), total, reached)
        return jnp.where(jnp.any(valid), value, jnp.nan), gradient

    return estimate


def grad(loss: Losses, perturbation: Perturbation) -> Callable[..., Params]:
    """Returns a function that estimates the gradient of the mean loss: `value_and_grad` without the value.

    Use it as nograd.grad(loss, perturbation)(params, *inputs, key=key); arguments and errors as in `value_and_grad`.
    """
    both = value_and_grad(loss, perturbation)

    def estimate(params: Params, *inputs: PyTree, key: Key) -> Params:
        return both(params, *inputs, key=key)[1]

    return estimate


def _check(loss: Losses, params: Params, inputs: PyTree) -> None:
    require_floats(params)
    sizes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(inputs)}
    if len(sizes) != 1 or () in sizes:
        raise ConfigError(
            f"all inputs must have the same leading axis of examples, got {sorted(str(size) for size in sizes)}"
        )
    (batch,) = sizes.pop()
    found = jax.eval_shape(loss, params, *inputs)
    shape = getattr(found, "shape", None)
    if shape != (batch,):
        raise ConfigError(f"the loss must return one value an example, shape ({batch},), got {shape}; take no mean")
    if not is_real(found.dtype):
        raise ConfigError(f"the loss must return real numbers, got {found.dtype}; return its size")


def _require_alone(loss: Losses, params: Params, inputs: PyTree) -> None:
    """Raises ConfigError if the loss of an example depends on the others, found by a trial on made-up examples.

    The trial cannot use the real examples: under jit or vmap they have no values yet.
    """
    with jax.ensure_compile_time_eval():
        try:
            depends = depends_on_others(partial(loss, trial(params)), *trial(inputs, EXAMPLES))
        except Exception:  # the loss takes no batch of this size, or reads values of an outer transformation: no trial
            return
    if depends:
        raise ConfigError(
            "the loss of an example depends on the rest of its batch, and low-rank and node perturbations take each "
            "example alone; use nograd.dense, or change that"
        )


def _scaled(scale: Array, total: Params, reached: list[bool]) -> Params:
    """scale · total in the leaf's type, computed in float32 or wider; exact zeros where no loss depends on the leaf."""
    leaves, structure = jax.tree.flatten(total)
    moved = [
        (as_floats(leaf) * scale.astype(as_floats(leaf).dtype)).astype(leaf.dtype) if used else jnp.zeros_like(leaf)
        for leaf, used in zip(leaves, reached, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)
