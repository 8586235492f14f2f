"""A child forked after JAX has started is told so at its first call, and one forked before it works."""

import subprocess
import sys

import pytest
from processes import needs_proc

CALLS = (
    "ng.train('digits', model='mlp:4', generations=1, batch=8, population=4, workers='1', out='r')",
    "train('digits', model='mlp:4', generations=1, batch=8, population=4, workers='1', out='r')",  # taken before
    "ng.search('digits', trials=1, out='s')",
    "ng.load('r')",
    "ng.grad(None, None)",
    "from nograd import train as again",
)
CODE = """
import os, sys
import nograd as ng
from nograd import train
if {started}:
    import jax.numpy as jnp
    jnp.ones(3).sum()
for call in {calls}:
    if not (child := os.fork()):
        try:
            exec(call)
            print('done', flush=True)
        except ng.NogradError as error:
            print(type(error).__name__, error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def said(calls, started, folder):
    """What the children print last."""
    code = CODE.format(calls=calls, started=started)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=120)
    return done.stdout.splitlines()[-len(calls) :]


@needs_proc
def test_a_child_forked_after_jax_started_is_refused_in_one_line(tmp_path):
    lines = said(CALLS, True, tmp_path)
    assert all(line.startswith("EngineError this process was forked after JAX had started") for line in lines)
    assert all("get_context('spawn')" in line for line in lines)
    assert len(lines) == len(CALLS)


@pytest.mark.slow
def test_a_child_forked_before_jax_started_works(tmp_path):
    assert said(CALLS[:1], False, tmp_path) == ["done"]
