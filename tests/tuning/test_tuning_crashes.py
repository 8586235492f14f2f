"""A search that dies at any change of what is on disk goes on by the same command, and loses no more than it must."""

import json
import random

import pytest
from study_crashes import Disk, Story, command

from nograd.tuning.confirm import best_trial
from nograd.tuning.study.lifetime import left_behind
from nograd.tuning.study.read import LOST, load_study
from nograd.tuning.study.write import counts

TRIALS, SEEDS = 3, 2


def flags_of(path):
    drawn = ("lr=uniform(0.1,0.9)",)
    terms = {"trials": TRIALS, "confirm": SEEDS, "workers": "2", "space": "only", "search": drawn}
    return {"task": "digits", "model": "mlp:4", "generations": 10, "eval_every": 5, "out": str(path), **terms}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The search that nobody has disturbed, and how many changes it makes."""
    path, disk = tmp_path_factory.mktemp("studies") / "whole", Disk()
    assert command(flags_of(path), disk, Story())
    return load_study(path), disk.count


def check(path, whole, story, crashes):
    """What must hold of a study that was gone on with to its end."""
    study = load_study(path)
    assert sum(map(counts, study.trials)) == TRIALS
    assert [trial.state for trial in study.trials].count("complete") == TRIALS
    lost = [trial for trial in study.trials if trial.state != "complete"]
    assert all((trial.state, trial.reason) == ("failed", LOST) for trial in lost)
    assert len(lost) <= 2 * crashes  # those that were on the two workers
    for trial, other in zip(study.trials, whole.trials, strict=False):
        assert trial.settings in (other.settings, {})  # by its number, whoever drew it; one that was not drawn has none
    # What was written down is there, and was not done again.
    assert {tag for test, tag in story.written if not test} <= {t.number for t in study.trials if t.state == "complete"}
    assert len(story.written) == len(set(story.written))
    assert study.winner.trial == best_trial(study).number
    assert len(study.winner.seeds) == SEEDS
    assert study.winner.test_scores == [best_trial(study).value] * SEEDS
    check_files(path)


def check_files(path):
    """All that a study leaves is whole, and nothing else is left."""
    json.loads((path / "statistics.json").read_text())
    assert "[about]" in (path / "best.toml").read_text()
    names = {file.name for file in path.iterdir()}
    assert names == {"study.json", "study.db", "statistics.json", "best.toml"}
    assert not list(left_behind(path))


def crashed(path, whole, points):
    """Commands that die at these changes, one after the other, and one that comes to its end."""
    story = Story()
    for at in points:
        command(flags_of(path), Disk(at), story)
    assert command(flags_of(path), Disk(), story)
    check(path, whole[0], story, len(points))


def test_a_crash_at_some_changes(whole, tmp_path):
    draw = random.Random(0)
    for at in draw.sample(range(whole[1]), 6):
        crashed(tmp_path / str(at), whole, [at])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_a_crash_at_any_change(whole, tmp_path, part):
    for at in range(part, whole[1], 8):
        crashed(tmp_path / str(at), whole, [at])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_crash_upon_crash(whole, tmp_path, seed):
    draw = random.Random(seed)
    crashed(tmp_path / "s", whole, [draw.randrange(whole[1]) for _ in range(draw.randint(2, 4))])
