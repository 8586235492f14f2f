"""How long a large table takes to be read, encoded and split, and how much memory: CSV and Parquet.

    python benchmarks/tables_read.py                        # 2 million rows × 13 columns, 170 MB as CSV
    python benchmarks/tables_read.py --rows 200000          # a tenth of it
    python benchmarks/tables_read.py --profile csv          # where the time goes

Each form is loaded in a process of its own: seconds of the wall, seconds of the processors, and the largest memory.
On 2 cores the aim is 10 s and 1.5 GB for CSV, and 3 s for Parquet.
"""

import argparse
import cProfile
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ROWS = 2_000_000
FORMS = ("csv", "parquet")


def make(folder: Path, rows: int) -> None:
    """A table of numbers, categories, a flag and a date, as it would come out of a shop's database."""
    rng = np.random.default_rng(0)
    day = np.datetime64("2020-01-01") + rng.integers(0, 1500, rows).astype("timedelta64[D]")
    columns = {f"amount_{i}": np.round(rng.lognormal(3, 1, rows), 4) for i in range(6)}
    frame = pl.DataFrame(
        {
            "id": np.arange(rows),
            **columns,
            "items": rng.integers(0, 40, rows),
            "city": np.array(["Bern", "Basel", "Geneva", "Lugano", "Zurich"])[rng.integers(0, 5, rows)],
            "member": np.array(["yes", "no"])[rng.integers(0, 2, rows)],
            "day": day,
            "label": np.array(["keeps", "returns", "lost"])[rng.integers(0, 3, rows)],
        }
    )
    for form in FORMS:
        getattr(frame, f"write_{form}")(folder / f"table.{form}")


def load_one(path: Path, profile: bool) -> None:
    """Loads a file here, and prints what it took."""
    from nograd.data import load

    profiler = cProfile.Profile() if profile else None
    start, cpu = time.perf_counter(), time.process_time()
    if profiler:
        profiler.enable()
    data = load(path)
    if profiler:
        profiler.disable()
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    size = path.stat().st_size / 1e6
    shape = f"{len(data.x_train) + len(data.x_val) + len(data.x_test):,} x {data.x_train.shape[1]}"
    print(f"{path.suffix:8} {size:6.0f} MB  {wall:5.1f} s wall  {cpu:5.1f} s CPU  {peak:5.2f} GB  {shape}")
    if profiler:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Makes the files and loads each of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--profile", choices=FORMS)
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        load_one(given.load, bool(given.profile))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.rows)
        for form in (given.profile,) if given.profile else FORMS:
            more = ["--profile", form] if given.profile else []
            subprocess.run([sys.executable, __file__, "--load", str(Path(folder) / f"table.{form}"), *more], check=True)


if __name__ == "__main__":
    main()
