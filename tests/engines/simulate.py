"""Simulated trainings: one with its history, or thousands.

python tests/engines/simulate.py --seed 17 --engine ray-scalars
python tests/engines/simulate.py --seeds 5000 --wide              # of each engine
"""

import argparse
import os
import sys
import time
from pathlib import Path
from zlib import crc32

os.environ.setdefault("NPROC", "1")  # before JAX starts
sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from simulation import ENGINES, drawn, simulate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int)
    which.add_argument("--seeds", type=int, help="as many, from 0 on")
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--wide", action="store_true", help="draw from all trainings, as the slow tests do")
    given = parser.parse_args()
    engines = (given.engine,) if given.engine else ENGINES
    return many(range(given.seeds), engines, given.wide) if given.seeds else one(given.seed, engines[0], given.wide)


def one(seed: int, engine: str, wide: bool) -> int:
    """One seed with its history."""
    wrong, history = simulate(seed, engine, wide)
    print("\n".join(history))
    print(f"wrong: {wrong}" if wrong else "bit for bit the inline engine's")
    return 1 if wrong else 0


def many(seeds: range, engines: tuple[str, ...], wide: bool) -> int:
    """All of them, one training after the other, so that each is compiled once; failures are told as they come.

    The trainings are in no order, so that what is done of them at any time is a fair part.
    """
    start, wrong = time.monotonic(), dict.fromkeys(engines, 0)
    work = [(drawn(seed, engine, wide), engine, seed) for engine in engines for seed in seeds]
    work.sort(key=lambda one: (crc32(one[0].encode()), one))
    for done, (name, engine, seed) in enumerate(work, 1):
        if said := simulate(seed, engine, wide)[0]:
            wrong[engine] += 1
            print(f"--seed {seed} --engine {engine}: {name}: {said}", flush=True)
        if done == len(work) or work[done][0] != name:
            print(f"{done:,} of {len(work):,} after {time.monotonic() - start:.0f} s: {name}", flush=True)
    for engine, count in wrong.items():
        print(f"{engine}: {len(seeds) - count:,} of {len(seeds):,} equal")
    print(f"{len({name for name, _, _ in work})} trainings")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
