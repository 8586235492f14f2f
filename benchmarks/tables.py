"""The default of tables against logistic and ridge regression: three seeds each, on small public tables.

    python benchmarks/tables.py [--folder FOLDER] [--tables iris,wine] [--seeds 3]

Iris, wine, breast_cancer, digits, diabetes and linnerud come with scikit-learn. The others are read from FOLDER, or
from the package that carries them where it is installed: penguins (palmerpenguins), seattle-weather and cars
(vega_datasets), sunspots and fair (statsmodels). Every seed has a split of its own, and the baseline is fitted on it.
Last figures: docs/benchmarks/tables.md.
"""

import argparse
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import nograd as ng


class Table(NamedTuple):
    """One table, and what is learnt from it."""

    name: str
    file: str = ""  # in its package or in the folder; "": it comes with scikit-learn
    package: str = ""
    label: str | None = None


TABLES = (
    Table("iris"),
    Table("wine"),
    Table("breast_cancer"),
    Table("digits"),
    Table("diabetes"),
    Table("linnerud"),
    Table("penguins", "data/penguins.csv", "palmerpenguins", "species"),
    Table("seattle-weather", "_data/seattle-weather.csv", "vega_datasets", "weather"),
    Table("cars", "_data/cars.json", "vega_datasets", "Miles_per_Gallon"),
    Table("sunspots", "datasets/sunspots/sunspots.csv", "statsmodels", "SUNACTIVITY"),
    Table("fair", "datasets/fair/fair.csv", "statsmodels", "affairs"),
)


def place(table: Table, folder: Path) -> str | None:
    """The task of a table; None where it is not here."""
    if not table.file:
        return table.name
    own = folder / Path(table.file).name
    found = find_spec(table.package)
    roots = [Path(root) / table.file for root in (found.submodule_search_locations or [])] if found else []
    return next((str(path) for path in (own, *roots) if path.is_file()), None)


class Trained(NamedTuple):
    """What one seed gave."""

    metric: str
    ours: float
    linear: float
    seconds: float  # of the whole call, with compilation


def trained(table: Table, task: str, seed: int) -> Trained:
    """One training with the settings of the default."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = ng.train(task, label=table.label, seed=seed, out=Path(folder) / "run")
        name, result = run.measure.name, run.result
    return Trained(name, result["metrics"][name], result["linear_baseline"][name], time.perf_counter() - start)


def line(name: str, found: list[Trained]) -> str:
    """A row of the table in docs/benchmarks/tables.md."""
    seeds = ", ".join(f"{one.ours:.3f}" for one in found)
    ours, linear = mean(one.ours for one in found), mean(one.linear for one in found)
    cells = (name, found[0].metric, seeds, f"{ours:.3f}", f"{linear:.3f}", f"{max(one.seconds for one in found):.0f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("tables"))
    parser.add_argument("--tables", default=",".join(table.name for table in TABLES))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    print("| table | metric | each seed | mean | linear baseline | longest [s] |\n|---|---|---|---|---|---|")
    for table in TABLES:
        if table.name not in given.tables.split(","):
            continue
        if (task := place(table, given.folder)) is None:
            print(f"| {table.name} | not here: pip install {table.package}, or put it into --folder |", flush=True)
            continue
        print(line(table.name, [trained(table, task, seed) for seed in range(given.seeds)]), flush=True)


if __name__ == "__main__":
    main()
