"""From a PyTorch module to a `Program`: torch.export traces it, and every tensor of it becomes a name."""

import inspect
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from typing import Any

import jax
import numpy as np

from nograd.core.types import ModelError
from nograd.models.adapters.base import library, one_line, refusal, summary
from nograd.models.adapters.torch_program import Program, Ref, Step, check_rules, rule_for

ROWS = 3  # of the batch that is traced: torch.export takes a batch of one for a constant
# What these are called with says where and how a tensor lies in memory.
_PLACEMENT = ("device", "layout", "memory_format", "non_blocking", "pin_memory", "copy", "implicit")
# Beyond those that torch.export decomposes by itself.
_DECOMPOSED = ("upsample_bilinear2d", "upsample_linear1d", "upsample_nearest1d", "upsample_nearest2d")
_ASSERTIONS = ("_assert", "sym_constrain")  # on sizes, which JAX checks itself


def exported(module: Any, given: tuple[Any, ...], frozen: bool) -> Program:
    """The program of a module that is in the mode to be trained in.

    Args:
        module: a copy of the user's: tracing may leave marks in it.
        given: what it is called with: tensors [ROWS, *features], or tuples of them.
        frozen: only for the words of errors.

    Raises:
        ModelError: the module cannot be traced for every size of a batch, has state or randomness, or holds an
            operation that has no rule.
    """
    torch = library("torch")
    name = type(module).__name__
    with one_line(f"the PyTorch module {name} cannot be traced"), _silence():
        program = _graph(torch, module, given)
        program = program.run_decompositions(_decompositions(torch))
    _check_state(torch, program, frozen)
    _check_random(torch, program, name, frozen)
    made = _program(torch, program, {id(p): own for own, p in reversed([*module.named_parameters()])}, module)
    check_rules(made, name)
    return made


@contextmanager
def _silence() -> Iterator[None]:
    """PyTorch's tracers warn of their own code, log whole tracebacks and print graphs; an error says it in one line."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def _graph(torch: Any, module: Any, given: tuple[Any, ...]) -> Any:
    """The exported graph for a batch of any size.

    The second try follows Python's bytecode (strict), which is slower, and in which len(x) is no fixed number.
    """
    free = {0: torch.export.Dim("batch", min=2)}  # a batch of one would lose its axis in a squeeze
    first = next(iter(inspect.signature(module.forward).parameters.values()))
    each = jax.tree.map(lambda tensor: free, given)
    shapes = (each,) if first.kind is first.VAR_POSITIONAL else each  # as PyTorch nests arguments
    try:
        return torch.export.export(module, given, dynamic_shapes=shapes)
    except Exception as error:
        with suppress(Exception):
            return torch.export.export(module, given, dynamic_shapes=shapes, strict=True)
        name = type(module).__name__
        raise ModelError(f"torch.export cannot trace the PyTorch module {name}: {_why(error)}") from error


def _why(error: Exception) -> str:
    """What torch.export says in many lines, where it is one of the two common reasons."""
    if "Constraints violated" in str(error):
        return (
            "its code fixes the size of the batch, the first axis, as a loop over examples does, or a recurrent layer "
            "without batch_first=True, which takes that axis for time"
        )
    if "data-dependent" in str(error):
        return f"its Python code depends on values of tensors ({summary(error)}); torch.where chooses within the graph"
    return summary(error)


def _decompositions(torch: Any) -> Any:
    """PyTorch's own, but for what has a rule here: a layer stays one operation, a GRU one loop."""
    table = torch.export.default_decompositions()
    more = [getattr(torch.ops.aten, name) for name in _DECOMPOSED]
    table.update(torch._decomp.get_decompositions(more))
    for operation in list(table):
        if rule_for(_operation(operation)):
            table.pop(operation)
    return table


def _operation(target: Any) -> str:
    """`linear.default` for torch.ops.aten.linear.default, `size.mul` for arithmetic of sizes."""
    text = str(target)
    if text.startswith("aten."):
        return text.removeprefix("aten.")
    name = getattr(target, "__name__", text)
    return name if name == "getitem" else f"size.{name}"


# What is refused -----------------------------------------------------------------------------------------


def _check_state(torch: Any, program: Any, frozen: bool) -> None:
    """Raises ModelError for a buffer, or a parameter, that a call writes."""
    for spec in program.graph_signature.output_specs:
        if spec.kind is torch.export.graph_signature.OutputKind.USER_OUTPUT:
            continue
        layer, _, name = (spec.target or "").rpartition(".")
        if frozen:
            raise ModelError(f"layer {layer!r} writes {name!r} in evaluation mode too, and ES trains parameters only")
        raise refusal(layer or name, f"keeps state ({name})")


def _check_random(torch: Any, program: Any, module: str, frozen: bool) -> None:
    """Raises ModelError for an operation that draws random numbers."""
    for node in program.graph.nodes:
        if node.op != "call_function" or not _draws(torch, node):
            continue
        layer = _layer(node) or module
        if frozen:
            raise ModelError(
                f"layer {layer!r} draws random numbers in evaluation mode too ({_operation(node.target)}); "
                "pass training=self.training to functions such as F.dropout"
            )
        raise refusal(layer, "draws random numbers")


def _draws(torch: Any, node: Any) -> bool:
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    schema = [argument.name for argument in node.target._schema.arguments]
    given = {**dict(zip(schema, node.args, strict=False)), **node.kwargs}
    if any(name in schema and not given.get(name) for name in ("train", "training")):
        return False
    share = next((given.get(name, 0.0) for name in ("dropout_p", "dropout", "p") if name in schema), None)
    return share != 0 and given.get("num_layers") != 1  # recurrent layers drop between layers


def _layer(node: Any) -> str:
    """The path of the innermost module that an operation belongs to; "" for the outermost."""
    stack = [*node.meta.get("nn_module_stack", {}).values()]
    return str(stack[-1][0]).removeprefix("L['self'].") if stack else ""


# The program ---------------------------------------------------------------------------------------------


def _program(torch: Any, program: Any, trained: dict[int, str], module: Any) -> Program:
    """The graph as plain data. `trained`: the first name of each parameter, by its identity."""
    kinds = torch.export.graph_signature.InputKind
    own = dict(module.named_parameters(remove_duplicate=False))
    parameters: dict[str, str] = {}
    constants: dict[str, np.ndarray] = {}
    inputs: list[str] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind is kinds.USER_INPUT:
            inputs.append(spec.arg.name)
        elif spec.kind is kinds.PARAMETER and own[spec.target].requires_grad:
            parameters[spec.arg.name] = trained[id(own[spec.target])]  # tied ones are one parameter
        elif spec.kind in (kinds.PARAMETER, kinds.BUFFER, kinds.CONSTANT_TENSOR):
            held = program.state_dict if spec.target in program.state_dict else program.constants
            constants[spec.arg.name] = held[spec.target].detach().cpu().numpy().copy()
        else:
            raise ModelError(f"from_torch cannot take the object {spec.target!r} of {type(module).__name__}")
    outputs = next(node for node in program.graph.nodes if node.op == "output").args[0]
    steps = tuple(_steps(torch, program.graph))
    return Program(parameters, constants, tuple(inputs), steps, tuple(output.name for output in outputs))


def _steps(torch: Any, graph: Any) -> Iterator[Step]:
    for node in graph.nodes:
        if node.op != "call_function" or _operation(node.target).removeprefix("size.").startswith(_ASSERTIONS):
            continue
        operation, arguments = _operation(node.target), list(node.args)
        if operation.startswith("squeeze."):
            arguments = [arguments[0], _squeezed(node)]
        keywords = {key: _plain(torch, value) for key, value in node.kwargs.items() if key not in _PLACEMENT}
        yield Step(node.name, operation, _layer(node), tuple(_plain(torch, a) for a in arguments), keywords)


def _squeezed(node: Any) -> list[int]:
    """The axes of size 1 among those asked for, whatever the batch: a batch of one keeps its axis."""
    shape = node.args[0].meta["val"].shape
    asked = node.args[1] if len(node.args) > 1 else range(len(shape))
    axes = [asked] if isinstance(asked, int) else asked
    return [at % len(shape) for at in axes if isinstance(shape[at], int) and shape[at] == 1]


def _plain(torch: Any, value: Any) -> Any:
    """An argument without PyTorch's own types."""
    if isinstance(value, torch.fx.Node):
        return Ref(value.name)
    if isinstance(value, list | tuple):
        return [_plain(torch, part) for part in value]
    if isinstance(value, torch.dtype):
        return torch.empty(0, dtype=value).numpy().dtype
    return None if isinstance(value, torch.device | torch.layout | torch.memory_format) else value
