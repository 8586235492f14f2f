"""A search on this machine: the blog's exploration, how trials scale with workers, an hour on digits.

    python benchmarks/search.py blog       # 14 trials of the post's space, 1,000 generations each, on all cores;
                                           # --noise gaussian as in the post takes about twice as long
    python benchmarks/search.py scaling    # the same trials on one worker and on two, in turns
    python benchmarks/search.py hour       # --budget 1h on digits, the library's own space

Each prints its figures; the studies lie under --out. A blog or hour study that is there is gone on with.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from nograd.tuning.study.read import load_study
from nograd.tuning.study.records import Study


def search(out: Path, *flags: object) -> tuple[Study, float]:
    """The study, and the seconds that the whole command took."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "nograd", "search", *map(str, flags), "--out", str(out)], check=True)
    return load_study(out), time.perf_counter() - start


def blog(out: Path, arguments: argparse.Namespace) -> None:
    """14 configurations of the post's own space with its own network; its author had 10 of 14 at chance."""
    flags = ["--space", "blog", "--generations", 1000, "--trials", 14, "--confirm", 1]
    study, seconds = search(out / "blog", "mnist", *flags, "--search", f"noise=fixed({arguments.noise})")
    members = sum(trial.settings["population"] for trial in study.trials)
    print(f"{members:,} members in all, so {members * 1000 * 128:,} forward passes of one example")
    values = [trial.value or 0.0 for trial in study.trials]
    print(f"{len(values)} trials in {seconds / 60:.1f} min (study: {study.spent_seconds / 60:.1f} min)")
    print(f"validation accuracies: {' '.join(f'{value:.2%}' for value in sorted(values, reverse=True))}")
    print(f"below 15%: {sum(value < 0.15 for value in values)}")


def scaling(out: Path, arguments: argparse.Namespace) -> None:
    """Equal trials, so that no worker waits for a long one; the time between first start and last end of a trial."""
    flags = ["digits", "--trials", arguments.trials, "--generations", arguments.generations, "--confirm", 0]
    space = ["--space", "only", "--search", "lr", "sigma"]
    rates: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(arguments.rounds):
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            study, _ = search(out / f"scaling-{turn}-{workers}-{time.time_ns()}", *flags, *space, "--workers", workers)
            trials = study.trials
            ends = [(trial.start or 0.0) + (trial.seconds or 0.0) for trial in trials]
            rates[workers].append(len(trials) / (max(ends) - min(trial.start or 0.0 for trial in trials)))
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    one, two = (60 * statistics.median(rates[workers]) for workers in (1, 2))
    print(f"trials/min on one worker {one:.2f}, on two {two:.2f}")
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def hour(out: Path, arguments: argparse.Namespace) -> None:
    """The default space on digits within a budget; how close the command came to it."""
    study, seconds = search(out / "hour", "digits", "--budget", arguments.budget)
    winner = study.winner
    print(f"the command took {seconds:.1f} s, of a budget of {study.budget_seconds:.0f} s")
    size = sum(file.stat().st_size for file in study.path.iterdir())
    print(f"{len(study.trials)} trials, {size / 1e6:.1f} MB on disk")
    if winner:
        print(f"best {study.trials[winner.trial].value:.2%}; test {' '.join(f'{v:.2%}' for v in winner.test_scores)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["blog", "scaling", "hour"])
    parser.add_argument("--out", type=Path, default=Path("studies/benchmark"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--generations", type=int, default=1000)
    parser.add_argument("--budget", default="1h")
    parser.add_argument("--noise", default="rademacher", choices=["rademacher", "gaussian", "table"])
    arguments = parser.parse_args()
    {"blog": blog, "scaling": scaling, "hour": hour}[arguments.what](arguments.out, arguments)


if __name__ == "__main__":
    main()
