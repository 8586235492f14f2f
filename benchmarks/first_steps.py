"""What a new user waits for, measured from outside: help, the first generation, digits to the end, memory.

    python benchmarks/first_steps.py

Whole processes, from Enter to exit; medians of several runs. Needs the MNIST files for the memory of the blog
preset (NOGRAD_DATA or the cache).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run(*arguments: str) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of one `nograd` process."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "nograd", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, arguments
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def median(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


def digits(folder: Path, cache: str, runs: int) -> None:
    """`nograd train digits` from an empty cache of compiled programs, or from a filled one."""
    first, whole, scores = [], [], []
    for number in range(runs):
        out = folder / str(number)
        os.environ["XDG_CACHE_HOME"] = str(folder / (f"cache-{number}" if cache == "cold" else "cache"))
        if cache == "warm" and number == 0:
            run("train", "digits", "--generations", "1", "--out", str(folder / "before"))
        whole.append(run("train", "digits", "--seed", str(number), "--out", str(out))[0])
        result = json.loads((out / "result.json").read_text())
        line = json.loads((out / "metrics.jsonl").read_text().splitlines()[0])
        first.append(result["startup_seconds"] + result["compile_seconds"] + line["seconds"])
        scores.append(result["test_accuracy"])
    print(f"nograd train digits, {cache} cache, first generation done after:", median(first))
    print(f"nograd train digits, {cache} cache, all included:", median(whole))
    print("   test accuracy:", " ".join(f"{score:.2%}" for score in scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    print("nograd --help:", median([run("--help")[0] for _ in range(arguments.runs)]))
    print("nograd train --help:", median([run("train", "--help")[0] for _ in range(arguments.runs)]))
    with tempfile.TemporaryDirectory() as folder:
        for cache in ("cold", "warm"):
            digits(Path(folder) / cache, cache, arguments.runs)
        blog = run("train", "mnist", "--preset", "blog", "--generations", "10", "--out", str(Path(folder) / "blog"))
        print(f"nograd train mnist --preset blog, peak memory: {blog[1]:.0f} MB")


if __name__ == "__main__":
    main()
