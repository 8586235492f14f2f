"""Linen modules as models: parameters in, outputs out, and nothing else."""

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from nograd.core.trees import leaf_names
from nograd.core.types import Key, ModelError, Params
from nograd.models.adapters.base import conform, fitted, library, one_line, refusal
from nograd.models.base import Model, Shape
from nograd.models.memory import side_by_side

_SWITCHES = ("deterministic", "use_running_average")  # what Linen's own layers call inference mode


def linen_model(module: Any, example: Array, frozen: bool, carry: Any, call: dict[str, Any]) -> Model:
    """The `Model` of a Linen module; see `from_flax`."""
    linen = library("flax.linen")
    given = None
    if module.scope is not None:
        module, given = module.unbind()
    interceptors = [_inference] if frozen else []
    carried = [] if carry is None else [side_by_side(carry, len(example))]

    def draw(key: Key) -> dict[str, Any]:
        with _intercept(linen, [_inference]):
            return given or linen.meta.unbox(module.init(key, *carried, example, **call))

    with one_line(f"the Linen module {type(module).__name__} fails on an example of shape {example.shape}"):
        # Only what is not a parameter is kept: the state of this key, and of every other one.
        state = {name: tree for name, tree in jax.jit(draw)(jax.random.key(0)).items() if name != "params"}
        _check(linen, module, jax.eval_shape(draw, jax.random.key(0)), (*carried, example), call, frozen)

    def apply(params: Params, *given: Any) -> Any:
        *before, x = given
        x = conform(x, example.shape[1:], example.dtype)
        with _intercept(linen, interceptors):
            # Written state is dropped: frozen means that it stays as it is.
            outputs, _ = module.apply({"params": params, **state}, *before, x, mutable=list(state), **call)
        return outputs

    start = None if carry is None else lambda: carry
    return Model(lambda key: draw(key).get("params", {}), apply, initial_carry=start)


def write(module: Any, params: Params, shape: Shape) -> dict[str, Any]:
    """Variables with these parameters; see `write` of `flax`.

    An unbound module is drawn once on an example of the trained shape, for the names and shapes of its parameters.
    Where it cannot be (it takes other examples, or more arguments), Flax itself compares them in `apply`.
    """
    variables = _variables(module, shape)
    if variables is None:
        return {"params": params}
    written = fitted(variables.get("params", {}), params, f"the Linen module {type(module).__name__}")
    return {**variables, "params": jax.tree.map(jnp.asarray, written)}


def _variables(module: Any, shape: Shape) -> dict[str, Any] | None:
    """The variables of a bound module, or drawn on an example of this shape; None if the module takes another shape."""
    linen = library("flax.linen")
    if module.scope is not None:
        return dict(module.unbind()[1])
    try:
        with _intercept(linen, [_inference]):
            return dict(linen.meta.unbox(module.init(jax.random.key(0), jnp.zeros((1, *shape), jnp.float32))))
    except Exception:
        return None


def _check(
    linen: Any, module: Any, variables: Any, inputs: tuple[Any, ...], call: dict[str, Any], frozen: bool
) -> None:
    """Raises ModelError where the module keeps state or draws random numbers, which only `frozen` allows."""
    for collection in variables:
        names = leaf_names(variables[collection])
        if collection != "params" and names and not frozen:
            layer = "/".join(names[0].split("/")[:-1]) or type(module).__name__
            raise refusal(layer, f"keeps state ({collection})")
    found: list[str] = []
    with _intercept(linen, [_inference, _random_layers(found)]):
        try:
            jax.eval_shape(lambda v, x: module.apply(v, *x, mutable=list(v), **call)[0], variables, inputs)
        except library("flax.errors").InvalidRngError:
            if frozen:
                problem = f"layer {found[0]!r} draws random numbers in inference mode too; leave it out"
                raise ModelError(problem) from None
    if found and not frozen:
        raise refusal(found[0], "draws random numbers")


def _intercept(linen: Any, interceptors: list[Callable[..., Any]]) -> ExitStack:
    """A context in which every call of a Linen module passes through these."""
    stack = ExitStack()
    for interceptor in interceptors:
        stack.enter_context(linen.intercept_methods(interceptor))
    return stack


def _inference(method: Callable[..., Any], arguments: Any, keywords: Any, context: Any) -> Any:
    """Calls a method in inference mode, whatever its module or its caller has set.

    The switch may sit in the module or in the arguments, and Linen refuses both at once: it is set in the module
    for the time of the call, and taken out of the arguments.
    """
    module = context.module
    switches = [switch for switch in _SWITCHES if hasattr(module, switch)]
    if context.method_name != "__call__" or not switches:
        return method(*arguments, **keywords)
    bound = inspect.signature(context.orig_method).bind(*arguments, **keywords)
    before = {switch: getattr(module, switch) for switch in switches}
    for switch in switches:
        object.__setattr__(module, switch, True)  # Linen modules are frozen to their own code
        if bound.arguments.get(switch) is not None:
            bound.arguments[switch] = None
    try:
        return method(*bound.args, **bound.kwargs)
    finally:
        for switch, value in before.items():
            object.__setattr__(module, switch, value)


def _random_layers(found: list[str]) -> Callable[..., Any]:
    """An interceptor that notes the paths of layers with dropout, and of one that asks for a key and has none."""
    no_key, dropout = library("flax.errors").InvalidRngError, library("flax.linen").Dropout

    def note(method: Callable[..., Any], arguments: Any, keywords: Any, context: Any) -> Any:
        module = context.module
        path = "/".join(module.path) or type(module).__name__
        # Linen's attention drops by itself, without a Dropout inside.
        name = "rate" if isinstance(module, dropout) else "dropout_rate"
        if type(module).__module__.startswith("flax.linen.") and getattr(module, name, None) and path not in found:
            found.append(path)
        try:
            return method(*arguments, **keywords)
        except no_key:
            found.append(path)  # the innermost comes first
            raise

    return note
