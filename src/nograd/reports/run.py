"""The page of one training: its result, curves and mistakes, and how to repeat it."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nograd.config.recipes import to_toml
from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_objective
from nograd.core.text import byte_count, short, short_time
from nograd.reports.curves import curves
from nograd.reports.document import badge, document, note
from nograd.reports.html import Child, Markup, section, tag
from nograd.reports.reproduce import changed, command
from nograd.reports.scores import scores_of
from nograd.reports.sections import own_sections
from nograd.reports.snapshot import Snapshot, interval_said, rate, snapshot, spent, unfinished
from nograd.reports.tables import Cell, Row, cards, facts, table
from nograd.runs.endings import GOOD, ending, failed
from nograd.runs.run import Run


def run_page(run: Run, *, network: bool = True, refresh: int | None = None) -> str:
    """The HTML page of a run, finished or not.

    Args:
        run: the run.
        network: whether to load the network and the data, for mistakes and weights.
        refresh: seconds until the browser reloads the page, while the run is not finished; None: never.
    """
    now, config = snapshot(run), run.settings
    population = f"population {run.config['population']:,}"
    what = (
        Path(config.task or "").name,
        config.model,
        f"{run.config['parameters']:,} parameters",
        config.perturbation,
        population,
    )
    tested = now.result.get(run.measure.test) is not None
    return document(
        now.name,
        [", ".join(filter(None, what)), " ", _state(now)],
        cards(_key_figures(now)),
        section("Curves", curves([now.trace])) if now.metrics else note("No generation is done yet."),
        scores_of(now.result),
        own_sections(run, "test" if tested else "val") if network else None,
        section("Time", facts(_times(now))),
        section("Settings", _settings(config)),
        section("Data and versions", facts(_data(run)), facts(_versions(run.config["nograd"]))),
        section("Do it again", _again(now, config)),
        refresh=None if now.result else refresh,
    )


def _state(now: Snapshot) -> Markup:
    reason = now.result.get("stop_reason")
    if reason is None:
        return unfinished()
    kind = "good" if reason in GOOD else "bad" if failed(reason) else "busy" if reason == "interrupted" else "plain"
    return badge(ending(reason), kind)


def _key_figures(now: Snapshot) -> Iterator[tuple[str, Child, Child]]:
    measure, shown = now.run.measure, now.run.shown
    if now.result:
        over = f"{shown.units['test']:,} {measure.units}"
        said = f"95% interval {interval_said(now, 'test')}; {over}"
        yield f"test {measure.what}", measure.text(now.result.get(measure.test)), said
    said = "not measured"
    if now.best:
        said = f"95% interval {interval_said(now, 'val')}; generation {now.best['generation']:,}"
    yield f"best validation {measure.what}", measure.text(now.best.get(measure.val)), said
    yield "generations", f"{now.generations:,}", f"of {now.run.settings.generations:,}"
    yield "training time", spent(now), _each(now)
    yield "evaluations a second", rate(now), f"{now.evaluations:,} {shown.unit_of_work}"


def _each(now: Snapshot) -> str:
    return f"{short_time(now.seconds / now.generations)} a generation" if now.generations else "not started"


def _times(now: Snapshot) -> dict[str, Child]:
    result, last = now.result, now.last
    parts = {"start-up": result.get("startup_seconds"), "compilation": result.get("compile_seconds")}
    shown: dict[str, Child] = {name: f"{value:.1f} s" for name, value in parts.items() if value is not None}
    shown["training"] = f"{now.seconds:,.1f} s, with validation and checkpoints"
    shown["evaluations"] = f"{now.evaluations:,}; {rate(now)} a second"
    if last.get("bytes_up") or last.get("bytes_down"):
        traffic = f"{byte_count(last['bytes_down'])} out, {byte_count(last['bytes_up'])} in"
        shown["traffic between workers"] = f"{traffic}, in the last generation"
    if dropped := result.get("dropped"):
        shown["dropped members"] = f"{dropped:,}, as their fitness was not finite"
    return shown


def _settings(config: TrainConfig) -> Markup:
    """A table of the settings that differ from the defaults, and below it one of all settings."""
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


def _data(run: Run) -> dict[str, Child]:
    return {**run.shown.facts, "checksum (SHA-256)": tag("code", run.config["data"]["checksum"])}


def _versions(versions: Mapping[str, str]) -> dict[str, Child]:
    return {name.replace("_", " "): version for name, version in versions.items()}


def _again(now: Snapshot, config: TrainConfig) -> list[Child]:
    """The command and the recipe that repeat the run, and for an unfinished run the command that resumes it."""
    if line := command(config, now.run.config.get("init", {}).get("from")):
        recipe = tag("details", tag("summary", "as a recipe for --config"), tag("pre", to_toml(config)))
        said = note(
            "With the same data, versions and kind of processor the bits are the same, on any number of workers."
        )
        parts: list[Child] = [tag("pre", line), said, recipe]
    else:
        parts = [
            note(
                "Its model, fitness, optimizer or first parameters were handed over in Python, "
                "so no command line can repeat it."
            )
        ]
    if is_objective(config.task):
        return [note("Its function was handed over in Python: nograd.minimize(function, x0, resume=…) goes on.")]
    if now.result.get("stop_reason", "interrupted") == "interrupted":
        resume = shlex.join(["nograd", "train", "--resume", str(now.run.path)])
        parts += [note("Go on from the last checkpoint:"), tag("pre", resume)]
    return parts
