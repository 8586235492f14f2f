"""Exported files run by the programs that read them, without nograd."""

import json
from pathlib import Path

import jax
import numpy as np
from jax import export

from nograd.core.runtime import in_64_bits
from nograd.runs.export.base import Exported
from nograd.runs.export.onnx import encode as onnx_of
from nograd.runs.export.stablehlo import encode as stablehlo_of


def by_onnx(content, x):
    """What onnxruntime makes of inputs, by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    kind = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int32)": np.int32}[given.type]
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, {given.name: np.asarray(x, kind)}), strict=True))


def by_stablehlo(content, x):
    """What JAX makes of inputs, by name."""
    with in_64_bits():
        program = export.deserialize(bytearray(content))
        return {
            name: np.asarray(found) for name, found in program.call(np.asarray(x, program.in_avals[0].dtype)).items()
        }


def about_of(path):
    """What a file says of itself."""
    if path.suffix == ".onnx":
        import onnx

        return json.loads(onnx.load(path).metadata_props[0].value)
    return json.loads(Path(f"{path}.json").read_text())


def agree(network, x, close=1e-5):
    """The answers of a network are those of its files, for one example and for several."""
    given = Exported(network, "test", lambda: None)
    files = onnx_of(given).content, stablehlo_of(given).content
    for batch in (x, x[:1]):
        with in_64_bits(network.wide):
            expected = {n: np.asarray(a) for n, a in jax.jit(network.answers)(np.asarray(batch, network.dtype)).items()}
        for found in (by_onnx(files[0], batch), by_stablehlo(files[1], batch)):
            assert found.keys() == expected.keys()
            for name, array in expected.items():
                assert found[name].dtype == array.dtype
                np.testing.assert_allclose(found[name], array, rtol=close, atol=close, err_msg=name)
