"""Replays one simulated training, with its history: python tests/engines/simulate.py --seed 17 --engine ray-scalars"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("NPROC", "1")  # before JAX starts
sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from simulation import ENGINES, simulate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--engine", choices=ENGINES, default="process")
    parser.add_argument("--wide", action="store_true", help="draw from all trainings, as the slow tests do")
    arguments = parser.parse_args()
    wrong, history = simulate(arguments.seed, arguments.engine, arguments.wide)
    print("\n".join(history))
    print(f"wrong: {wrong}" if wrong else "bit for bit the inline engine's")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
