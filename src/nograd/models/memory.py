"""Networks with memory: the carry between steps, one step of any network, and whole sequences."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.trees import shown_names
from nograd.core.types import ModelError, Params, PyTree
from nograd.models.base import Model


def carry_of(model: Model, *batch: int) -> PyTree:
    """The carry of sequences before their first step, leaves [*batch, …]; () for a network without memory."""
    if model.initial_carry is None:
        return ()
    if not callable(model.initial_carry):
        raise ModelError("initial_carry must be a function without arguments, such as lambda: jax.numpy.zeros(32)")
    return side_by_side(model.initial_carry(), *batch)


def side_by_side(carry: PyTree, *batch: int) -> PyTree:
    """The carry of one sequence for sequences side by side, leaves [*batch, …]. Raises ModelError."""
    return jax.tree.map(partial(_repeated, batch), carry)


def advanced(model: Model, whole: Any, carry: PyTree, x: Array) -> tuple[Array, PyTree]:
    """One step of sequences side by side.

    Args:
        model: with memory or without.
        whole: what its `apply` takes first: parameters, or (parameters, prepared).
        carry: leaves [batch, …]; () without memory.
        x: [batch, *features].

    Returns:
        Outputs [batch, outputs], and the carry after the step.
    """
    if model.initial_carry is None:
        return model.apply(whole, x), carry
    outputs, after = model.apply(whole, carry, x)
    return outputs, after


def in_order(model: Model, whole: Any, x: Float[Array, " time *features"]) -> Float[Array, "time outputs"]:
    """The outputs at each step of one sequence."""

    def step(carry: PyTree, now: Array) -> tuple[PyTree, Array]:
        outputs, after = advanced(model, whole, carry, now[None])
        return after, outputs[0]

    return jax.lax.scan(step, carry_of(model, 1), x)[1]


def over_time(model: Model) -> Model:
    """The network of whole sequences [batch, time, *features]: its outputs are those of a recurrent one's last step."""
    return Model(model.init, partial(_last_outputs, model))


def check_step(result: Any, carry: PyTree) -> Any:
    """The outputs of one step, of shapes alone.

    Raises:
        ModelError: the result is no pair, or the carry has another structure, shape or type than before the step.
    """
    if not isinstance(result, tuple) or len(result) != 2:
        raise ModelError(
            f"a model with an initial_carry must return (outputs, carry), got {type(result).__name__} of "
            f"{len(jax.tree.leaves(result))} arrays; return both, or leave out the carry"
        )
    outputs, after = result
    trees: list[Any] = list(map(jax.tree.structure, (carry, after)))
    if trees[0] != trees[1]:
        raise ModelError(
            f"the carry is {trees[0]} before a step and {trees[1]} after it; apply must return what initial_carry gives"
        )
    for name, old, new in zip(shown_names(carry), jax.tree.leaves(carry), jax.tree.leaves(after), strict=True):
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            place = "" if name == "(root)" else f" {name!r}"
            raise ModelError(
                f"the carry{place} is {_said(old)} before a step of {old.shape[0]} sequences and "
                f"{_said(new)} after it; apply must return the shape and type that initial_carry gives"
            )
    return outputs


def _said(leaf: Any) -> str:
    return f"{leaf.dtype} {list(leaf.shape)}"


def _repeated(batch: tuple[int, ...], leaf: Any) -> Array:
    """One leaf of a sequence's carry for sequences side by side, [*batch, …]."""
    array = jnp.asarray(leaf)
    if jnp.issubdtype(array.dtype, jax.dtypes.extended) or array.dtype.kind not in "biufV":
        raise ModelError(f"the carry must be of real numbers, got {array.dtype}; keep two arrays for a complex one")
    return jnp.broadcast_to(array.astype(array.dtype), (*batch, *array.shape))


def _last_outputs(model: Model, params: Params, x: Float[Array, "batch time *features"]) -> Array:
    """The outputs of the last step: the steps before are only for their carry, so that their outputs cost nothing."""

    def step(carry: PyTree, now: Array) -> tuple[PyTree, None]:
        return advanced(model, params, carry, now)[1], None

    carry, _ = jax.lax.scan(step, carry_of(model, len(x)), jnp.moveaxis(x[:, :-1], 1, 0))
    return advanced(model, params, carry, x[:, -1])[0]
