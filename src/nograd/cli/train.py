"""`nograd train`."""

import shlex
import sys
from typing import TYPE_CHECKING, Any

from nograd.cli.exit_codes import EXIT_DIVERGED, EXIT_INTERRUPTED
from nograd.cli.flags import parse_given, prepare_jax, with_task
from nograd.config.merge import merge
from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_environment, seen_by_member
from nograd.config.validate import validate
from nograd.core.metrics import Measure

if TYPE_CHECKING:
    from nograd.training.loop import Observer
    from nograd.training.train import Start


def train(arguments: list[str], started: float) -> int:
    """Trains, or goes on with a run."""
    given = parse_given(TrainConfig, arguments, "nograd train")
    saved = None
    if given.get("resume"):
        prepare_jax()
        from nograd.training.train import resumed_settings

        saved = resumed_settings(given["resume"])
    else:
        settled, why = with_task(TrainConfig(**given))
        given["task"] = settled.task
        print(why, flush=True)
    config = validate(merge(given, saved))
    prepare_jax()
    from nograd.training.train import run_config

    run = run_config(config, on_start=_announce, started=started)
    return _report(run.path, run.result, run.measure)


def _announce(start: "Start") -> "Observer":
    from rich.console import Console

    from nograd.training.display import TrainingDisplay

    config, progress, members = start.job.config, start.progress, start.job.generation.members
    seen = seen_by_member(config.episodes if is_environment(config.task) else None, config.batch)
    print(start.job.task.note)
    for line in start.summary:
        print(f"  {line}")
    print(
        f"model: {config.model}, {start.parameters:,} parameters; {config.strategy}, {config.perturbation} "
        f"perturbation, population "
        f"{members:,}{' in mirrored pairs' if config.mirrored else ''} on {seen}"
    )
    if start.job.initial:
        print(f"begins with the parameters of {start.job.initial.origin}")
    if start.workers > 1:
        print(f"workers: {start.workers}, each a {start.worker}")
    if start.job.local and (names := start.job.local.fallbacks):
        print(
            f"dense noise of their own, as {config.perturbation} has no rule for where they stand: {', '.join(names)}"
        )
    print(f"run: {start.directory.path}" + (f", from generation {progress.generation:,}" if config.resume else ""))
    sys.stdout.flush()
    return TrainingDisplay(Console(), start.limits, progress, start.job.task.measure)


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
