"""The winner: chosen on validation, trained again on fresh seeds, tested, and saved as a recipe."""

from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import tomli_w

from nograd.checkpoint import write_atomically
from nograd.config import TrainConfig, settings, to_toml
from nograd.search.job import Ended, Job
from nograd.search.ledger import Ledger
from nograd.search.records import Study, Trial, Winner
from nograd.search.space import seed_at, trial_config

RECIPE = "best.toml"


def best_trial(study: Study) -> Trial | None:
    """The complete trial with the highest validation accuracy, the first of equals.

    Only a complete one can win: one that the clock ended has no settings that would give its value again.
    """
    complete = [trial for trial in study.trials if trial.state == "complete" and trial.value is not None]
    return max(complete, key=lambda trial: (trial.value, -trial.number), default=None)


def winning_config(base: TrainConfig, trial: Trial, seed: int) -> TrainConfig:
    """The very training that the trial was."""
    return trial_config(base, trial.settings, seed_at(seed, "trial", trial.number))


class Confirmations:
    """The winner on its seeds, as the crew's work; see `crew.Work`. What is in the study already is not done again.

    The seeds are those of no trial: the trial's own was chosen for its luck. With none asked for it is that one, as
    the test accuracy needs the parameters.
    """

    def __init__(self, ledger: Ledger, trial: Trial, count: int, here: dict[str, Any]) -> None:
        self._ledger, self._trial, self._here = ledger, trial, here
        self.config = winning_config(ledger.base, trial, ledger.seed)
        seeds = [seed_at(ledger.seed, "confirm", number) for number in range(count)] or [self.config.seed]
        ledger.choose(trial, self.config, seeds)
        known = ledger.record().winner
        self.left = [seed for seed in seeds if known is None or seed not in known.seeds]
        self.failures: list[str] = []

    def next(self, worker: str) -> tuple[int, Job] | None:
        """The next seed."""
        if not self.left:
            return None
        seed = self.left.pop(0)
        return seed, Job({**settings(self.config), **self._here, "seed": seed}, test=True)

    def at(self, tag: int, generation: int, accuracy: float | None) -> str:
        """Nothing: it runs to its end."""
        return ""

    def ended(self, tag: int, ended: Ended, seconds: float) -> None:
        """Writes the seed's figures down."""
        if ended.state == "complete":
            self._ledger.confirm(self._trial.number, tag, {"val_accuracy": ended.value, **ended.figures})
        elif ended.state == "failed":
            self.failures.append(f"seed {tag}: {ended.reason}")


def write_recipe(study: Study, winner: Winner) -> None:
    """STUDY/best.toml: with it `nograd train --config` gives the figures in its table [about], bit by bit."""
    config = TrainConfig(**winner.settings)
    trial = study.trials[winner.trial]
    if winner.seeds:
        config = replace(config, seed=winner.seeds[0])
    about = {
        "title": f"trial {winner.trial} of the study {study.name}",
        "source": f"nograd search: the best of {len(study.trials)} trials by validation accuracy, {trial.value:.2%}",
        "figure": figure(winner) or f"validation accuracy {trial.value:.2%}; the test split was not used",
    }
    text = to_toml(config) + "\n" + tomli_w.dumps({"about": about})
    write_atomically(study.path / RECIPE, text.encode())


def figure(winner: Winner) -> str:
    """What the winner reached on its seeds, in one line."""
    if not winner.seeds:
        return ""
    low, high = winner.test_intervals[0]
    text = (
        f"with seed {winner.seeds[0]}: validation accuracy {winner.val_accuracies[0]:.2%}, test accuracy "
        f"{winner.test_accuracies[0]:.2%} (95% interval {low:.2%} to {high:.2%})"
    )
    if len(winner.seeds) > 1:
        tests = winner.test_accuracies
        text += (
            f"; over {len(tests)} seeds test accuracy {mean(tests):.2%} ± {stdev(tests):.2%} "
            f"({', '.join(f'{test:.2%}' for test in tests)})"
        )
    return text
