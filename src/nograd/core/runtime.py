"""Options that JAX reads when it starts: the number of its threads, and the cache of compiled programs.

JAX starts (makes its devices) at the first computation. Importing this module changes nothing: the code that is about
to compute calls `use_one_thread`, and the command line also calls `keep_programs`.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

from nograd.core.cache import user_cache, writable


def use_one_thread() -> None:
    """Sets XLA to one thread on a CPU, unless JAX has started already or the environment sets another number."""
    if not has_started():
        os.environ.setdefault("NPROC", "1")


def in_64_bits(wide: bool = True) -> AbstractContextManager[Any]:
    """A context in which JAX computes in 64 bits, in this thread alone."""
    import jax

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(wide)
    return import_module("jax.experimental").enable_x64(wide)  # where it is before JAX 0.8


def threads_like_this(count: int) -> ThreadPoolExecutor:
    """A pool of threads that compute in the precision of this thread: JAX's 64-bit setting belongs to one thread."""
    import jax

    wide = bool(jax.config.read("jax_enable_x64"))
    return ThreadPoolExecutor(count, initializer=lambda: in_64_bits(wide).__enter__())


@contextmanager
def without_source_lines() -> Iterator[None]:
    """A context in which programs are written without the Python lines that they come from, so that equal programs are
    equal bytes.
    """
    import jax

    before = jax.config.jax_traceback_in_locations_limit  # type: ignore[attr-defined]
    jax.config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    finally:
        jax.config.update("jax_traceback_in_locations_limit", before)


def threads() -> str:
    """How many threads XLA was told to use on a CPU: a number, or "all"."""
    return os.environ.get("NPROC", "all")


def keep_programs() -> None:
    """Lets JAX store compiled programs in nograd's cache folder, unless the environment says otherwise."""
    for name, value in kept_programs().items():
        os.environ.setdefault(name, value)


def kept_programs() -> dict[str, str]:
    """The environment variables that let JAX keep compiled programs; {} if files cannot be written to the cache."""
    folder = user_cache("xla")
    if not writable(folder):
        return {}
    return {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


def has_started() -> bool:
    """Whether JAX has made its devices in this process. Options that it reads at its start have no effect then."""
    jax: Any = sys.modules.get("jax")
    if jax is None:
        return False
    option = "jax_num_cpu_devices"
    before = getattr(jax.config, option)
    try:
        jax.config.update(option, before + 2)  # JAX refuses this change once it has made its devices
    except RuntimeError:
        return True
    jax.config.update(option, before)
    return False
