"""A summary of a run for a line, a table or a notebook, read from config.json, metrics.jsonl and result.json."""

import base64
import html
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nograd.core.metrics import measure_of
from nograd.core.text import duration
from nograd.core.types import NogradError
from nograd.runs.directory import CONFIG, CURVES, RunDirectory
from nograd.runs.endings import ending

# A folder of another program or of another version.
_UNREADABLE = (NogradError, KeyError, TypeError, AttributeError, ValueError)


class Summary(NamedTuple):
    """The main facts of a run, as text; "" for facts that the run does not have."""

    path: Path
    task: str
    model: str
    score: str  # "test accuracy 97.20%", or that of the validation data if there is no test score
    interval: str  # "94.33% to 98.64%", the 95% interval of the score
    baseline: str  # "logistic regression 97.60%"
    generations: str  # "1,000"
    time: str  # training time, such as "12 s"
    state: str  # "all generations are done", or "not ended, generation 300"

    @property
    def run(self) -> str:
        """The name of the run directory."""
        return self.path.name


def summary(directory: RunDirectory) -> Summary:
    """The summary of a run. Raises NogradError if its files cannot be read."""
    config, result = directory.config(), directory.result()
    settings, measure = config["settings"], measure_of(config)
    if result is None:
        lines = directory.metrics()
        last = lines[-1] if lines else {"generation": 0, "seconds": 0.0}
        best = measure.best(line[measure.val] for line in lines if line.get(measure.val) is not None)
        score = "" if best is None else f"val {measure.what} {measure.text(best)}"
        ended = f"not ended, generation {last['generation']:,}"
        done, seconds, sure, line = last["generation"], last["seconds"], "", ""
    else:
        tested = result.get(measure.test)
        split, value = ("test", tested) if tested is not None else ("val", result.get(measure.val))
        score = "" if value is None else f"{split} {measure.what} {measure.text(value)}"
        interval = result.get("test_interval") if tested is not None else None
        sure = "" if not interval else f"{measure.text(interval[0])} to {measure.text(interval[1])}"
        linear = (result.get("linear_baseline") or {}).get(measure.name)
        line = "" if linear is None else f"{result['linear_baseline_model'].split(',')[0]} {measure.text(linear)}"
        ended, done, seconds = ending(result["stop_reason"]), result["generations"], result["seconds"]
    return Summary(
        directory.path,
        Path(settings["task"]).name if settings["task"] else "",
        settings["model"],
        score,
        sure,
        line,
        f"{done:,}",
        duration(seconds),
        ended,
    )


def summaries(folder: Path) -> Iterator[Summary]:
    """Yields the summaries of all runs in a folder, the newest last; runs that cannot be read are left out."""
    made = sorted(folder.glob(f"*/{CONFIG}"), key=lambda path: (path.stat().st_mtime, path))
    for path in made:
        try:
            yield summary(RunDirectory.open(path.parent))
        except _UNREADABLE:  # not a run, or one of another version
            continue


def described(directory: RunDirectory) -> str:
    """A run as one line of text; only its path if its files cannot be read."""
    try:
        return as_text(summary(directory))
    except _UNREADABLE:
        return f"<nograd run {str(directory.path)!r}>"


def described_in_html(directory: RunDirectory) -> str:
    """A run as HTML for a notebook; its path alone if its files cannot be read."""
    try:
        return as_html(summary(directory))
    except _UNREADABLE:
        return f"<pre>{html.escape(described(directory))}</pre>"


def as_text(found: Summary) -> str:
    """A summary as one line of text."""
    sure = f" (95% interval {found.interval})" if found.interval else ""
    parts = [f"{found.score}{sure}", f"{found.generations} generations in {found.time}", found.state]
    return f"<nograd run {str(found.path)!r}: {found.task}, {found.model}; {', '.join(part for part in parts if part)}>"


def as_html(found: Summary) -> str:
    """A summary as HTML for a notebook: a table, the curves, and the calls that can follow."""
    rows = {
        "run": str(found.path),
        "task": found.task,
        "model": found.model,
        "score": found.score,
        "95% interval": found.interval,
        "baseline": found.baseline,
        "training": f"{found.generations} generations in {found.time}, {found.state}",
    }
    cells = "".join(
        f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
        if value
    )
    curves = found.path / CURVES
    picture = ""
    if curves.is_file():
        data = base64.b64encode(curves.read_bytes()).decode()
        picture = f"<img alt='fitness and score over generations' width='480' src='data:image/png;base64,{data}'>"
    path = html.escape(str(found.path))
    steps = f"<pre>run.predict(x)\nrun.evaluate()\nng.train(resume={path!r}, generations=…)</pre>"
    return f"<table>{cells}</table>{picture}{steps}"
