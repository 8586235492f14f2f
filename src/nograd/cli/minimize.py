"""`nograd minimize` and `nograd maximize`: search for the lowest or highest value of a Python function."""

import shlex
import sys
from dataclasses import MISSING, dataclass
from typing import Any, Literal

from nograd.cli.exit_codes import EXIT_DIVERGED, EXIT_INTERRUPTED
from nograd.cli.flags import parse, prepare_jax
from nograd.config.fields import Positional, at_least, duration, file_name, positive, seed, setting, workers
from nograd.config.settings import Strategy
from nograd.core.imports import import_object
from nograd.core.json_text import to_json
from nograd.core.types import ConfigError
from nograd.core.wrapping import say


@dataclass(frozen=True)
class MinimizeConfig:
    """Find the point where a function of yours has its lowest value (nograd minimize) or its highest (nograd maximize),
    by Evolution Strategies.
    """

    function: Positional[str] = setting(MISSING)
    """module:function, which takes an array [n] and returns a number. A function written in JAX is compiled."""
    start: str | None = setting(None, heading="The search")
    """Where to begin: numbers such as 0,0,1.5, or 0x10 for ten zeros (VALUExN). Default: the middle of --bounds; needed
    unless they give both sides for each element."""
    bounds: str | None = setting(None)
    """low,high for all elements, such as -5,5; or a pair for each, such as -5,5:0,1. A side that is left empty has no
    bound."""
    strategy: Literal["auto"] | Strategy = setting("auto")
    """auto (cma-es; sep-cma-es for many elements), or a strategy of nograd train."""
    population: int | None = setting(None, check=at_least(2))
    """Points in each generation. Default: 4 + 3 ln n for n elements."""
    sigma: float | None = setting(None, check=positive("0.3"))
    """Standard deviation of the first points. Default: a quarter of the range between two bounds, elsewhere 0.3."""
    noisy: bool = setting(False)
    """The function is random: it takes an integer seed as its second argument."""
    vectorized: bool = setting(False)
    """The function takes an array of points [points, n] and returns their values [points]."""
    seed: int = setting(0, check=seed)
    """The seed of everything random."""
    generations: int | None = setting(None, heading="When to stop, and where it runs", check=at_least(1))
    """Stop after this many generations. Default: as CMA-ES does, 100 + 150 (n + 3)²/√population."""
    evaluations: int | None = setting(None, check=at_least(1))
    """Stop after this many calls of the function."""
    budget: str | None = setting(None, numeric=True, check=duration, metavar="TIME")
    """Stop after this much time: 90s, 10m, 1h30m."""
    target: float | None = setting(None)
    """Stop when a value is as good as this."""
    restarts: Literal["none", "ipop", "bipop"] = setting("none")
    """When a search has ended, begin another: with twice the population (ipop), or with small ones too (bipop)."""
    workers: str = setting("auto", numeric=True, check=workers)
    """Processes that share a generation. auto: one per core, or only this process if the function is fast."""
    engine: Literal["auto", "inline", "process", "ray"] = setting("auto")
    """Where the function is called, as in nograd train."""
    deadline: float = setting(60.0, check=positive("60"))
    """Seconds that one call may take before its worker counts as hung."""
    out: str | None = setting(None, path=True, check=file_name)
    """Write a run directory here, with checkpoints. Default: none is written."""
    resume: str | None = setting(None, path=True, check=file_name)
    """Continue the search of a run directory; give the same function, start, bounds and restarts."""
    json: bool = setting(False)
    """Print the result as JSON."""


def minimize(arguments: list[str], started: float, word: str = "minimize") -> int:
    """Runs `nograd minimize`."""
    config = parse(MinimizeConfig, arguments, f"nograd {word}")
    low, high = _bounds(config.bounds)
    x0 = _start(config.start, low, high)
    prepare_jax()
    from nograd.training import minimize as job

    given = {name: getattr(config, name) for name in _HANDED_ON}
    function = import_object(config.function, "function")
    bounds = None if config.bounds is None else (_as_side(low, x0), _as_side(high, x0))
    search = job.minimize if word == "minimize" else job.maximize
    result = search(function, x0, bounds=bounds, show=None if config.json else say, **given)
    return _told(config, result)


def maximize(arguments: list[str], started: float) -> int:
    """Runs `nograd maximize`."""
    return minimize(arguments, started, "maximize")


_HANDED_ON = (
    "strategy", "population", "sigma", "noisy", "vectorized", "seed", "generations", "evaluations", "budget", "target",
    "restarts", "workers", "engine", "deadline", "out", "resume",
)  # fmt: skip


def _told(config: MinimizeConfig, result: Any) -> int:
    """Prints the result; returns the exit code."""
    if config.json:
        about = {
            name: result[name] for name in ("fun", "nit", "nfev", "restarts", "success", "status", "message", "seconds")
        }
        print(to_json({"x": result.x.tolist(), **about}))
    else:
        restarts = f"{result.restarts} restarts, " if result.restarts else ""
        counts = f"{restarts}{result.nit:,} generations, {result.nfev:,} calls, {result.seconds:.1f} s"
        say(f"stopped: {result.message}; {counts}")
        say(f"value: {result.fun!r}")
        say(f"x: {','.join(map(repr, result.x.tolist()))}")
        if result.run:
            say(f"run: {result.run.path}")
    if result.status == "interrupted":
        if result.run:
            again = f"--resume {shlex.quote(str(result.run.path))}"
            say(f"go on with the same command and {again} in place of --out", sys.stderr)
        return EXIT_INTERRUPTED
    return 0 if result.success else EXIT_DIVERGED


def _start(text: str | None, low: list[float | None], high: list[float | None]) -> list[float]:
    """The numbers of --start; without it the middle of the bounds, if each element has both."""
    if text is None:
        if len(low) < 2 or None in low + high:
            raise ConfigError("--start is missing; give numbers such as --start 0,0 (or --bounds -5,5:0,1 alone)")
        return [
            (one + other) / 2 for one, other in zip(low, high, strict=True) if one is not None and other is not None
        ]
    value, times, count = text.partition("x")
    if times:
        if not count.isdecimal() or not 1 <= int(count) <= 10_000_000:
            raise ConfigError(f"--start cannot be {text!r}; write VALUExN such as 0x10")
        return [_number(value, "--start")] * int(count)
    return [_number(part, "--start") for part in text.split(",")]


def _bounds(text: str | None) -> tuple[list[float | None], list[float | None]]:
    """The lower and the upper bounds in --bounds: one pair for all elements, or one per element."""
    if text is None:
        return [None], [None]
    pairs = [pair.split(",") for pair in text.split(":")]
    if any(len(pair) != 2 for pair in pairs):
        raise ConfigError(f"--bounds cannot be {text!r}; write low,high such as -5,5, or a pair for each: -5,5:0,1")
    low, high = zip(
        *[[_number(side, "--bounds") if side.strip() else None for side in pair] for pair in pairs], strict=True
    )
    return list(low), list(high)


def _as_side(side: list[float | None], x0: list[float]) -> Any:
    """One side of the bounds: a number for all elements, or an array with one for each."""
    import numpy as np

    if len(side) == 1:
        return side[0]
    if len(side) != len(x0):
        raise ConfigError(
            f"--bounds has {len(side)} pairs for {len(x0)} elements of --start; give one pair, or one each"
        )
    return np.array(side, float)


def _number(text: str, flag: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{flag} must be numbers such as 0,1.5, got {text!r}") from None
