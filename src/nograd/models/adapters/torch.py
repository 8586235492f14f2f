"""PyTorch modules, unmodified: torch.export gives the graph, rules of our own evaluate it in JAX."""

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nograd.core.trees import shown_names
from nograd.core.types import Key, ModelError, Params
from nograd.models.adapters.base import conform, is_of, library, one_line
from nograd.models.adapters.torch_export import ROWS, exported
from nograd.models.adapters.torch_program import Program, evaluate
from nograd.models.base import Builder, Model, Shape
from nograd.models.memory import check_step

_CARRY = "the carry of from_torch is no array"
_BLANK = "has no shape yet; call the module once on an example before"
_TOLERANCE = 1e-3  # of the largest output: PyTorch and XLA add in another order


def from_torch(module: Any, example: Any = None, *, frozen: bool = False, carry: Any = None) -> Model | Builder:
    """A `Model` of a `torch.nn.Module`; a `Builder` for one without an example, whose shape the data give.

    The module is traced once, in a copy, and its first outputs are compared with PyTorch's own. PyTorch takes no
    part in the training. `Run.to` writes trained parameters back.

    Args:
        module: on the CPU in float32, from one tensor [batch, *features] to one tensor [batch, outputs]. `init`
            returns its own values whatever the key; `torch.manual_seed` before it is made fixes them.
        example: a batch of any size, [1, *features], a tensor or an array. The data are brought to its shape
            (28×28 images to 784 numbers, or to [1, 28, 28]) and its type (to whole numbers, for an embedding).
        frozen: trace the module in evaluation mode: dropout off, batch norm with its stored statistics. Without
            it the module is traced in the mode that it is in.
        carry: what one sequence carries before its first step: a tensor, such as torch.zeros(32) for the state of
            a GRUCell, or a tuple of tensors. Then the module is one with memory: it is called as `module(x, carry)`
            for one step of a batch, the carry's leaves [batch, …], and returns (outputs, carry).

    Returns:
        Parameters are {name of the state_dict: array} of those with `requires_grad`; tied ones stand once, by their
        first name. Everything else is constant.

    Raises:
        ModelError: the module draws random numbers or writes buffers (dropout, batch norm) in the mode that it is
            traced in; it fails on the example, fixes the size of a batch, depends on values, changes the shape of its
            carry, or holds an operation that has no rule; or its parameters are not real float32 numbers on the CPU.
    """
    library("torch")
    if not is_of(module, "torch", "Module"):
        raise ModelError(f"from_torch takes a torch.nn.Module, got {type(module).__name__}")
    _check_parameters(module)
    begun = None if carry is None else _carry(carry)
    if example is not None:
        return _model(module, _example(example), frozen, begun)

    @cache  # a training asks more than once, and tracing takes seconds
    def build(shape: Shape, classes: int) -> Model:
        return _model(module, np.zeros((ROWS, *shape), np.float32), frozen, begun)

    return Builder(None, build, of_steps=carry is not None, source=module)


def write(module: Any, params: Params, shape: Shape) -> Any:
    """The module itself, its trained parameters set to these values; buffers and frozen parameters stay.

    Args:
        module: of the same architecture; in any type and on any device.
        params: {name: array}, as `from_torch` names them; None where a constant stayed as it was.
        shape: of an example; not needed here.

    Raises:
        ModelError: a name or a shape is not the module's, or one of the module's has no value.
    """
    torch = library("torch")
    own = _trained(module)
    there = set(params) if isinstance(params, Mapping) else set(shown_names(params))
    if set(own) != there:
        raise ModelError(
            f"the parameters are not those of {type(module).__name__}: "
            f"{_some(set(own) - there)} missing, {_some(there - set(own))} unknown"
        )
    if blank := [name for name, tensor in own.items() if isinstance(tensor, _uninitialized(torch))]:
        raise ModelError(f"{blank[0]!r} of {type(module).__name__} {_BLANK}")
    for name, value in params.items():
        if value is not None and tuple(np.shape(value)) != tuple(own[name].shape):
            raise ModelError(
                f"parameter {name!r} has shape {tuple(np.shape(value))}, and {tuple(own[name].shape)} in the module"
            )
    given = {id(own[name]): value for name, value in params.items() if value is not None}
    state = module.state_dict()
    for name, tensor in module.named_parameters(remove_duplicate=False):
        if id(tensor) in given and name in state:
            state[name] = torch.tensor(np.asarray(given[id(tensor)], np.float64)).to(tensor.dtype)
    module.load_state_dict(state, strict=True)
    return module


def _uninitialized(torch: Any) -> Any:
    return torch.nn.parameter.UninitializedTensorMixin


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:3]) or "none"


def _trained(module: Any) -> dict[str, Any]:
    return {name: tensor for name, tensor in module.named_parameters() if tensor.requires_grad}


def _model(module: Any, example: np.ndarray, frozen: bool, carry: Any) -> Model:
    program = _traced(module, example, frozen, carry)
    values = {name: jnp.array(tensor.detach().numpy()) for name, tensor in _trained(module).items()}

    def init(key: Key) -> Params:
        return values

    def apply(params: Params, *given: Any) -> Any:
        *carried, x = given
        x = conform(x, example.shape[1:], jax.dtypes.canonicalize_dtype(example.dtype))
        outputs, *after = evaluate(program, params, x, *jax.tree.leaves(carried))
        return outputs if carry is None else (outputs, jax.tree.unflatten(jax.tree.structure(carry), after))

    return Model(init, apply, initial_carry=None if carry is None else lambda: carry, source=module)


# Before tracing ------------------------------------------------------------------------------------------


def _check_parameters(module: Any) -> None:
    """Raises ModelError where the module cannot be trained as it lies in memory."""
    torch = library("torch")
    name = type(module).__name__
    for own, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if isinstance(tensor, _uninitialized(torch)):
            raise ModelError(f"{own!r} of {name} {_BLANK}")
        if tensor.device.type != "cpu":
            raise ModelError(
                f"{own!r} of {name} is on the device {str(tensor.device)!r}, and from_torch reads the CPU's memory; "
                "call module.cpu() before (JAX chooses the device of the training)"
            )
        if tensor.dtype.is_complex:
            raise ModelError(f"{own!r} of {name} is {tensor.dtype}, and ES trains real numbers; use their two parts")
        if tensor.dtype.is_floating_point and tensor.dtype != torch.float32:
            raise ModelError(f"{own!r} of {name} is {tensor.dtype}; call module.float() before, for torch.float32")
    if not _trained(module):
        raise ModelError(
            f"{name} has no parameters to train: none has requires_grad; give it layers, or call "
            "module.requires_grad_(True)"
        )


def _carry(carry: Any) -> Any:
    """The user's carry as arrays. Raises ModelError for anything but tensors of real numbers and tuples of them."""
    leaves = jax.tree.leaves(carry, is_leaf=lambda part: isinstance(part, Mapping))
    arrays = [] if any(isinstance(leaf, Mapping) for leaf in leaves) else [_array(leaf, _CARRY) for leaf in leaves]
    if not arrays or any(array.dtype.kind not in "fiub" for array in arrays):
        raise ModelError(
            f"the carry of from_torch must be a tensor of real numbers or a tuple of tensors, such as torch.zeros(32), "
            f"got {type(carry).__name__}"
        )  # PyTorch and JAX order the keys of a dict differently
    return jax.tree.unflatten(jax.tree.structure(carry), arrays)


def _array(value: Any, what: str) -> np.ndarray:
    """Floats in float32, whole numbers and booleans as they are."""
    value = value.detach().cpu() if hasattr(value, "detach") else value
    with one_line(what):
        array = np.asarray(value.float() if getattr(value, "is_floating_point", bool)() else value)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _example(example: Any) -> np.ndarray:
    """The user's example as an array: floats in float32, whole numbers in int64, booleans as they are."""
    array = _array(example, "the example of from_torch is no array")
    if array.dtype.kind not in "fiub" or array.ndim == 0 or len(array) == 0:
        raise ModelError(
            f"from_torch needs an example [batch, *features] of real numbers, got {array.dtype} "
            f"of shape {array.shape}; a batch of one is enough"
        )
    return array.astype({"f": np.float32, "b": np.bool_}.get(array.dtype.kind, np.int64))


# Tracing -------------------------------------------------------------------------------------------------


def _traced(module: Any, example: np.ndarray, frozen: bool, carry: Any) -> Program:
    """The program of a copy of the module, in the mode that it is trained in."""
    torch = library("torch")
    name = f"the PyTorch module {type(module).__name__}"
    with one_line(f"{name} cannot be copied"):
        trial, own = copy.deepcopy(module).eval(), copy.deepcopy(module)
    own = own.eval() if frozen else own
    batch = _batch(example)
    given = (batch,) if carry is None else (batch, jax.tree.map(lambda leaf: _batch(leaf[None]), carry))
    # The generator's state is the user's, and a module with dropout draws from it.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        _check_call(trial, example, batch, given, name)
        outputs = _called(own, given, f"{name} fails in the mode that it is in")
        program = exported(own, _tensors(given), frozen)
    _compare(program, module, given, outputs)
    return program


def _check_call(trial: Any, example: np.ndarray, batch: np.ndarray, given: tuple[Any, ...], name: str) -> None:
    """Raises ModelError where the module cannot be called with its example, or with batches of another size."""
    one = jax.tree.map(lambda leaf: np.resize(leaf, (len(example), *leaf.shape[1:])), given[1:])
    _called(
        trial, (example, *one), f"{name} fails on an example of shape {example.shape} and type {example.dtype}; "
        "if it takes other inputs, pass from_torch(module, example)",
    )  # fmt: skip
    _called(
        trial, given, f"{name} takes no batch but of {len(example)} examples, as after "
        f"x.view({len(example)}, -1); write x.shape[0] for it, or x.flatten(1)",
    )  # fmt: skip


def _batch(example: np.ndarray) -> np.ndarray:
    """ROWS examples: random numbers in place of floats, since an example is often all zeros."""
    shape = (ROWS, *example.shape[1:])
    if example.dtype == np.float32:
        return np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    return np.resize(example[:1], shape)


def _tensors(given: Any) -> Any:
    return jax.tree.map(library("torch").from_numpy, given)


def _called(module: Any, given: tuple[Any, ...], fault: str) -> list[np.ndarray]:
    """The module's own outputs, and leaves of what it carries."""
    torch = library("torch")
    with one_line(fault):
        found = module(*_tensors(given))
    if len(given) == 1 and not isinstance(found, torch.Tensor):
        raise ModelError(
            f"the PyTorch module {type(module).__name__} returns {type(found).__name__}, and a network here "
            "returns one tensor [batch, outputs]; return that tensor alone, or give its carry: "
            "from_torch(module, carry=torch.zeros(32))"
        )
    arrays = jax.tree.map(lambda leaf: leaf.detach().numpy() if isinstance(leaf, torch.Tensor) else leaf, found)
    if len(given) == 2:
        check_step(arrays, given[1])
    return jax.tree.leaves(arrays)


def _compare(program: Program, module: Any, given: tuple[Any, ...], expected: list[np.ndarray]) -> None:
    """Raises ModelError where JAX computes something else than PyTorch did on the same batch."""
    params = {name: jnp.asarray(tensor.detach().numpy()) for name, tensor in _trained(module).items()}
    with jax.default_matmul_precision("highest"):
        found = jax.jit(lambda params, given: evaluate(program, params, *given))(params, jax.tree.leaves(given))
    if not all(_close(np.asarray(output), own) for output, own in zip(found, expected, strict=True)):
        raise ModelError(
            f"in JAX the PyTorch module {type(module).__name__} gives other outputs than in PyTorch; please report its "
            "layers, and give the network as nograd.Model(init, apply) until then"
        )


def _close(output: np.ndarray, expected: np.ndarray) -> bool:
    size = np.max(np.abs(expected), where=np.isfinite(expected), initial=0.0)
    return output.shape == expected.shape and np.allclose(
        output, expected, rtol=0, atol=_TOLERANCE * float(size) + 1e-6, equal_nan=True
    )
