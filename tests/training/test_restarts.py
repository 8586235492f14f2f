"""Searches that begin again: the same bits on any number of workers, and from whichever generation they are resumed."""

import shutil

import jax.numpy as jnp
import numpy as np
import objectives
import pytest

import nograd as ng
from nograd.core.types import ConfigError, NogradError
from nograd.engines import programs
from nograd.engines.pool import Pool
from nograd.engines.process_handle import Child

START = np.full(2, 2.2)
SEARCH = {"bounds": (-5, 5), "seed": 2, "population": 4, "evaluations": 700, "tolfun": 1e-2, "tolx": 1e-2}


def bits(result):
    curves = [result.history[name].tobytes() for name in ("best", "mean", "sigma", "evaluations")]
    return result.x.tobytes(), result.fun, result.nfev, result.restarts, result.status, *curves


def search(word, **settings):
    return ng.minimize(objectives.rastrigin, START, restarts=word, **{"workers": 1, **SEARCH, **settings})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search of some rounds, with a checkpoint of each generation."""
    out = tmp_path_factory.mktemp("whole") / "run"
    found = search("bipop", out=out, checkpoint_every=1, keep_checkpoints=1000)
    assert found.restarts >= 4
    assert found.status == "evaluations"
    return found


def test_evaluations_grow_by_the_population_of_the_round(whole):
    lines, steps = whole.run.metrics, np.diff(whole.history["evaluations"], prepend=0)
    of_round = [{int(step) for step, line in zip(steps, lines, strict=True) if line["restart"] == number}
                for number in range(whole.restarts + 1)]  # fmt: skip
    assert all(len(populations) == 1 for populations in of_round)
    assert of_round[:2] == [{4}, {8}]


def test_the_best_of_all_rounds_is_kept(whole):
    assert np.all(np.diff(whole.history["best"]) <= 0)
    assert whole.fun == objectives.rastrigin(whole.x) == whole.history["best"][-1]


SLOW = pytest.mark.slow
MOMENTS = ["end of a round", pytest.param("begin", marks=SLOW), pytest.param("last", marks=SLOW), "middle"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_resumed_at_the_end_of_a_round_or_within_one_it_is_the_whole_search(whole, moment, tmp_path):
    """The last generation of a round is the moment at which the next one is due, and nothing on disk says so."""
    lines = whole.run.metrics
    first = [line["generation"] for line, before in zip(lines[1:], lines, strict=False)
             if line["restart"] != before["restart"]]  # fmt: skip
    moments = {"end of a round": first[1] - 1, "begin": first[1], "last": first[-1] + 1, "middle": len(lines) // 2}
    shutil.copytree(whole.run.path, tmp_path / "copy")
    checkpoints = (tmp_path / "copy" / "checkpoints").iterdir()
    checkpoint = next(path for path in checkpoints if f"{moments[moment]:08d}" in path.name)
    assert bits(search("bipop", resume=checkpoint)) == bits(whole)


def test_two_workers_and_no_directory_give_the_same_bits(whole):
    assert bits(search("bipop", workers=2)) == bits(whole)


def test_ipop_finds_what_one_search_misses():
    one = ng.minimize(objectives.traced_rastrigin, START, bounds=(-5, 5), seed=3, target=1e-6)
    found = ng.minimize(objectives.traced_rastrigin, START, bounds=(-5, 5), seed=3, target=1e-6, restarts="ipop")
    assert (one.status, found.status) == ("tolfun", "target")
    assert one.fun > 0.5


def test_other_restarts_than_the_runs_are_refused(whole, tmp_path):
    shutil.copytree(whole.run.path, tmp_path / "run")
    with pytest.raises(NogradError, match="space, name or restarts of rastrigin"):
        search("ipop", resume=tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"restarts": "bi"}, "restarts must be one of none, ipop, bipop"),
        ({"restarts": "ipop", "strategy": ng.cma_es(6)}, "give it as a word"),
        ({"restarts": "ipop", "noisy": True}, "use restarts='none'"),
    ],
)
def test_what_cannot_be_is_one_line(settings, says):
    fun = objectives.noisy_bowl if "noisy" in settings else objectives.bowl
    with pytest.raises(ConfigError, match=says):
        ng.minimize(fun, np.zeros(3), **settings)


def flat_valley(x):
    return jnp.sum(10.0 ** (jnp.arange(x.size) * 9) * x**2)


@pytest.mark.parametrize(
    ("fun", "settings", "status"),
    [
        (lambda x: x[0], {"sigma": 1e-3, "tolfun": None}, "tolfacupx"),
        (flat_valley, {"tolfun": None, "tolx": None, "generations": 20_000}, "conditioncov"),
        (lambda x: jnp.sum(jnp.sin(1e9 * x)), {"bounds": (-1, 1), "tolfun": None, "strategy": "snes",
                                               "generations": 2000}, "stagnation"),
    ],
    ids=["tolfacupx", "conditioncov", "stagnation"],
)  # fmt: skip
def test_each_sign_that_nothing_more_is_to_be_found(fun, settings, status):
    assert ng.minimize(fun, np.ones(3), seed=1, **settings).status == status


@pytest.mark.parametrize("fun", [objectives.rastrigin, pytest.param(objectives.traced_rastrigin, marks=SLOW)])
def test_the_workers_of_one_round_do_the_next_ones_too(fun, whole, monkeypatch):
    """Processes are started once a search, and programs are compiled once a population."""
    started, compiled = [], []
    begin, load = Child._start, programs.loaded
    monkeypatch.setattr(Child, "_start", lambda self: (started.append(self.number), begin(self))[1])
    monkeypatch.setattr(programs, "loaded", lambda *given: (compiled.append(given[0]), load(*given))[1])
    monkeypatch.setattr(Pool, "_free", waited_for(Pool._free))
    found = ng.minimize(fun, START, restarts="bipop", workers=2, **SEARCH)
    assert found.restarts >= 4
    assert started == [1]
    assert len(compiled) == len(set(compiled))
    if fun is objectives.rastrigin:
        assert bits(found) == bits(whole)


def waited_for(free):
    """A function that waits until all workers have started, so that they take part in each generation."""

    def all_of_them(self, most):
        self.wait_until_ready()
        return free(self, most)

    return all_of_them


@pytest.mark.parametrize("fun", [objectives.rastrigin, pytest.param(objectives.traced_rastrigin, marks=SLOW)])
def test_a_second_search_of_the_same_function_compiles_nothing(fun, monkeypatch):
    search = lambda: ng.minimize(fun, START, restarts="bipop", workers=1, **SEARCH)  # noqa: E731
    first = search()
    monkeypatch.setattr(programs, "loaded", None)
    assert bits(search()) == bits(first)
