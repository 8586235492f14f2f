"""Test accuracy of the blog's system after 1,000 and after 5,000 generations, for several seeds.

    python benchmarks/blog_accuracy.py
    python benchmarks/blog_accuracy.py --batch-sharing private --generations 1000 --out runs/blog-private

Each run stops at 1,000 generations, is tested, and is resumed to 5,000: bitwise one run of 5,000. A run that is
there already is only read, so the command can be stopped and started again.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

BLOG = {1000: 0.6956, 5000: 0.8767}


def trained(out: Path, seed: int, generations: int, sharing: str) -> dict:
    """The result of the seed's run after this many generations, training what is missing."""
    kept = out / f"seed-{seed}-after-{generations}.json"
    if not kept.exists():
        run = out / f"seed-{seed}"
        where = ["--resume", run] if (run / "config.json").exists() else ["mnist", "--preset", "blog", "--out", run]
        command = ["nograd", "train", *where, "--generations", generations]
        if "--resume" not in where:
            command += ["--seed", seed, "--batch-sharing", sharing]
        subprocess.run([sys.executable, "-m", *map(str, command)], check=True)
        kept.write_text((run / "result.json").read_text())
    return json.loads(kept.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--generations", type=int, nargs="+", default=list(BLOG), choices=list(BLOG))
    parser.add_argument("--batch-sharing", default="shared", choices=["shared", "private"])
    parser.add_argument("--out", type=Path, default=Path("runs/blog"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for generations in sorted(arguments.generations):
        results = [trained(arguments.out, seed, generations, arguments.batch_sharing) for seed in arguments.seeds]
        scores = [result["test_accuracy"] for result in results]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        print(
            f"{generations:,} generations: {' '.join(f'{score:.2%}' for score in scores)}, "
            f"mean {statistics.mean(scores):.2%} ± {spread:.2%}; the blog {BLOG[generations]:.2%}"
        )


if __name__ == "__main__":
    main()
