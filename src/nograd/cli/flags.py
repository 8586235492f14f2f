"""From arguments to a dataclass, and what several commands share. JAX is imported by none of it."""

import contextlib
import io
import itertools
from dataclasses import fields, replace
from typing import Any, TypeVar

from nograd.config.recipes import base_config
from nograd.config.settings import TrainConfig
from nograd.core.runtime import keep_programs, use_one_thread
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError

T = TypeVar("T")

EXIT_ERROR, EXIT_DIVERGED, EXIT_INTERRUPTED = 2, 1, 130
PAGE = 140  # columns of a table that goes to a file or a pipe


def parse(kind: type[T], arguments: list[str], prog: str, default: T | None = None) -> T:
    """A dataclass from flags named like its fields. Raises ConfigError with one line for a wrong one."""
    import tyro

    captured = io.StringIO()
    over: Any = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(captured):
            parsed, unknown = tyro.cli(kind, args=arguments, prog=prog, return_unknown_args=True, **over)
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise ConfigError(f"{_unboxed(captured.getvalue())}; see {prog} --help") from None
    if unknown:
        flags = [f"--{field.name.replace('_', '-')}" for field in fields(kind)]  # type: ignore[arg-type]
        if unknown[0].startswith("-"):
            raise ConfigError(f"unknown flag {unknown[0]!r}{did_you_mean(unknown[0].partition('=')[0], flags)}")
        raise ConfigError(f"{unknown[0]!r} is one argument too many; see {prog} --help")
    return parsed


def _unboxed(message: str) -> str:
    """The first paragraph of tyro's error message as one line, without its box and title."""
    rows = [line.strip(" │|") for line in message.splitlines()]
    is_rule = [row.startswith("╭") or not row.strip("─-+╰╯ ") for row in rows]
    paragraphs = [
        " ".join(row for _, row in group)
        for rule, group in itertools.groupby(zip(is_rule, rows, strict=True), key=lambda pair: pair[0])
        if not rule
    ]
    # In a box the title is part of the frame; without one (no Unicode) it is a paragraph of its own.
    first = 0 if message.startswith("╭") or len(paragraphs) == 1 else 1
    return paragraphs[first].rstrip(".")


def with_task(given: TrainConfig) -> tuple[TrainConfig, str]:
    """The config with its task settled, and the line that says which and why."""
    task = given.task or (base_config(given).task if given.preset or given.config else None)
    if task is not None:
        return replace(given, task=task), f"task: {task}"
    from nograd.data import find_mnist, mirror_answers

    if (found := find_mnist(given.data_dir)) is not None:
        return replace(given, task="mnist"), f"task: mnist (no TASK given; the data lie in {found})"
    if given.data_dir is None and mirror_answers(timeout=5.0):
        return replace(given, task="mnist"), "task: mnist (no TASK given; a mirror answers, so it is downloaded)"
    why = "MNIST is not on disk and no mirror answered within 5 s, so the embedded digits"
    return replace(given, task="digits"), f"task: digits (no TASK given; {why})"


def prepare_jax() -> None:
    """Settings that JAX reads when it starts: one thread on a CPU, and compiled programs kept for the next time.

    A second XLA thread gains nothing here, and would change the order of sums.
    """
    use_one_thread()
    keep_programs()
