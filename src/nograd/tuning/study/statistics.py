"""Statistics of a random search beyond its best trial (Bergstra & Bengio 2012). Optuna is imported late."""

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from nograd.core.metrics import ACCURACY, Measure
from nograd.tuning.study.database import quiet_optuna
from nograd.tuning.study.read import LOST
from nograd.tuning.study.records import Dimension, Study, Trial

BOOTSTRAPS = 24
INTERVAL = 0.9  # of the bootstraps, from low to high
_DRAWS, _BLOCK = 20_000, 1_000
_FEWEST = 8  # trials with a value, below which an importance would be read out of nothing


def outcomes(study: Study) -> list[float]:
    """The value of every trial that came to its own end, by number.

    A failed one counts with what it had, or the least there is, 0 for an accuracy and the worst of the others for a
    return or a loss: without failures the search would look better than it was. A trial that the clock or a dead
    process ended says nothing about its settings, and is left out. Empty where no trial has a value.
    """
    ended = _ended(study)
    found = [trial.value for trial in ended if trial.value is not None]
    least = study.measure.worst(found) if study.measure.least is None else study.measure.least
    return [] if least is None else [least if trial.value is None else trial.value for trial in ended]


def standard_errors(study: Study) -> list[float | None]:
    """Of `outcomes`: √(v(1 − v)/n) of an accuracy on n examples, s/√n of a mean return of n episodes.

    That of a trial without any value is 0. None: of a single episode, which has no scatter.
    """
    if study.measure.proportion:
        return [study.measure.standard_error(value, study.validation) for value in outcomes(study)]
    return [0.0 if trial.value is None else trial.standard_error for trial in _ended(study)]


def _ended(study: Study) -> list[Trial]:
    return [trial for trial in study.trials if trial.state in ("complete", "pruned", "failed") and trial.reason != LOST]


def efficiency_curve(values: Sequence[float], measure: Measure = ACCURACY) -> list[tuple[int, list[float]]]:
    """Experiment size s → the best of s, over the ⌊S/s⌋ disjoint groups of S trials (Bergstra & Bengio, figure 2).

    Sizes are powers of two. The groups of one size are independent experiments; those of different sizes are not.

    Args:
        values: of the trials, in the order that they were drawn in.
        measure: what they are: which of them is the best.
    """
    sizes = [2**power for power in range(len(values).bit_length())]
    best = partial(max, key=measure.goodness)
    return [(size, [best(values[at : at + size]) for at in range(0, len(values) - size + 1, size)]) for size in sizes]


def expected_best(
    values: Sequence[float], errors: Sequence[float | None], measure: Measure = ACCURACY
) -> tuple[float, float] | None:
    """The expected score z of the best trial, and its standard deviation, as the validation set is finite.

    Each trial's true score is N(μₛ, σₛ²) with μₛ its value and σₛ the standard error of that. With the weights
    wₛ = P(trial s is the best), z = Σ wₛμₛ and Var = Σ wₛ(μₛ² + σₛ²) − z² (Bergstra & Bengio 2012, section 2.1).
    The weights are from 20,000 draws of a fixed seed.

    Args:
        values: validation scores.
        errors: their standard errors. Where there is no value, or an error is not known, neither is the result.
        measure: what they are: which of them is the best.
    """
    known = [error for error in errors if error is not None]
    if not values or len(known) < len(values):
        return None
    mu, sigma = np.asarray(list(map(measure.goodness, values)), float), np.asarray(known, float)
    # A trial seven standard deviations below the best one is not the best.
    near = np.flatnonzero(mu + 7 * sigma >= np.max(mu - 7 * sigma))
    rng, wins = np.random.default_rng(0), np.zeros(len(mu))
    for _ in range(_DRAWS // _BLOCK):
        scores = rng.normal(mu[near], sigma[near], (_BLOCK, len(near)))
        wins[near] += np.bincount(np.argmax(scores, axis=1), minlength=len(near))
    weights = wins / _DRAWS
    z = float(weights @ mu)
    return measure.goodness(z), math.sqrt(max(float(weights @ (mu**2 + sigma**2)) - z**2, 0.0))


def trials_until_top(share: float = 0.05, probability: float = 0.95) -> int:
    """The least n with 1 − (1 − share)ⁿ ≥ probability: random trials until one is among the best `share` (59)."""
    return math.ceil(math.log(1 - probability) / math.log(1 - share))


def importance(
    study: Study, bootstraps: int = BOOTSTRAPS, evaluator: str = "ped-anova"
) -> dict[str, tuple[float, float, float]]:
    """How much each setting matters, by name: the mean over bootstraps of the trials, and their 5% and 95% quantiles.

    Args:
        study: with eight trials or more that have a value; else the result is empty.
        bootstraps: samples of the trials, with replacement.
        evaluator: "ped-anova" (which settings tell the best tenth from the rest; Watanabe et al. 2023), "fanova"
            (shares of the variance by a random forest; Hutter et al. 2014; seconds each) or "mdi" (by its splits).
    """
    trials = [trial for trial in study.trials if trial.state in ("complete", "pruned") and trial.value is not None]
    searched = [dimension for dimension in study.space if dimension.kind != "fixed"]
    if len(trials) < _FEWEST or not searched:
        return {}
    frozen = [_frozen(trial, searched, study.measure) for trial in trials]
    rng = np.random.default_rng(0)
    rows = [_importances(frozen, evaluator, rng.integers(0, len(trials), len(trials))) for _ in range(bootstraps)]
    low, high = (1 - INTERVAL) / 2, (1 + INTERVAL) / 2
    found: dict[str, tuple[float, float, float]] = {}
    for dimension in searched:
        shares = np.array([row.get(dimension.name, 0.0) for row in rows])
        ends = np.quantile(shares, (low, high))
        found[dimension.name] = (float(shares.mean()), float(ends[0]), float(ends[1]))
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def _importances(frozen: Sequence[Any], evaluator: str, chosen: np.ndarray) -> dict[str, float]:
    """Of one bootstrap, with sum 1."""
    optuna = quiet_optuna()
    makers = {
        "ped-anova": optuna.importance.PedAnovaImportanceEvaluator,
        "fanova": lambda: optuna.importance.FanovaImportanceEvaluator(seed=0),
        "mdi": lambda: optuna.importance.MeanDecreaseImpurityImportanceEvaluator(seed=0),
    }
    sample = optuna.create_study(direction="maximize")
    sample.add_trials([frozen[index] for index in chosen])
    with warnings.catch_warnings():  # of few trials where a setting is drawn seldom: the interval says it
        warnings.simplefilter("ignore")
        return optuna.importance.get_param_importances(sample, evaluator=makers[evaluator]())


def _frozen(trial: Trial, space: Sequence[Dimension], measure: Measure) -> Any:
    """The trial as Optuna's evaluators read it, its value the higher the better."""
    from nograd.tuning.samplers import suggest

    fixed = quiet_optuna().trial.FixedTrial(trial.settings)
    for dimension in space:
        if dimension.name in trial.settings:
            suggest(fixed, dimension)
    value = None if trial.value is None else measure.goodness(trial.value)
    return quiet_optuna().trial.create_trial(params=fixed.params, distributions=fixed.distributions, value=value)


def summary(study: Study) -> dict[str, Any]:
    """All of it as JSON types: what statistics.json holds."""
    values = outcomes(study)
    states = [trial.state for trial in study.trials]
    best = expected_best(values, standard_errors(study), study.measure)
    return {
        "study": study.name,
        "trials": {state: states.count(state) for state in ("complete", "pruned", "stopped", "failed", "running")},
        "spent_seconds": round(study.spent_seconds, 3),
        "budget_seconds": study.budget_seconds,
        "measure": study.measure.name,
        f"validation_{study.measure.units}": study.validation,
        "best_value": study.measure.best(values),
        "expected_best": best and {"score": best[0], "standard_deviation": best[1]},
        "efficiency": [{"size": size, "best": group} for size, group in efficiency_curve(values, study.measure)],
        "trials_until_top_5_percent": trials_until_top(),
        "importance": {
            name: dict(zip(("mean", "low", "high"), shares, strict=True)) for name, shares in importance(study).items()
        },
        "winner": _winner(study),
    }


def _winner(study: Study) -> dict[str, Any] | None:
    if (winner := study.winner) is None:
        return None
    return {**winner._asdict(), "value": study.trials[winner.trial].value}
