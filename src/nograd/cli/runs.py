"""`nograd evaluate`, `predict`, `presets` and `report`: what has been written is read."""

import sys
from dataclasses import MISSING, dataclass
from pathlib import Path

from nograd.cli.flags import parse, prepare_jax
from nograd.config.fields import Positional, at_least, file_name, setting
from nograd.config.recipes import presets as shipped
from nograd.core.json_text import to_json
from nograd.core.types import ConfigError, EngineError
from nograd.reports.settings import ReportConfig
from nograd.runs.files import write_atomically


@dataclass(frozen=True)
class EvaluateConfig:
    """Accuracy of a run's chosen network on a split of its data, or its mean return, with a 95% confidence interval."""

    run: Positional[str] = setting(MISSING, path=True, check=file_name)
    """The run directory."""
    split: str = "test"
    """test, val or train, for a run on examples."""
    episodes: int | None = setting(None, check=at_least(1))
    """Fresh episodes, for a run on an environment. Default: 100."""
    data: str | None = setting(None, path=True, check=file_name)
    """Where the data lie now, if they have moved: the file, or the folder of MNIST's files."""
    video: str | None = setting(None, path=True, check=file_name)
    """Film the first of them: FILE.mp4 or FILE.gif."""
    json: bool = False
    """Print JSON."""


def evaluate(arguments: list[str], started: float) -> int:
    """Prints the score of a run."""
    config = parse(EvaluateConfig, arguments, "nograd evaluate")
    prepare_jax()
    from nograd.runs.run import load
    from nograd.tasks.examples import known_split

    run = load(config.run, data=config.data)
    filmed = run.film(config.video) if config.video else None
    figures = run.evaluate(known_split(config.split), episodes=config.episodes)
    if config.json:
        print(to_json(figures))
        return 0
    dropped = figures.get("dropped", 0)
    if "return" in figures and figures["return"] is None:
        raise EngineError(
            f"the return of {config.run} is not known: {dropped:,} of {dropped + figures['episodes']:,} fresh episodes "
            "gave a NaN or an infinity as observation, reward or action"
        )
    low, high = figures["interval"] or (None, None)
    if "return" in figures:
        print(
            f"return {figures['return']:,.2f}, 95% interval {low:,.2f} to {high:,.2f}, deviation "
            f"{figures['deviation']:,.2f}, {figures['minimum']:,.2f} to {figures['maximum']:,.2f}; "
            f"{figures['episodes']:,} fresh episodes of {figures['length']:,.0f} steps"
            + (f"; {dropped:,} more gave a NaN or an infinity" if dropped else "")
        )
        if filmed:
            print(f"film: {config.video}, an episode of {filmed['length']:,} steps with return {filmed['return']:,.2f}")
        return 0
    measure = run.measure
    sure = f", 95% interval {measure.text(low)} to {measure.text(high)}" if figures["interval"] else ""
    print(
        f"{config.split} {measure.what} {measure.text(figures[measure.name])}{sure}, {figures['examples']:,} examples"
    )
    return 0


@dataclass(frozen=True)
class PredictConfig:
    """Classes of new examples by a run's chosen network, one a line."""

    run: Positional[str] = setting(MISSING, path=True, check=file_name)
    """The run directory."""
    file: Positional[str] = setting(MISSING, path=True, check=file_name)
    """Examples: .npz (key x), .npy, .csv with a header, or MNIST's IDX files."""
    out: str | None = setting(None, path=True, check=file_name)
    """Write a CSV file here in place of the terminal."""
    probabilities: bool = False
    """Add the softmax probability of each class."""


def predict(arguments: list[str], started: float) -> int:
    """Prints or writes the classes of new examples."""
    config = parse(PredictConfig, arguments, "nograd predict")
    prepare_jax()
    from nograd.data import encoding_from_json, load_inputs
    from nograd.runs.run import load

    run = load(config.run)
    data = run.config["data"]
    if "input_shape" not in data:
        raise ConfigError(f"{config.run} was trained on an environment; use nograd evaluate {config.run}")
    recorded = data.get("encoding")
    encoding = encoding_from_json(recorded) if recorded else None
    x = load_inputs(config.file, tuple(data["input_shape"]), tuple(data["columns"]), encoding, keep=None)
    table = run.task.table(run.outputs(x), config.probabilities)
    if config.out:
        write_atomically(Path(config.out), table.encode())
        print(f"{len(x):,} predictions: {config.out}")
    else:
        sys.stdout.write(table)
    return 0


def presets(arguments: list[str], started: float) -> int:
    """Prints the recipes that ship with the package."""

    @dataclass(frozen=True)
    class PresetsConfig:
        """The recipes that ship with nograd, with their sources and measured figures."""

    parse(PresetsConfig, arguments, "nograd presets")
    for name, recipe in shipped().items():
        about = recipe.about
        print(f"{name}: {about['title']}\n    source: {about['source']}\n    measured: {about['figure']}")
    return 0


def report(arguments: list[str], started: float) -> int:
    """Writes the page of a run, a study or a measured speedup."""
    config = parse(ReportConfig, arguments, "nograd report")
    prepare_jax()
    from nograd.reports.write import run_report

    run_report(config, lambda line: print(line, flush=True))
    return 0
