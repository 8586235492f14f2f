"""Shared by all tests: one XLA thread as in the command line, small data sets, the folder of real MNIST."""

import os
import tempfile
from contextlib import nullcontext
from pathlib import Path

os.environ.setdefault("NPROC", "1")  # before JAX starts
if hasattr(os, "sched_setaffinity") and "PYTEST_XDIST_WORKER" in os.environ:
    # One core for each worker of pytest: a training that asks for no workers then starts none.
    _CORES = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_CORES[int(os.environ["PYTEST_XDIST_WORKER"].lstrip("gw")) % len(_CORES)]})
os.environ["KERAS_BACKEND"] = "jax"  # before Keras starts, which would choose TensorFlow
# Many tests compile the same programs: pytest's workers and their children share a folder, which goes with the first.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _CACHE = tempfile.TemporaryDirectory(prefix="nograd-xla-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
# Compilation takes most of the time of the tests, whose programs run for milliseconds. It takes a third without LLVM's
# passes, without XLA's newer code generator, and without dividing each program among 32 modules. `make slow` has all
# three. Child processes inherit the variables, so that they compile the same programs to the same bits.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] != "0" and "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XLA_FLAGS"] = " ".join(
        [
            *os.environ.get("XLA_FLAGS", "").split(),
            "--xla_cpu_use_fusion_emitters=false",
            "--xla_cpu_parallel_codegen_split_count=1",
        ]
    )

import pytest
from blobs import make_blobs

from nograd.data import Dataset

_AS_USERS = {"xla_cpu_use_fusion_emitters": True, "xla_cpu_parallel_codegen_split_count": 32}  # XLA's defaults


@pytest.fixture
def mnist_dir() -> Path:
    """The folder of real MNIST, where there is one."""
    folder = os.environ.get("NOGRAD_DATA")
    if not folder or not list(Path(folder).glob("**/train-images-idx3-ubyte*")):
        pytest.skip("set NOGRAD_DATA to the folder of the MNIST files to test on them")
    return Path(folder).resolve()


@pytest.fixture
def blobs() -> Dataset:
    return make_blobs()


@pytest.fixture
def optimized(monkeypatch):
    """XLA as users have it, for laws about the bits of different programs."""
    import jax
    from jax._src import compiler

    options = compiler.get_compile_options  # the flags are read once in a process, and compile options go over them

    def as_users(*arguments, env_options_overrides=None, **more):
        return options(*arguments, env_options_overrides=_AS_USERS | (env_options_overrides or {}), **more)

    monkeypatch.setattr(compiler, "get_compile_options", as_users)
    kept = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if flag[2:].partition("=")[0] not in _AS_USERS]
    monkeypatch.setenv("XLA_FLAGS", " ".join(kept))  # of child processes
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def quick_runs(monkeypatch):
    """Whole trainings whose jobs are built and compiled once for all tests, and whose curves are not drawn."""
    from reuse import reuse_programs

    reuse_programs(monkeypatch)
    monkeypatch.setattr("nograd.training.train.curves_beside", lambda *words: nullcontext(lambda: b"\x89PNG"))


@pytest.fixture
def no_pictures(monkeypatch):
    """Charts without their pictures, for tests of the text around them: a picture takes most of a page's time."""
    from nograd.reports.html import Markup

    monkeypatch.setattr("nograd.reports.charts.picture", lambda spec, title: Markup("<svg></svg>"))
