"""A file is the same data set in any process: neither hashes of text nor the number of threads decide an order."""

import os
import subprocess
import sys

import numpy as np
import pytest

READ = """
import json, sys
from nograd.data import account_lines, checksum, load
for problem in ("classification", "auto"):
    data = load(sys.argv[1], label="y", problem=problem)
    print(checksum(data), json.dumps([data.target.to_json(), data.encoding.to_json()]), account_lines(data))
"""
NAMES = ("a1", "a01", "a001", "A1", "10", "010", "x", "X", "é", "B2", "b02", "yes", "no")


def written(path, seed):
    """A table of columns whose levels differ in little."""
    rng = np.random.default_rng(seed)
    header = ["y", *(f"c{k}" for k in range(4)), "n", "day"]
    rows = [[*rng.choice(NAMES, 5), rng.integers(0, 9), f"2024-01-{1 + k % 28:02d}"] for k in range(120)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_read_to_the_same_bits(tmp_path, seed):
    written(tmp_path / "t.csv", seed)
    read = [
        subprocess.run(
            [sys.executable, "-c", READ, str(tmp_path / "t.csv")],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "POLARS_MAX_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed, threads in (("1", "1"), ("2", "2"))
    ]
    assert read[0] == read[1]
    assert read[0].count("\n") == 2
