"""The winner: chosen on validation, trained again on fresh seeds, tested, and saved as a recipe."""

from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import tomli_w

from nograd.config.recipes import to_toml
from nograd.config.settings import TrainConfig, settings
from nograd.core.metrics import Measure
from nograd.runs.files import write_atomically
from nograd.tuning.space import seed_at, trial_config
from nograd.tuning.study.records import Study, Trial, Winner, place
from nograd.tuning.study.write import StudyWriter
from nograd.tuning.trial import TrialEnd, TrialRequest

RECIPE = "best.toml"


def best_trial(study: Study) -> Trial | None:
    """The complete trial with the best validation score, the first of equals.

    Only a complete one can win: one that the clock ended has no settings that would give its value again.
    """
    complete = [trial for trial in study.trials if trial.state == "complete" and trial.value is not None]
    return min(complete, key=lambda trial: place(trial, study.measure), default=None)


def winning_config(base: TrainConfig, trial: Trial, seed: int) -> TrainConfig:
    """The config of exactly the training that the trial did, with this seed."""
    return trial_config(base, trial.settings, seed_at(seed, "trial", trial.number))


class Confirmations:
    """Trains the winner again on its seeds; a `worker_pool.Work`. Seeds that are in the study already are not repeated.

    The seeds are fresh ones, as the best trial is best partly by its lucky seed. With `count` 0 the trial's own seed is
    used, because the test score needs the parameters.
    """

    def __init__(self, writer: StudyWriter, trial: Trial, count: int, here: dict[str, Any]) -> None:
        self._ledger, self._trial, self._here = writer, trial, here
        self.config = winning_config(writer.base, trial, writer.seed)
        self._seeds = [seed_at(writer.seed, "confirm", number) for number in range(count)] or [self.config.seed]
        study = writer.record()
        self._measure = study.measure
        before = study.winner
        trained = writer.confirmed(trial.number)
        self.left = [seed for seed in self._seeds if seed not in trained]
        self.missing = len(self.left)
        self.failures: list[str] = []
        # The earlier winner, which has test scores, stays until this one has some: the time may run out.
        self._chosen = False
        if len(self.left) < len(self._seeds) or before is None or not before.seeds or before.trial == trial.number:
            self._choose()

    def shortfall(self) -> str:
        """A line for the user where the time ran out before all seeds were done; else empty."""
        if self.missing <= len(self.failures):
            return ""
        done, asked, number = len(self._seeds) - self.missing, len(self._seeds), self._trial.number
        if self._chosen:
            return f"trial {number} was trained again on {done} of {asked} seeds; a larger --budget does the rest"
        return f"trial {number} is better than the winner, but no time was left to train it again; use more --budget"

    def _choose(self) -> None:
        self._ledger.choose(self._trial, self.config, self._seeds)
        self._chosen = True

    def next(self, worker: str) -> tuple[int, TrialRequest] | None:
        """The next seed."""
        if not self.left:
            return None
        seed = self.left.pop(0)
        return seed, TrialRequest({**settings(self.config), **self._here, "seed": seed}, test=True)

    def at(self, tag: int, generation: int, score: float | None, error: float | None) -> str:
        """Returns "": these trainings run to their end."""
        return ""

    def ended(self, tag: int, ended: TrialEnd, seconds: float) -> None:
        """Writes the seed's figures down."""
        if ended.state == "complete":
            self.missing -= 1
            self._ledger.confirm(self._trial.number, tag, {self._measure.val: ended.value, **ended.figures})
            if not self._chosen:
                self._choose()
        elif ended.state == "failed":
            self.failures.append(f"seed {tag}: {ended.reason}")


def write_recipe(study: Study, winner: Winner) -> None:
    """STUDY/best.toml: with it `nograd train --config` gives the figures in its table [about], bit by bit."""
    config = TrainConfig(**winner.settings)
    trial = study.trials[winner.trial]
    if winner.seeds:
        config = replace(config, seed=winner.seeds[0])
    measure, best = study.measure, best_trial(study)
    among = "" if best and best.number == winner.trial else ", of those that were trained again,"
    untested = f"validation {measure.what} {measure.text(trial.value)}; the test {measure.units} were not used"
    about = {
        "title": f"trial {winner.trial} of the study {study.name}",
        "source": f"nograd search: the best of {len(study.trials)} trials{among} by validation {measure.what}, "
        f"{measure.text(trial.value)}",
        "figure": figure(winner, measure) or untested,
    }
    text = to_toml(config) + "\n" + tomli_w.dumps({"about": about})
    write_atomically(study.path / RECIPE, text.encode())


def figure(winner: Winner, measure: Measure) -> str:
    """What the winner reached on its seeds, in one line."""
    if not winner.seeds:
        return ""
    what, said = measure.what, measure.text
    low, high = map(said, winner.test_intervals[0])
    text = (
        f"with seed {winner.seeds[0]}: validation {what} {said(winner.val_scores[0])}, test {what} "
        f"{said(winner.test_scores[0])} (95% interval {low} to {high})"
    )
    if len(winner.seeds) > 1:
        tests = winner.test_scores
        text += (
            f"; over {len(tests)} seeds test {what} {said(mean(tests))} ± {said(stdev(tests))} "
            f"({', '.join(map(said, tests))})"
        )
    return text
