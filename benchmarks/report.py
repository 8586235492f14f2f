"""Seconds and megabytes of the pages: of a study of 500 trials, of one of 5,000, and of a long run.

python benchmarks/report.py

The first page of a process starts the chart library (V8); the first one of a machine bundles the script of the charts
besides. Each is timed in a process of its own, with the import of all that it needs.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests" / "support"
STUDY = """
import sys, time
start = time.perf_counter()
sys.path.insert(0, {tests!r})
from studies import make_statistics, make_study
study = make_study({trials})
statistics = make_statistics(study)
made = time.perf_counter()
from nograd.reports.study import study_page
page = study_page(study, statistics)
"""
RUN = """
import time
made = time.perf_counter()
import nograd as ng
page = ng.report({path!r}).read_text()
"""
SHOW = """
print(f"{{time.perf_counter() - made:.2f}} s, {{len(page.encode()) / 1e6:.2f}} MB")
"""


def timed(name: str, code: str, cache: str, **values: object) -> None:
    """Prints the seconds and the size of one page, made by a process of its own."""
    import os

    text = (code + SHOW).format(**values)
    environment = {**os.environ, "XDG_CACHE_HOME": cache, "NPROC": "1"}
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    print(f"{name}: {done.stdout.strip()}", flush=True)


def main() -> None:
    """All of them, the first one with an empty cache."""
    import nograd as ng

    with tempfile.TemporaryDirectory() as folder:
        for name, trials in (("500 trials, the first page ever", 500), ("500 trials", 500), ("5,000 trials", 5000)):
            timed(f"study of {name}", STUDY, folder, tests=str(TESTS), trials=trials)
        ng.train("digits", model="mlp:32", generations=5000, eval_every=50, out=f"{folder}/run")
        timed("run of 5,000 generations", RUN, folder, path=f"{folder}/run")


if __name__ == "__main__":
    main()
