"""Five times `kill -9` cost a budget nothing: what a command was at work counts, from the start of its interpreter."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nograd.tuning.study.lifetime import left_behind
from nograd.tuning.study.read import load_study

# What `nograd search` does on a study that exists, up to the import of JAX, which takes as long as it takes.
BEGINS = """
import time
started = time.perf_counter()
import sys
from pathlib import Path
from nograd.tuning.study.lifetime import Lifetime, before_main
Lifetime(time.monotonic() - (time.perf_counter() - started) - before_main(started)).keep_in(Path(sys.argv[1]))
print("kept", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="nobody tells when a process was started")
def test_what_killed_commands_were_at_work_is_known_to_a_fraction_of_a_second(tmp_path):
    draw, wall = random.Random(0), 0.0
    for _ in range(5):
        start = time.monotonic()
        process = subprocess.Popen([sys.executable, "-c", BEGINS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "kept\n"
        time.sleep(draw.uniform(0.0, 1.0))
        process.kill()
        process.communicate()
        wall += time.monotonic() - start
    known = [session.last for _, _, session in left_behind(tmp_path)]
    assert len(known) == 5
    assert wall - 5.0 < sum(known) < wall + 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_budget_holds_over_five_kills(tmp_path, monkeypatch, seed):
    """From the start of the first command to the end of the last, less what lies between one and the next."""
    monkeypatch.chdir(tmp_path)
    budget, draw, wall = 150, random.Random(seed), 0.0
    words = f"digits --model mlp:4 --generations 200 --eval-every 5 --budget {budget}s --confirm 2 --out s"
    search = [sys.executable, "-m", "nograd", "search", *words.split(), "--search", "population=choice(8,16)"]
    for kill in range(6):
        start = time.monotonic()
        process = subprocess.Popen(search, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if kill < 5:
            while kill == 0 and not Path("s/study.json").exists():
                time.sleep(0.02)  # there is no budget before there is a study
            time.sleep(draw.uniform(0.0, 15.0))
            process.kill()
        said, _ = process.communicate(timeout=600)
        wall += time.monotonic() - start
        assert process.returncode == (-9 if kill < 5 else 0), said
    study = load_study("s")
    assert abs(wall - budget) < 5, said
    assert abs(study.spent_seconds - budget) < 5
    assert study.winner is not None
    assert study.winner.seeds, said
