"""The command line. Every error is one line on stderr and exit code 2; a traceback only with --debug."""

import sys
import time

_STARTED = time.perf_counter()  # before the heavy imports, which startup_seconds counts

import contextlib  # noqa: E402
import io  # noqa: E402
import itertools  # noqa: E402
import os  # noqa: E402
import shlex  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from dataclasses import dataclass, fields, replace  # noqa: E402
from typing import TYPE_CHECKING, Any, TypeVar  # noqa: E402

from tyro.conf import Positional  # noqa: E402

from nograd import __version__  # noqa: E402
from nograd.cache import kept_programs  # noqa: E402
from nograd.measures import Measure  # noqa: E402
from nograd.task_settings import is_environment  # noqa: E402
from nograd.types import ConfigError, NogradError  # noqa: E402

if TYPE_CHECKING:
    from nograd.config import TrainConfig
    from nograd.loop import Observer
    from nograd.session import Start

T = TypeVar("T")

EXIT_ERROR, EXIT_DIVERGED, EXIT_INTERRUPTED = 2, 1, 130
_PAGE = 140  # columns of a table that goes to a file or a pipe
_COMMANDS = {
    "train": "train a network by Evolution Strategies",
    "evaluate": "accuracy of a run on a split of its data, or its return on fresh episodes",
    "predict": "classes of new examples by a run's network",
    "search": "hyperparameters by random search within a budget; the winner as a recipe",
    "speedup": "the same work on 1, 2, 4 … workers: speedup, efficiency, serial fraction",
    "report": "one HTML page of a run, of several compared, of a study or of a speedup",
    "presets": "the recipes that ship with nograd, with their sources",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `nograd`; ends the process with the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except NogradError as error:
        if debug:
            raise
        print(f"nograd: {_one_line(str(error))}", file=sys.stderr)
        code = EXIT_ERROR
    except KeyboardInterrupt:
        print("nograd: interrupted at once; the last checkpoint stands", file=sys.stderr)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if debug:
            raise
        text = f"nograd: unexpected {type(error).__name__}: {error}; add --debug for the traceback"
        print(_one_line(text), file=sys.stderr)
        code = EXIT_ERROR
    sys.exit(code)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"nograd {__version__}")
        return 0
    command, rest = arguments[0], arguments[1:]
    runners: dict[str, Callable[[list[str]], int]] = {
        "train": _train,
        "evaluate": _evaluate,
        "predict": _predict,
        "search": _search,
        "speedup": _speedup,
        "report": _html,
        "presets": _presets,
    }
    if command not in runners:
        from nograd.formats import did_you_mean

        raise ConfigError(f"unknown command {command!r}{did_you_mean(command, _COMMANDS)}")
    return runners[command](rest)


def _usage() -> str:
    commands = "\n".join(f"  nograd {name:<10} {text}" for name, text in _COMMANDS.items())
    return (
        "nograd: train neural networks without gradients, by Evolution Strategies\n\n"
        f"{commands}\n\n"
        "nograd COMMAND --help lists a command's flags; --debug shows the traceback of an error.\n"
        "First steps: nograd train digits    nograd train mnist --preset blog --generations 1000"
    )


# nograd train --------------------------------------------------------------------------------------------


def _train(arguments: list[str]) -> int:
    from nograd.config import TrainConfig
    from nograd.recipes import base_config
    from nograd.validation import validate

    given = parse(TrainConfig, arguments, "nograd train")
    if given.resume:
        _prepare_jax()
        from nograd.session import resumed_settings

        base = resumed_settings(given.resume)
    else:
        given, why = _with_task(given)
        print(why, flush=True)
        base = replace(base_config(given), task=given.task)
    # Parsed a second time over the recipe: only the flags that were given change it.
    config = validate(parse(TrainConfig, arguments, "nograd train", base))
    _prepare_jax()
    from nograd.session import run_config

    run = run_config(config, on_start=_announce, started=_STARTED)
    return _report(run.path, run.result, run.measure)


def _with_task(given: "TrainConfig") -> tuple["TrainConfig", str]:
    """The config with its task settled, and the line that says which and why."""
    from nograd.recipes import base_config

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


def _announce(start: "Start") -> "Observer":
    from rich.console import Console

    from nograd.display import Display

    config, progress, members = start.job.config, start.progress, start.job.generation.members
    print(start.job.task.note)
    print(
        f"model: {config.model}, {start.parameters:,} parameters; {config.strategy}, {config.perturbation} "
        f"perturbation, population "
        f"{members:,}{' in mirrored pairs' if config.mirrored else ''} on {_on(config)}"
    )
    if start.workers > 1:
        print(f"workers: {start.workers}, each a {start.worker}")
    if start.job.local and (names := start.job.local.fallbacks):
        print(
            f"dense noise of their own, as {config.perturbation} has no rule for where they stand: {', '.join(names)}"
        )
    print(f"run: {start.directory.path}" + (f", from generation {progress.generation:,}" if config.resume else ""))
    sys.stdout.flush()
    return Display(Console(), start.limits, progress, start.job.task.measure)


def _on(config: "TrainConfig") -> str:
    """What a member sees of the task."""
    if is_environment(config.task):
        return "an episode each" if config.episodes == 1 else f"{config.episodes:,} episodes each"
    return f"batches of {config.batch}"


def _report(path: Any, result: dict[str, Any], measure: Measure) -> int:
    """The last lines of a training, and its exit code."""
    reason = result["stop_reason"]
    print(
        f"stopped: {reason} after {result['generations']:,} generations, {result['seconds']:.1f} s of training, "
        f"{result['evaluations']:,} evaluations"
    )
    tested, validated = result[measure.test], result[measure.val]
    if tested is not None:
        chosen = f" (chosen at generation {result['best_generation']:,} by validation {measure.what} "
        print(
            f"test {measure.what} {measure.text(tested)}"
            + (f"{chosen}{measure.text(validated)})" if validated is not None else "")
        )
    if reason == "interrupted":
        print(f"go on with: nograd train --resume {shlex.quote(str(path))}")
        return EXIT_INTERRUPTED
    if reason.startswith("nonfinite"):
        what = "all fitness values were" if reason.endswith("fitness") else "the update was"
        print(
            f"nograd: {what} NaN or infinite in generation {result['generations'] + 1:,}; the state before it is "
            f"saved in {path}; try a smaller --lr or --sigma in a new run",
            file=sys.stderr,
        )
        return EXIT_DIVERGED
    print(f"result: {path}/result.json")
    return 0


# nograd evaluate, predict, presets -----------------------------------------------------------------------


@dataclass(frozen=True)
class EvaluateConfig:
    """Accuracy of a run's chosen network on a split of its data, or its mean return, with a 95% confidence interval."""

    run: Positional[str]
    """The run directory."""
    split: str = "test"
    """test, val or train, for a run on examples."""
    episodes: int | None = None
    """Fresh episodes, for a run on an environment. Default: 100."""
    video: str | None = None
    """Film the first of them: FILE.mp4 or FILE.gif."""
    json: bool = False
    """Print JSON."""


def _evaluate(arguments: list[str]) -> int:
    config = parse(EvaluateConfig, arguments, "nograd evaluate")
    _prepare_jax()
    import json

    from nograd.results import known_split, load

    if config.episodes is not None and config.episodes < 1:
        raise ConfigError(f"--episodes cannot be {config.episodes}; use 1 or more")
    run = load(config.run)
    filmed = run.film(config.video) if config.video else None
    figures = run.evaluate(known_split(config.split), episodes=config.episodes)
    if config.json:
        print(json.dumps(figures))
        return 0
    low, high = figures["interval"]
    if "return" in figures:
        print(
            f"return {figures['return']:,.2f}, 95% interval {low:,.2f} to {high:,.2f}, deviation "
            f"{figures['deviation']:,.2f}, {figures['minimum']:,.2f} to {figures['maximum']:,.2f}; "
            f"{figures['episodes']:,} fresh episodes of {figures['length']:,.0f} steps"
        )
        if filmed:
            print(f"film: {config.video}, an episode of {filmed['length']:,} steps with return {filmed['return']:,.2f}")
        return 0
    print(
        f"{config.split} accuracy {figures['accuracy']:.2%}, 95% interval {low:.2%} to {high:.2%}, "
        f"{figures['examples']:,} examples"
    )
    return 0


@dataclass(frozen=True)
class PredictConfig:
    """Classes of new examples by a run's chosen network, one a line."""

    run: Positional[str]
    """The run directory."""
    file: Positional[str]
    """Examples: .npz (key x), .npy, .csv with a header, or MNIST's IDX files."""
    out: str | None = None
    """Write a CSV file here in place of the terminal."""
    probabilities: bool = False
    """Add the softmax probability of each class."""


def _predict(arguments: list[str]) -> int:
    config = parse(PredictConfig, arguments, "nograd predict")
    _prepare_jax()
    from pathlib import Path

    from nograd.checkpoint import write_atomically
    from nograd.data import load_inputs
    from nograd.results import load, prediction_table

    run = load(config.run)
    if run.task:
        raise ConfigError(f"{config.run} was trained on an environment; use nograd evaluate {config.run}")
    data = run.config["data"]
    x = load_inputs(config.file, tuple(data["input_shape"]), tuple(data["columns"]))
    table = prediction_table(run.outputs(x), config.probabilities)
    if config.out:
        write_atomically(Path(config.out), table.encode())
        print(f"{len(x):,} predictions: {config.out}")
    else:
        sys.stdout.write(table)
    return 0


def _search(arguments: list[str]) -> int:
    from nograd.search.config import SearchConfig, base_of, check, needs_task

    started = time.monotonic() - (time.perf_counter() - _STARTED)
    given = parse(SearchConfig, arguments, "nograd search")
    check(given)
    if needs_task(given):
        found, why = _with_task(base_of(given))
        print(why, file=sys.stderr if given.json else sys.stdout, flush=True)
        given = replace(given, task=found.task)
    _prepare_jax()
    import json

    from rich.console import Console

    from nograd.search.command import run_search
    from nograd.search.display import Display
    from nograd.search.table import show

    console = Console(width=None if sys.stdout.isatty() else _PAGE)
    try:
        study, figures, interrupted = run_search(given, Display(None if given.json else console), started)
    except KeyboardInterrupt:
        print("nograd: interrupted at once; the study is kept, the trials that ran are lost", file=sys.stderr)
        return EXIT_INTERRUPTED
    if given.json:
        print(json.dumps(figures, indent=1))
    else:
        show(study, figures, console)
    if interrupted:
        print(f"go on with: nograd search --out {shlex.quote(str(study.path))}", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _speedup(arguments: list[str]) -> int:
    from nograd.speedup.config import SpeedupConfig, check, training

    config = parse(SpeedupConfig, arguments, "nograd speedup")
    check(config)
    given, why = _with_task(training(config))
    print(why, file=sys.stderr if config.json else sys.stdout, flush=True)
    train = training(replace(config, task=given.task))
    _prepare_jax()
    import json

    from rich.console import Console

    from nograd.speedup.command import speedup
    from nograd.speedup.table import show

    def tell(line: str) -> None:
        if not config.json:
            print(line, flush=True)

    try:
        figures = speedup(config, train, tell)
    except KeyboardInterrupt:
        print("nograd: interrupted; nothing is written", file=sys.stderr)
        return EXIT_INTERRUPTED
    if config.json:
        print(json.dumps(figures, indent=1))
        return 0
    show(figures, Console(width=None if sys.stdout.isatty() else _PAGE))
    print(f"figures: {config.out}/speedup.json, picture: {config.out}/speedup.png")
    return 0


def _html(arguments: list[str]) -> int:
    from nograd.report.config import ReportConfig

    config = parse(ReportConfig, arguments, "nograd report")
    _prepare_jax()
    from nograd.report.command import run_report

    run_report(config, lambda line: print(line, flush=True))
    return 0


def _presets(arguments: list[str]) -> int:
    from nograd.recipes import presets

    @dataclass(frozen=True)
    class PresetsConfig:
        """The recipes that ship with nograd, with their sources and measured figures."""

    parse(PresetsConfig, arguments, "nograd presets")
    for name, recipe in presets().items():
        about = recipe.about
        print(f"{name}: {about['title']}\n    source: {about['source']}\n    measured: {about['figure']}")
    return 0


# Parsing -------------------------------------------------------------------------------------------------


def parse(kind: type[T], arguments: list[str], prog: str, default: T | None = None) -> T:
    """A dataclass from flags named like its fields. Raises ConfigError with one line for a wrong one."""
    import tyro

    from nograd.formats import did_you_mean

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


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _prepare_jax() -> None:
    """Settings that JAX reads when it starts: one thread on a CPU, and compiled programs kept for the next time.

    A second XLA thread gains nothing here, and would change the order of sums.
    """
    os.environ.setdefault("NPROC", "1")
    for name, value in kept_programs().items():
        os.environ.setdefault(name, value)
