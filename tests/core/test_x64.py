"""JAX's 64-bit mode: trainings, their resumption and their evaluation go through, in float32 as always."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys, numpy as np, jax, nograd as ng
perturbation, strategy, shaping, out = sys.argv[1:]
more = {"population": 8} if perturbation == "dense" else {"directions": 2}
if shaping != "-":
    more["shaping"] = shaping
common = dict(model="mlp:2", batch=16, engine="inline", eval_every=2, checkpoint_every=1)
ng.train("digits", perturbation=perturbation, strategy=strategy, generations=2, out=out, **common, **more)
run = ng.train(resume=out, generations=3)
run.evaluate()
assert {str(leaf.dtype) for leaf in jax.tree.leaves(run.params)} == {"float32"}
"""
ALL = [
    *[("dense", "openai-es", shaping) for shaping in ("raw", "standardized", "centered_rank", "sign", "utilities")],
    *[("dense", strategy, "-") for strategy in ("ars", "snes", "pgpe", "cma-es", "sep-cma-es")],
    *[(local, strategy, "-") for local in ("lowrank", "node") for strategy in ("openai-es", "ars")],
]
FAST = [("dense", "snes", "-")]


@pytest.mark.parametrize("words", [pytest.param(w, marks=[] if w in FAST else [pytest.mark.slow]) for w in ALL])
@pytest.mark.slow
def test_a_training_goes_through_in_64_bits(tmp_path, words):
    where = {**os.environ, "JAX_ENABLE_X64": "1", "NPROC": "1"}
    subprocess.run([sys.executable, "-c", SCRIPT, *words, str(tmp_path / "run")], env=where, check=True)
