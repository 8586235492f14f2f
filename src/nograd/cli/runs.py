"""`nograd evaluate`, `predict`, `presets`, `runs` and `report`: commands that read finished runs."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path

from nograd.cli.flags import PAGE, parse, prepare_jax
from nograd.config.fields import Positional, at_least, file_name, setting
from nograd.config.recipes import GROUPS
from nograd.config.recipes import presets as shipped
from nograd.core.json_text import to_json
from nograd.core.types import EngineError, RunError
from nograd.core.wrapping import say
from nograd.reports.settings import ReportConfig
from nograd.runs.files import write_atomically


@dataclass(frozen=True)
class EvaluateConfig:
    """Score the trained network of a run on a split of its data or on new examples, or play fresh episodes with it."""

    run: Positional[str] = setting(MISSING, path=True, check=file_name)
    """The run directory."""
    file: Positional[str | None] = setting(None, path=True, check=file_name)
    """New examples with their labels, all of which are scored: a table, or .npz with x and y. Default: a split of the
    run's own data."""
    split: str = "test"
    """Which split of the run's data to score: test, val or train."""
    episodes: int | None = setting(None, check=at_least(1))
    """Fresh episodes to play, for a run on an environment. Default: 100."""
    data: str | None = setting(None, path=True, check=file_name)
    """Where the data lie now, if they have moved: the file, or the folder of the MNIST files."""
    video: str | None = setting(None, path=True, check=file_name)
    """Film the first of the episodes: FILE.mp4 or FILE.gif."""
    json: bool = False
    """Print the figures as JSON."""


def evaluate(arguments: list[str], started: float) -> int:
    """Runs `nograd evaluate`."""
    config = parse(EvaluateConfig, arguments, "nograd evaluate")
    prepare_jax()
    from nograd.runs.run import load
    from nograd.tasks.examples import known_split

    run = load(config.run, data=config.data)
    filmed = run.film(config.video) if config.video else None
    figures = run.evaluate(known_split(config.split), dataset=config.file, episodes=config.episodes)
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
        say(
            f"return {figures['return']:,.2f}, 95% interval {low:,.2f} to {high:,.2f}, deviation "
            f"{figures['deviation']:,.2f}, {figures['minimum']:,.2f} to {figures['maximum']:,.2f}; "
            f"{figures['episodes']:,} fresh episodes of {figures['length']:,.0f} steps"
            + (f"; {dropped:,} more gave a NaN or an infinity" if dropped else "")
        )
        if filmed:
            say(f"film: {config.video}, an episode of {filmed['length']:,} steps with return {filmed['return']:,.2f}")
        return 0
    measure = run.measure
    sure = f", 95% interval {measure.text(low)} to {measure.text(high)}" if figures["interval"] else ""
    say(
        f"{config.file or config.split} {measure.what} {measure.text(figures[measure.name])}{sure}, "
        f"{figures['examples']:,} examples"
    )
    return 0


@dataclass(frozen=True)
class PredictConfig:
    """Predict new examples with the trained network of a run, one per line: class names, or numbers in their unit."""

    run: Positional[str] = setting(MISSING, path=True, check=file_name)
    """The run directory."""
    file: Positional[str] = setting(MISSING, path=True, check=file_name)
    """New examples: a table (.csv, .parquet, .json, .xlsx …, or - for CSV on standard input), whose columns are found
    by name; .npz (key x), .npy, images, or MNIST's IDX files."""
    out: str | None = setting(None, path=True, check=file_name)
    """Write the predictions to this file, .csv, .parquet, .json or .jsonl, in place of the terminal."""
    proba: bool = setting(False, short="--probabilities")
    """Add a column with the probability of each class (also: --probabilities)."""
    keep: str | None = setting(None, names=True)
    """Columns of the table to copy into the output: id,name, or all."""


def predict(arguments: list[str], started: float) -> int:
    """Runs `nograd predict`."""
    config = parse(PredictConfig, arguments, "nograd predict")
    prepare_jax()
    from nograd.runs.prediction_file import check_out, encoded, predict_file
    from nograd.runs.run import load

    suffix = check_out(config.out) if config.out else ".csv"
    found = predict_file(load(config.run), config.file, config.proba, config.keep)
    for remark in found.remarks:
        say(remark, sys.stderr)
    if found.unknown:
        names = ", ".join(" ".join(name.split()) for name in found.unknown[:12])
        say(f"columns that the model does not know, left out: {names}; --keep carries them along", sys.stderr)
    content = encoded(found, suffix)
    if config.out:
        write_atomically(Path(config.out), content)
        say(f"{len(found):,} predictions: {config.out}")
    else:
        sys.stdout.write(content.decode())
    return 0


@dataclass(frozen=True)
class PresetsConfig:
    """List the recipes that ship with nograd, with their sources and measured results."""


def presets(arguments: list[str], started: float) -> int:
    """Runs `nograd presets`."""

    parse(PresetsConfig, arguments, "nograd presets")
    width = min(shutil.get_terminal_size((PAGE, 24)).columns, PAGE)
    for number, group in enumerate(GROUPS):
        print(("\n" if number else "") + group)
        for name, recipe in shipped().items():
            if recipe.about["group"] == group:
                print("\n".join(_preset_lines(name, recipe.about, width)))
    return 0


def _preset_lines(name: str, about: Mapping[str, str], width: int) -> list[str]:
    """The lines for a recipe: its name and title, then its source and its measured result."""
    lines = textwrap.wrap(f"{name}: {about['title']}", width, initial_indent="  ", subsequent_indent=" " * 6)
    for label in ("source", "figure"):
        said = f"{'measured' if label == 'figure' else label}: {about[label]}"
        lines += textwrap.wrap(said, width, initial_indent=" " * 6, subsequent_indent=" " * 8)
    return lines


_NARROW = 80  # a terminal with fewer columns than this shows fewer columns of the table of runs


@dataclass(frozen=True)
class RunsConfig:
    """List the runs in a folder with their scores, the newest last."""

    folder: Positional[str] = setting("runs", path=True, check=file_name)
    """The folder that holds the run directories."""


def runs(arguments: list[str], started: float) -> int:
    """Runs `nograd runs`."""
    config = parse(RunsConfig, arguments, "nograd runs")
    prepare_jax()
    from rich.markup import escape
    from rich.table import Table

    from nograd.core.console import standard_console
    from nograd.runs.summary import summaries

    folder = Path(config.folder)
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder; name the one that holds the run directories: nograd runs FOLDER")
    console = standard_console(PAGE)
    every = ("run", "task", "model", "score", "generations", "time", "state")
    shown = every if console.width >= _NARROW else ("run", "score")
    table = Table(box=None, pad_edge=False)
    for name in shown:
        table.add_column(name, overflow="fold", justify="right" if name in ("generations", "time") else "left")
    for run in summaries(folder):
        table.add_row(*(escape(getattr(run, name)) for name in shown))
    if not table.row_count:
        say(f"{folder} holds no run directories")
        return 0
    console.print(table, highlight=False)
    return 0


def report(arguments: list[str], started: float) -> int:
    """Runs `nograd report`."""
    config = parse(ReportConfig, arguments, "nograd report")
    prepare_jax()
    from nograd.reports.write import run_report

    run_report(config, say)
    return 0
