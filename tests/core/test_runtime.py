"""Threads, caches and devices: nothing is set by an import, and a training has one thread wherever it still can."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nograd

SOURCE = Path(nograd.__file__).parent


def in_process(code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "NPROC"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_import_sets_the_environment_or_starts_jax():
    code = (
        "import os, pkgutil, importlib, nograd; before = dict(os.environ)\n"
        "for module in pkgutil.walk_packages(nograd.__path__, 'nograd.'):\n"
        "    if not module.name.endswith(('__main__', 'observers.tensorboard', 'observers.wandb')):\n"
        "        importlib.import_module(module.name)\n"
        "from nograd.core.runtime import has_started\n"
        "changed = {name for name in os.environ if os.environ[name] != before.get(name)}\n"
        "print(sorted(name for name in changed if name.startswith(('NPROC', 'JAX', 'XLA'))), has_started())"
    )
    assert in_process(code) == "[] False"


def test_a_training_has_one_thread_where_jax_has_not_started():
    code = "from nograd.core.runtime import use_one_thread, has_started, threads\n"
    first = code + "import jax; use_one_thread(); jax.numpy.ones(2); print(threads(), has_started())"
    late = code + "import jax; jax.numpy.ones(2); use_one_thread(); print(threads(), has_started())"
    assert in_process(first) == "1 True"
    assert in_process(late) == "all True"


def test_nothing_private_of_jax_is_imported():
    for path in SOURCE.rglob("*.py"):
        assert not re.search(r"\bjax\._src\b", path.read_text("utf-8")), path
