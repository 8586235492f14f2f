"""Minimising or maximising any function by Evolution Strategies, called like `scipy.optimize.minimize`."""

import math
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult

from nograd.config.axes import STRATEGIES
from nograd.config.merge import check_given, merge
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.runtime import in_64_bits, use_one_thread
from nograd.core.types import ConfigError, PyTree
from nograd.generation.calls import Searched
from nograd.runs.run import Run
from nograd.strategies.base import Strategy
from nograd.strategies.margin import with_margin
from nograd.strategies.restarts import check_word, first_round
from nograd.tasks.bounds import space_of
from nograd.tasks.objective import Objective
from nograd.tasks.search_space import Space
from nograd.tasks.traceable import is_traceable
from nograd.training.factories import population_of
from nograd.training.in_memory import train_in_memory
from nograd.training.job import Objects, build_job
from nograd.training.loop import Observer
from nograd.training.minimize_names import check_names
from nograd.training.observers.combined import CombinedObserver
from nograd.training.overrides import require_own, strategy_word
from nograd.training.restarts import Restarts
from nograd.training.stopping import NEVER, SUCCESS, Tolerances, longest, message
from nograd.training.train import Start, limits_of, resumed_settings, run_config
from nograd.training.watching import Limits, Watching

_FULL = 300  # number of coordinates up to which the default strategy is cma-es
_QUICK = 2e-3  # if all calls of a generation take fewer seconds than this, worker processes would not be faster
_SAVED_EVERY = 100  # generations
_NO_LIMIT = 1_000_000_000  # generations


def minimize(
    fun: Callable[..., Any],
    x0: PyTree,
    *,
    bounds: Any = None,
    strategy: str | Strategy = "auto",
    population: int | None = None,
    sigma: float | None = None,
    generations: int | None = None,
    evaluations: int | None = None,
    budget: str | float | None = None,
    target: float | None = None,
    restarts: str = "none",
    workers: str | int = "auto",
    vectorized: bool = False,
    noisy: bool = False,
    jit: bool | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    callback: Callable[[OptimizeResult], Any] | None = None,
    show: Callable[[str], Any] | bool | None = None,
    tolfun: float | None = 1e-11,
    tolx: float | None = 1e-11,
    **settings: Any,
) -> OptimizeResult:
    """Finds the point x within its bounds where f(x) is lowest, from values of f alone (no gradients).

    All numbers have 64 bits. The result is bitwise the same for any number of workers, and after a resumption.

    Args:
        fun: `fun(x)` returns one number. It may be any Python function. Worker processes call it too, so changes that
            it makes outside of itself stay in that process. A function of JAX is compiled, and evaluates all points of
            a generation at once. NaN or infinity means that a point has no value.
        x0: the point to begin at: a number, an array, a list of numbers, or any tree of these. Leaves may also be
            `nograd.integers(0, 10)` and `nograd.choice("a", "b")`. `fun` receives points of the same structure.
        bounds: (low, high), each a number, None or a tree like `x0`; or a list with a pair for each element of an
            array; or `scipy.optimize.Bounds`. `fun` is never called outside of the bounds.
        strategy: a name as in `nograd train --strategy`, or an object such as `nograd.snes(20, sigma=0.3)`. "auto":
            cma-es up to 300 coordinates, sep-cma-es above.
        population: points in a generation; default 4 + ⌊3 ln n⌋ for n coordinates (Hansen 2016).
        sigma: standard deviation of the first points around `x0`, in the units of x. Default: a quarter of the range of
            a coordinate with two bounds, else 0.3.
        generations: largest number of generations; default 100 + 150 (n + 3)²/√population.
        evaluations: largest number of calls of `fun`; the generation in which it is reached is completed. Default: no
            limit.
        budget: time limit in seconds, or as text such as "10m".
        target: the search ends when it has found a value at least as good as this.
        restarts: for functions with many local optima. When a search has ended, another begins, at a random point
            within the bounds (without bounds: at `x0`). "ipop": each with twice the population; "bipop": in turn also
            with small populations and smaller sigmas, so that both kinds get as many calls; see
            `nograd.strategies.restarts`. The last one has 2⁹ times the population; give `evaluations`, `budget` or
            `target` for an earlier end. `generations` then counts all searches together, and has no limit by default.
        workers: number of processes that share a generation. "auto": one per core, or only this process if `fun` is
            fast.
        vectorized: whether `fun` takes many points at once (a leading axis) and returns one value for each.
        noisy: whether `fun` is random. It is then called as `fun(x, seed)` with a number (a function of JAX: with a
            key) that follows from generation and member. In the result, x is the mean of the search distribution
            instead of the best point, and its value is a mean over 16 seeds.
        jit: whether `fun` is a function of JAX and is to be compiled; default: found out from its code. A function that
            uses modules other than JAX, `math` and the like is not compiled.
        seed: the seed of the random numbers of the search.
        out: a run directory to write, with checkpoints; default: nothing is written.
        resume: a run directory to go on from; give the same function, x0 and bounds.
        callback: called after each generation with the result so far (x, fun, nit, nfev, sigma). The search ends if it
            returns True or raises StopIteration.
        show: True prints a line every few seconds; a function receives these lines instead.
        tolfun: the search ends when values differ by less than this, within one and over the last generations.
        tolx: the search ends when sigma is less than this.
        settings: other settings of `nograd.train`, such as lr, engine or deadline.

    Returns:
        A `scipy.optimize.OptimizeResult` with x, fun, nit (generations), nfev (calls), success, status (the stop
        reason), message, sigma, restarts (their number), seconds, history (arrays over the generations: best, mean,
        sigma, evaluations) and run (the `Run`, or None if nothing was written).
        Where no `sigma` is given, a reported sigma of 0.3 stands for a quarter of the range between two bounds.

    Raises:
        NogradError: an argument is not possible, or the function fails; the message says what to do.
    """
    return _search(Arguments(**locals()), maximize=False)


def maximize(fun: Callable[..., Any], x0: PyTree, **arguments: Any) -> OptimizeResult:
    """Finds the point where `fun` is highest; arguments, result and errors are those of `minimize`."""
    bound = signature(minimize).bind(fun, x0, **arguments)
    bound.apply_defaults()
    return _search(Arguments(**bound.arguments), maximize=True)


class Arguments(NamedTuple):
    """The arguments of `minimize`."""

    fun: Callable[..., Any]
    x0: PyTree
    bounds: Any
    strategy: str | Strategy
    population: int | None
    sigma: float | None
    generations: int | None
    evaluations: int | None
    budget: str | float | None
    target: float | None
    restarts: str
    workers: str | int
    vectorized: bool
    noisy: bool
    jit: bool | None
    seed: int
    out: str | Path | None
    resume: str | Path | None
    callback: Callable[[OptimizeResult], Any] | None
    show: Callable[[str], Any] | bool | None
    tolfun: float | None
    tolx: float | None
    settings: dict[str, Any]


def _search(given: Arguments, maximize: bool) -> OptimizeResult:
    if not callable(given.fun):
        raise ConfigError(f"fun must be a function, got {type(given.fun).__name__}")
    check_names(given.settings)  # first: with SciPy's `args` missing, the function itself would fail
    use_one_thread()
    with in_64_bits():
        space, sigma = space_of(given.x0, given.bounds, given.sigma)
        check_word(given.restarts)
        task, seconds = _task(given, space, maximize)
        config, objects = _settings(given, task, sigma, seconds)
        task, objects = _with_restarts(given, task, config, objects)
        if space.is_discrete:
            objects = objects._replace(adapted=partial(with_margin, size=space.size, corrected=space.margin))
        show = print if given.show is True else given.show or None
        tolerances = NEVER if given.noisy else Tolerances(given.tolfun, given.tolx)
        limits = Limits(given.target, given.evaluations, tolerances)
        watching = Watching(limits, task, population_of(config), objects.restarts, given.callback, show)
        if show:
            show(f"{task.note}; {config.strategy}, {config.population} points a generation")
        kept = config.out is not None or config.resume is not None
        return (_on_disk if kept else _in_memory)(task, config, objects, watching)


def _task(given: Arguments, space: Space, maximize: bool) -> tuple[Objective, float]:
    """The task, and how many seconds a call takes: the function is called once, at x0."""
    traced = not given.vectorized and (is_traceable(given.fun) if given.jit is None else given.jit)
    name = getattr(given.fun, "__qualname__", type(given.fun).__name__).replace("<locals>.", "")
    task = Objective(given.fun, space, name, maximize, traced, given.vectorized, given.noisy, given.seed)
    return task, task.check()


def _settings(given: Arguments, task: Objective, sigma: float, seconds: float) -> tuple[TrainConfig, Objects]:
    """The settings and objects of the training that computes the search."""
    n = task.size
    strategy, objects = given.strategy, Objects()
    check_given({"population": given.population, "generations": given.generations or 0})  # of their types
    population = 4 + int(3 * math.log(n)) if given.population is None else given.population
    words: dict[str, Any] = {}  # how config.json records a strategy that is an object
    wanted: dict[str, Any] = {"seed": given.seed, "workers": given.workers, **given.settings}
    if isinstance(strategy, Strategy):
        _check_own(given, strategy)
        objects = Objects(strategy=strategy, perturbation=strategy.perturbation)
        population = strategy.size
        words = {"strategy": strategy_word(strategy), "perturbation": strategy.perturbation.word}
    else:
        word = ("cma-es" if n <= _FULL else "sep-cma-es") if strategy == "auto" else strategy
        mirrored = wanted.get("mirrored", STRATEGIES.entry(word).defaults.get("mirrored", True))
        population += population % 2 if mirrored and given.population is None else 0
        wanted = {"strategy": word, "noise": "gaussian", "sigma": sigma, "population": population, **wanted}
    if given.workers == "auto" and (task.traced or seconds * population < _QUICK):
        wanted["workers"] = "1"  # faster, and bitwise the same result
    own = longest(n, max(population, 1)) if given.restarts == "none" else _NO_LIMIT
    generations = own if given.generations is None else given.generations
    wanted |= {"task": task.word, "generations": generations, "budget": given.budget}
    wanted = {"eval_every": 1 if given.callback else _SAVED_EVERY, **wanted}
    for name in ("out", "resume"):
        if (path := getattr(given, name)) is not None:
            wanted[name] = str(path)
    saved = resumed_settings(wanted["resume"]) if "resume" in wanted else None
    return validate(merge(check_given(wanted) | words, saved)), objects


def _check_own(given: Arguments, strategy: Strategy) -> None:
    """Raises ConfigError for a setting that the strategy object fixes, or if it cannot be asked for members."""
    _ = strategy.dense
    own = {name for name in ("population", "sigma") if getattr(given, name) is not None}
    require_own(Objects(strategy=strategy), own | set(given.settings))


def _with_restarts(
    given: Arguments, task: Objective, config: TrainConfig, objects: Objects
) -> tuple[Objective, Objects]:
    """The task and the objects, changed for a search with restarts."""
    if given.restarts == "none":
        return task, objects
    if objects.strategy is not None:
        raise ConfigError("restarts make a strategy of each population; give it as a word, such as strategy='cma-es'")
    if given.noisy:
        raise ConfigError("restarts begin where a search has ended, and a noisy one does not end; use restarts='none'")
    first = first_round(population_of(config))
    task = task._replace(restarts=given.restarts, first=first)
    return task, objects._replace(restarts=Restarts(given.restarts, task.space.drawn, first))


def _in_memory(task: Objective, config: TrainConfig, objects: Objects, watching: Watching) -> OptimizeResult:
    """Searches without writing anything to disk."""
    observers = CombinedObserver([watching])
    job = build_job(config, task._replace(watch=watching.sees), objects)
    ending, lines = train_in_memory(job, limits_of(config), observers, observers.stop)
    return _result(task, ending.state.params, ending.reason, lines)


def _on_disk(task: Objective, config: TrainConfig, objects: Objects, watching: Watching) -> OptimizeResult:
    """Searches and writes a run directory."""

    def start(ready: Start) -> list[Observer]:
        watching.goes_on_after(ready.directory.metrics()[: ready.progress.generation])
        return [watching]

    run = run_config(config, source=task._replace(watch=watching.sees), objects=objects, on_start=start)
    state = task.read_state(run.read)
    return _result(task, state, run.result["stop_reason"], run.metrics, run)


def _result(
    task: Objective, state: Searched, reason: str, lines: list[dict[str, Any]], run: Run | None = None
) -> OptimizeResult:
    """The result of `minimize`."""
    last: dict[str, Any] = lines[-1] if lines else {"generation": 0, "evaluations": 0, "sigma": None, "seconds": 0.0}
    curves = {"best": "best", "mean": "fitness_mean", "sigma": "sigma", "evaluations": "evaluations"}
    history = {name: np.array([line[key] for line in lines], np.float64) for name, key in curves.items()}
    history["mean"] *= task.sign
    return OptimizeResult(
        x=task.point(state),
        fun=task.tested(state)[task.measure.test],
        nit=last["generation"],
        nfev=last["evaluations"] + 1,
        # With a margin members have other whole numbers than the mean: a plateau is no minimum that was found.
        success=reason in SUCCESS and not (reason == "tolflatfitness" and task.space.is_discrete),
        status=reason,
        message=message(reason),
        sigma=last["sigma"],
        restarts=last.get("restart", 0),
        seconds=last["seconds"],
        history=history,
        run=run,
    )
