"""Several machines on one study, in a PostgreSQL server that the test starts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import postgres

from nograd.tuning.open_study import OpenStudy, open_or_make
from nograd.tuning.settings import SearchConfig
from nograd.tuning.study.database import closed_after
from nograd.tuning.study.location import place_of
from nograd.tuning.study.read import BEGIN, load_study, open_study
from nograd.tuning.study.records import Study
from nograd.tuning.study.write import StudyWriter

pytestmark = pytest.mark.slow
TRIALS = 12
WORK = {"task": "digits", "model": "mlp:4", "generations": 400, "eval_every": 200, "seed": 3}
SPACE = ("population=choice(8,16)", "batch=fixed(16)", "lr", "sigma", "optimizer", "momentum")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as url:
        yield url


def new_study(out: Path, **storage: str) -> OpenStudy:
    flags = SearchConfig(**WORK, search=SPACE, trials=TRIALS, confirm=1, out=str(out), **storage)
    return open_or_make(flags)


def joined(url: str, name: str, folder: Path) -> subprocess.Popen:
    """A command of another machine, as far as a folder of its own can be one."""
    words = ["search", "--storage", url, "--join", name, "--workers", "1", "--out", str(folder)]
    return subprocess.Popen(
        [sys.executable, "-m", "nograd", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "NPROC": "1"},
    )  # fmt: skip


def drawn_alone(opened: OpenStudy) -> list[dict[str, object]]:
    """The settings of all trials as one process draws them, one after the other, without training."""
    writer = StudyWriter(opened.place, opened.space, opened.base, opened.terms, 0.0)
    drawn = [writer.ask("0")[1] for _ in range(TRIALS)]
    writer.close()
    return drawn


def workers_of(study: Study) -> set[str]:
    """The invocations that trials were run by."""
    opened = open_study(place_of(study.path))
    with closed_after(opened._storage):
        return {trial.user_attrs[BEGIN]["session"] for trial in opened.get_trials()}


def test_two_machines_on_one_postgresql_database_are_one_search(url, tmp_path):
    new_study(tmp_path / "shared", storage=url)
    commands = [joined(url, "shared", tmp_path / name) for name in ("a", "b")]
    said = [command.communicate(timeout=300) for command in commands]
    assert [command.returncode for command in commands] == [0, 0], said
    study = load_study(tmp_path / "a")
    assert load_study(tmp_path / "b").trials == study.trials
    assert len(workers_of(study)) == 2, "one command did everything"
    # Every trial once, to its end, and each is what trial k of any other study with this seed is.
    assert [trial.number for trial in study.trials] == list(range(TRIALS))
    assert {(trial.state, trial.reason) for trial in study.trials} == {("complete", "generations")}
    assert [trial.settings for trial in study.trials] == drawn_alone(new_study(tmp_path / "sqlite"))
    assert study.winner is not None
    assert len(study.winner.test_scores) == 1


def test_a_server_that_is_gone_is_one_line(tmp_path):
    with postgres() as url:
        new_study(tmp_path / "s", storage=url)
    command = joined(url, "s", tmp_path / "s")
    _, error = command.communicate(timeout=120)
    assert command.returncode == 2
    assert error.startswith("nograd: cannot use the study's database postgresql+psycopg://")
    assert error.count("\n") == 1
