"""A synthetic study of any size: settings drawn as a random search draws them, values from a known surface."""

import math
from pathlib import Path

import numpy as np

from nograd.reports.study import Statistics
from nograd.tuning.study.records import Dimension, Study, Trial, Winner

SPACE = [
    Dimension("lr", "log", 1e-4, 1e-1),
    Dimension("sigma", "log", 1e-3, 1.0),
    Dimension("weight_decay", "chi"),
    Dimension("momentum", "uniform", 0.0, 0.99, when=(("optimizer", ("momentum", "nesterov")),)),
    Dimension("optimizer", "choice", choices=("adam", "momentum", "nesterov")),
    Dimension("batch", "log_int", 16, 1024),
    Dimension("directions", "int", 4, 64),
    Dimension("mirrored", "choice", choices=(True, False)),
    Dimension("model", "fixed", choices=("mlp:32",)),
]


def make_study(trials: int = 500, seed: int = 0, winner: bool = True, name: str = "digits-random") -> Study:
    """A study whose best values lie around lr = 0.01 and sigma = 0.05; some trials are pruned, some fail."""
    rng = np.random.default_rng(seed)
    clocks = {f"host-a/{place}": 0.0 for place in range(4)}
    made = []
    for number in range(trials):
        worker = min(clocks, key=lambda name: clocks[name])
        trial = _trial(number, worker, clocks[worker], rng)
        clocks[worker] += (trial.seconds or 0.0) + 0.5
        made.append(trial)
    best = max(made, key=lambda trial: trial.value or 0.0, default=_trial(0, "", 0.0, rng))
    settings = {**best.settings, "task": "digits", "generations": 500}
    intervals = [(0.928, 0.978), (0.923, 0.975), (0.943, 0.986)]
    won = Winner(best.number, settings, [100, 101, 102], [0.964, 0.968, 0.972], [0.96, 0.956, 0.972], intervals)
    search = {"sampler": "random", "pruner": "hyperband", "budget": "2h", "generations": 500, "workers": 4}
    spent = max(clocks.values())
    return Study(
        Path("studies") / name, name, "digits", SPACE, search, {"fitness": "cross_entropy", "population": 256},
        250, 7200.0, spent, made, won if winner and best in made and best.value else None,
    )  # fmt: skip


def _trial(number: int, worker: str, start: float, rng: np.random.Generator) -> Trial:
    optimizer = str(rng.choice(["adam", "momentum", "nesterov"]))
    settings = {
        "lr": float(10 ** rng.uniform(-4, -1)),
        "sigma": float(10 ** rng.uniform(-3, 0)),
        "weight_decay": float(1e-3 * rng.chisquare(1)),
        "momentum": None if optimizer == "adam" else float(rng.uniform(0, 0.99)),
        "optimizer": optimizer,
        "batch": int(2 ** rng.uniform(4, 10)),
        "directions": int(rng.integers(4, 65)),
        "mirrored": bool(rng.integers(2)),
        "model": "mlp:32",
    }
    distance = (math.log10(settings["lr"]) + 2) ** 2 + 0.6 * (math.log10(settings["sigma"]) + 1.3) ** 2
    value = float(np.clip(0.97 * math.exp(-0.25 * distance) + 0.02 * rng.normal(), 0.05, 0.99))
    value = round(value * 250) / 250
    draw, full = rng.uniform(), float(20 * rng.gamma(8) / 8)
    curve = [(50 * step, round(value * (1 - 0.5**step), 4)) for step in range(1, 11)]
    if draw < 0.04:
        why = "nonfinite_parameters" if draw < 0.03 else "DataError: <script>alert('reason')</script> is not found"
        return Trial(number, "failed", settings, None, [], worker, start, 0.1 * full, why)
    if draw < 0.45:
        seen = int(rng.integers(1, 6))
        return Trial(
            number, "pruned", settings, curve[seen - 1][1], curve[:seen], worker, start, seen / 10 * full, "pruned"
        )
    if draw < 0.47:
        return Trial(number, "stopped", settings, curve[4][1], curve[:5], worker, start, 0.5 * full, "budget")
    return Trial(number, "complete", settings, value, curve, worker, start, full, "generations")


def make_statistics(study: Study) -> Statistics:
    """Figures of the right form: true experiments for the efficiency, made-up importance."""
    found = [trial.value for trial in study.trials if trial.value is not None]
    sizes = [2**power for power in range(10) if found and 2**power <= len(found)]
    curve = [(s, [max(found[i : i + s]) for i in range(0, len(found) - s + 1, s)]) for s in sizes]
    importance = {
        "lr": (0.41, 0.35, 0.47),
        "sigma": (0.30, 0.24, 0.35),
        "momentum": (0.06, 0.02, 0.1),
        "batch": (0.03, 0.0, 0.07),
    }
    return Statistics(curve, (0.962, 0.011) if found else None, 59, importance if found else {})
