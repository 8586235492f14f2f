"""The page of one training: what came out, the curves, what it gets wrong, and how to do it again."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from nograd.config import TrainConfig, to_toml
from nograd.formats import duration, percent, short, short_time
from nograd.page.document import badge, document, note
from nograd.page.html import Child, Markup, section, tag
from nograd.page.mistakes import mistakes_of
from nograd.page.reproduce import changed, command
from nograd.page.tables import Cell, Row, cards, facts, table
from nograd.page.traces import Trace, curves
from nograd.results import Run, proportion

_ENDED = {  # stop reason: what a reader is told, and how the badge looks
    "generations": ("all generations done", "good"),
    "budget": ("stopped by the time budget", "good"),
    "target": ("reached the target", "good"),
    "no_improvement": ("stopped without improvement", "good"),
    "interrupted": ("interrupted", "busy"),
    "nonfinite_fitness": ("stopped: no fitness was finite", "bad"),
    "nonfinite_parameters": ("stopped: the update was not finite", "bad"),
}


def run_page(run: Run, *, network: bool = True, refresh: int | None = None) -> str:
    """The HTML page of a run, finished or not.

    Args:
        run: on disk.
        network: whether to load the network and the data, for the mistakes and the weights.
        refresh: seconds after which the page loads itself again while the run is not finished.
    """
    metrics, result = run.metrics, outcome(run)
    config, data = run.settings, run.config["data"]
    population = f"population {run.config['population']:,}" if "population" in run.config else None
    what = (config.task, config.model, f"{run.config['parameters']:,} parameters", config.perturbation, population)
    words = ", ".join(part for part in what if part)
    state = badge(*_ENDED.get(result["stop_reason"], (result["stop_reason"], "plain"))) if result else unfinished()
    return document(
        run.path.resolve().name,
        [words, " ", state],
        cards(_key_figures(run, metrics, result)),
        section("Curves", curves([trace_of(run)])) if metrics else note("No generation is done yet."),
        mistakes_of(run, "test" if result and result["test_accuracy"] is not None else "val") if network else None,
        section("Time", facts(_times(metrics, result))),
        section("Settings", _settings(config)),
        section("Data and versions", facts(_data(data)), facts(_versions(run.config.get("nograd", {})))),
        section("Do it again", _again(run, config, result)),
        refresh=None if result else refresh,
    )


def outcome(run: Run) -> dict[str, Any]:
    """result.json; empty while the run goes on, also where it goes on after an earlier end."""
    result = run.result
    last = run.metrics[-1]["generation"] if run.metrics else 0
    return result if result and result["generations"] >= last else {}


def trace_of(run: Run, name: str | None = None) -> Trace:
    """The run's metrics with the generation whose network is kept: the first with the best validation accuracy."""
    metrics = run.metrics
    measured = [line for line in metrics if line.get("val_accuracy") is not None]
    best = max(measured, key=lambda line: line["val_accuracy"], default=None)
    return Trace(name or run.path.resolve().name, metrics, best and best["generation"])


def unfinished() -> Markup:
    return badge("not finished", "busy")


def measured(accuracy: float | None, examples: int) -> tuple[str, str]:
    """An accuracy and its 95% interval in words."""
    if accuracy is None:
        return "–", "not measured"
    low, high = proportion(round(accuracy * examples), examples)["interval"]
    return percent(accuracy), f"95% interval {low:.2%} to {high:.2%}"


def rate(evaluations: int, seconds: float) -> str:
    """Evaluations a second."""
    return f"{evaluations / seconds:,.0f}" if seconds else "–"


def _key_figures(run: Run, metrics: list[dict[str, Any]], result: Mapping[str, Any]) -> Iterator[tuple[str, Child, Child]]:
    data, last = run.config["data"], metrics[-1] if metrics else {}
    trace = trace_of(run)
    if result:
        accuracy, interval = measured(result["test_accuracy"], data["test"])
        yield "test accuracy", accuracy, f"{interval}, {data['test']:,} examples"
    best = next((line["val_accuracy"] for line in metrics if line["generation"] == trace.chosen), None)
    accuracy, interval = measured(best, data["val"])
    chosen = f", generation {trace.chosen:,}" if trace.chosen else ""
    yield "best validation accuracy", accuracy, f"{interval}{chosen}"
    generation = last.get("generation", 0)
    yield "generations", f"{generation:,}", f"of {run.settings.generations:,}"
    seconds = last.get("seconds", 0.0)
    yield "training time", duration(seconds) if seconds >= 60 else f"{seconds:.1f} s", _each(seconds, generation)
    evaluations = last.get("evaluations", 0)
    yield "evaluations a second", rate(evaluations, seconds), f"{evaluations:,} forward passes of one example"


def _each(seconds: float, generations: int) -> str:
    return f"{short_time(seconds / generations)} a generation" if generations else "not started"


def _times(metrics: list[dict[str, Any]], result: Mapping[str, Any]) -> dict[str, Child]:
    last = metrics[-1] if metrics else {}
    parts = {"start-up": result.get("startup_seconds"), "compilation": result.get("compile_seconds")}
    seconds = last.get("seconds", 0.0)
    shown: dict[str, Child] = {name: f"{value:.1f} s" for name, value in parts.items() if value is not None}
    shown["training"] = f"{seconds:.1f} s, validation and checkpoints included"
    shown["evaluations"] = f"{last.get('evaluations', 0):,}; {rate(last.get('evaluations', 0), seconds)} a second"
    if last.get("bytes_up") or last.get("bytes_down"):
        shown["traffic of the last generation"] = f"{last['bytes_down']:,} bytes out, {last['bytes_up']:,} bytes in"
    if dropped := result.get("dropped"):
        shown["dropped members"] = f"{dropped:,}, as their fitness was not finite"
    return shown


def _settings(config: TrainConfig) -> Markup:
    """The settings that were changed, and all of them below."""
    different, every = changed(config), asdict(config)
    defaults = asdict(TrainConfig())

    def rows(names: Mapping[str, Any]) -> list[Row]:
        return [
            [name, Cell(short(every[name]), mark=name in different), short(defaults[name])]
            for name in names
            if not TrainConfig.__dataclass_fields__[name].metadata.get("control")
        ]

    head = ("setting", "value", "default")
    return Markup(
        table(head, rows(different), caption="What differs from the defaults")
        + tag("details", tag("summary", "all settings"), table(head, rows(every)))
    )


def _data(data: Mapping[str, Any]) -> dict[str, Child]:
    sizes = f"{data['train']:,} training, {data['val']:,} validation, {data['test']:,} test examples"
    shape = " × ".join(map(str, data["input_shape"]))
    return {
        "data": f"{data['name']}: {sizes}",
        "examples": f"{shape}, {data['classes']} classes",
        "checksum (SHA-256)": tag("code", data["checksum"]),
    }


def _versions(versions: Mapping[str, str]) -> dict[str, Child]:
    return {name.replace("_", " "): version for name, version in versions.items()}


def _again(run: Run, config: TrainConfig, result: Mapping[str, Any]) -> list[Child]:
    """The command, and the recipe as a file; how to go on where the run has not ended."""
    line = command(config)
    if line is None:
        parts: list[Child] = [note("Its model, fitness or optimizer was handed over in Python, so that no command says it.")]
    else:
        parts = [tag("pre", line), note("The same seed and versions give the same bits, on any number of workers.")]
        recipe = tag("details", tag("summary", "as a recipe for --config"), tag("pre", to_toml(config)))
        parts.append(recipe)
    if not result or result["stop_reason"] == "interrupted":
        parts += [note("Go on from the last checkpoint:"), tag("pre", shlex.join(["nograd", "train", "--resume", str(run.path)]))]
    return parts
