"""The prediction as an ONNX graph, translated from its jaxpr one operation at a time (why so: docs/decisions.md)."""

from importlib import import_module
from typing import Any

import jax
import numpy as np
from jax.extend import core

from nograd.core.types import ConfigError
from nograd.models.stopped import body_of
from nograd.runs.export.about import about_text
from nograd.runs.export.base import Exported, Files
from nograd.runs.export.onnx_graph import Graph, Value
from nograd.runs.export.onnx_rules import RULES
from nograd.runs.export.program import EXAMPLES, traced

_OPSET, _IR = 17, 8  # from 2022; runtimes released since then can read them


def encode(given: Exported) -> Files:
    """A graph with the input `x` and an output for each result; the text `about` is in its metadata.

    Raises:
        ConfigError: the network has an operation without a rule for ONNX, or the package onnx is missing.
    """
    onnx = _package()
    with traced(given.network) as (answers, x):
        closed, shapes = jax.make_jaxpr(answers, return_shape=True)(x)
        graph = Graph(onnx.helper, onnx.numpy_helper, x.shape[0])
        found = evaluate(graph, closed.jaxpr, closed.consts, ["x"])
    outputs = [graph.output(name, value) for name, value in zip(shapes, found, strict=True)]
    made = onnx.helper.make_graph(
        graph.nodes,
        "nograd",
        [_described(onnx.helper, "x", x)],
        [_described(onnx.helper, name, shapes[name]) for name in outputs],
        graph.initializers,
    )
    opsets = [onnx.helper.make_opsetid("", _OPSET)]
    model = onnx.helper.make_model(made, opset_imports=opsets, ir_version=_IR, producer_name="nograd")
    onnx.helper.set_model_props(model, {"about": about_text(given)})
    onnx.checker.check_model(model, full_check=True)
    return Files(model.SerializeToString(deterministic=True))


def evaluate(graph: Graph, jaxpr: core.Jaxpr, consts: list[Any], inputs: list[Value]) -> list[Value]:
    """Adds the operations of a jaxpr to the graph and returns its results.

    A result is the name of a tensor, or an array if it does not depend on an input.

    Raises:
        ConfigError: an operation has no rule.
    """
    values: dict[Any, Value] = dict(zip(jaxpr.constvars, map(np.asarray, consts), strict=True))
    values.update(zip(jaxpr.invars, inputs, strict=True))
    for equation in jaxpr.eqns:
        operands = [np.asarray(a.val) if isinstance(a, core.Literal) else values[a] for a in equation.invars]
        values.update(zip(equation.outvars, _results(graph, equation, operands), strict=True))
    return [np.asarray(a.val) if isinstance(a, core.Literal) else values[a] for a in jaxpr.outvars]


def _results(graph: Graph, equation: Any, operands: list[Value]) -> list[Value]:
    if (body := body_of(equation)) is not None:
        return evaluate(graph, body[0], list(body[1]), operands)
    fixed = all(isinstance(size, int) for result in equation.outvars for size in result.aval.shape)
    if fixed and not any(isinstance(operand, str) for operand in operands):  # no input: computed now, as a constant
        found = equation.primitive.bind(*operands, **equation.params)
        return [np.asarray(one) for one in (found if equation.primitive.multiple_results else [found])]
    name = equation.primitive.name
    if name not in RULES:
        raise ConfigError(
            f"the network has the operation {name!r}, which has no rule for ONNX; use --format stablehlo, or write "
            "that part with other operations"
        )
    made = RULES[name](graph, equation, operands)
    return made if isinstance(made, list) else [made]


def _described(helper: Any, name: str, shape: jax.ShapeDtypeStruct) -> Any:
    """The name, type and shape of an input or output of the graph."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(shape.dtype))
    sizes = [size if isinstance(size, int) else EXAMPLES for size in shape.shape]
    return helper.make_tensor_value_info(name, kind, sizes)


def _package() -> Any:
    try:
        return import_module("onnx")
    except ImportError as error:
        raise ConfigError(f"--format onnx needs the package onnx ({error}); pip install 'nograd[onnx]'") from error
