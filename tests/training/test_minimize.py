"""Any function minimised: the bits of ask and tell, on any number of workers, whatever dies, and after a resumption."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import objectives
import pytest

import nograd as ng
from nograd.core.types import ConfigError, EngineError, NogradError

START = np.zeros(3)
LONG = {"generations": 5000, "population": 8, "sigma": 0.5, "seed": 3, "tolfun": None, "tolx": None}
SMALL = {"generations": 6, "population": 8, "sigma": 0.5, "seed": 3}


def bits(result):
    return result.x.tobytes(), result.fun, result.nfev, result.history["best"].tobytes()


@pytest.fixture(scope="module")
def alone():
    """A search in this process."""
    return ng.minimize(objectives.bowl, START, workers=1, **SMALL)


def test_it_has_the_bits_of_ask_and_tell_in_a_loop(alone):
    with jax.enable_x64(True):
        es = ng.cma_es(8, 0.5)
        ask, tell = jax.jit(es.ask), jax.jit(es.tell)
        state, key, best = es.init((jnp.zeros(3, float),)), jax.random.split(jax.random.key(3), 3)[1], (np.inf, None)
        for _ in range(6):
            (members,) = map(np.asarray, ask(state, key))
            values = np.array([objectives.bowl(x) for x in members])
            best = min(best, (values.min(), values.argmin(), members[values.argmin()].copy()), key=lambda one: one[0])
            state, _ = tell(state, key, -values)
    assert alone.fun == pytest.approx(best[0], rel=1e-12)
    np.testing.assert_allclose(alone.x, best[2], rtol=1e-9)


def test_a_strategy_as_an_object_is_the_one_of_the_word(alone):
    given = {name: value for name, value in SMALL.items() if name not in ("population", "sigma")}
    found = ng.minimize(objectives.bowl, START, strategy=ng.cma_es(8, 0.5), workers=1, **given)
    assert bits(found) == bits(alone)


@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_any_number_of_workers_gives_the_same_bits(workers, tmp_path, monkeypatch):
    """It goes on until all of them have called the function."""
    monkeypatch.setenv("CALLERS", str(tmp_path))
    enough = lambda result: len(list(tmp_path.iterdir())) == workers  # noqa: E731
    found = ng.minimize(objectives.signed_bowl, START, workers=workers, callback=enough, **LONG)
    assert found.status == "callback"
    assert bits(found) == bits(ng.minimize(objectives.bowl, START, workers=1, **{**LONG, "generations": found.nit}))


@pytest.mark.slow
def test_functions_of_any_form_agree(alone):
    """Vectorised, of JAX, in a closure, upwards: the same points but for rounding."""
    centre = objectives.CENTRE
    for found in (
        ng.minimize(objectives.many_bowls, START, vectorized=True, workers=1, **SMALL),
        ng.minimize(objectives.traced_bowl, START, **SMALL),
        ng.maximize(lambda x: -float(((x - centre) ** 2).sum()), START, workers=1, **SMALL),
    ):
        np.testing.assert_allclose(found.x, alone.x, rtol=1e-6)
        assert abs(found.fun) == pytest.approx(alone.fun, rel=1e-6)


@pytest.mark.parametrize("fun", [objectives.bowl, objectives.traced_bowl])
def test_the_value_is_that_of_the_point_also_where_members_do_not_fill_their_chunks(fun):
    for generations in (1, 2, 3):
        found = ng.minimize(fun, START, workers=1, population=17, generations=generations, sigma=0.5, seed=3)
        assert found.fun == pytest.approx(objectives.bowl(found.x), rel=1e-9)


def test_a_worker_that_dies_changes_nothing(tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    monkeypatch.setenv("DEADLY", str(mark))
    monkeypatch.setenv("DRIVER", str(os.getpid()))
    found = ng.minimize(objectives.deadly_bowl, START, workers=2, callback=lambda _: mark.exists(), **LONG)
    assert found.status == "callback"
    assert bits(found) == bits(ng.minimize(objectives.bowl, START, workers=1, **{**LONG, "generations": found.nit}))


@pytest.mark.slow
def test_on_a_cluster_of_ray_it_is_the_same_search(alone):
    ray = pytest.importorskip("ray")
    centre = 0.0  # of a closure, which no module names
    functions = (objectives.bowl, lambda x: objectives.bowl(x) + centre)
    try:
        for fun in functions:
            assert bits(ng.minimize(fun, START, workers=2, engine="ray", **SMALL)) == bits(alone)
    finally:
        ray.shutdown()


def test_resumed_it_is_the_whole_search(alone, tmp_path):
    first = ng.minimize(objectives.bowl, START, workers=1, out=tmp_path / "run", **{**SMALL, "generations": 2})
    assert first.nit == 2
    rest = ng.minimize(objectives.bowl, START, workers=1, resume=tmp_path / "run", **SMALL)
    assert bits(rest) == bits(alone)
    loaded = ng.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.params, alone.x)
    assert loaded.result["test_value"] == alone.fun
    with pytest.raises(NogradError, match="space, name or restarts"):
        ng.minimize(objectives.bowl, START, bounds=(-3, 3), resume=tmp_path / "run", sigma=0.5, population=8, seed=3)


def test_points_without_a_value_are_left_out():
    found = ng.minimize(objectives.holed_bowl, START, workers=1, generations=60, seed=1)
    assert found.fun < 0.05
    assert found.x[0] <= 1
    assert found.x[1] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("centre", [0.3, 2.0])
def test_an_optimum_inside_of_the_bounds_or_at_one_is_found(centre):
    found = ng.minimize(lambda x: jnp.sum((x - centre) ** 2), np.full(4, -0.5), bounds=(-1, 1), seed=2)
    np.testing.assert_allclose(found.x, min(centre, 1.0), atol=1e-4)
    assert np.all(np.abs(found.x) <= 1)


def test_a_noisy_function_is_given_seeds_of_its_own_and_the_same_ones_again():
    seeds = []

    def noisy(x, seed):
        seeds.append(seed)
        return objectives.noisy_bowl(x, seed)

    given = {**SMALL, "noisy": True, "workers": 1}
    first, again = ng.minimize(noisy, START, **given), ng.minimize(objectives.noisy_bowl, START, **given)
    assert bits(first) == bits(again)
    members = seeds[1 : 1 + 6 * 8]  # the first is the trial at the start, the last ones are those of the result
    assert len(set(members)) == len(members)
    assert abs(first.fun - objectives.bowl(first.x)) < 0.15


@pytest.mark.slow
def test_whole_numbers_and_choices_are_searched_too():
    def loss(point):
        return (point["n"] - 7) ** 2 + (point["kind"] != "b") + point["rate"] ** 2

    found = ng.minimize(loss, {"n": ng.integers(0, 9), "kind": ng.choice("a", "b", "c"), "rate": 1.0}, target=1e-4)
    assert (found.x["n"], found.x["kind"], found.status) == (7, "b", "target")
    assert found.success


def _sphere(point):
    return float(np.sum((np.array(point["n"]) - (7, 2, -3)) ** 2) + np.sum((point["x"] - 0.3) ** 2))


def _ellipsoid(point):
    far = np.concatenate([point["x"] - 0.3, np.array(point["n"]) - (7, 2, -3)])
    return float(np.sum(10 ** (6 * np.arange(far.size) / (far.size - 1)) * far**2))


def _ones(point):
    return float(6 - np.sum(point["b"]) + np.sum((point["x"] - 0.3) ** 2))


def _leading_ones(point):
    return float(6 - np.cumprod(point["b"]).sum() + np.sum((point["x"] - 0.3) ** 2))


def _chosen(point):
    return (point["rate"] - 0.1) ** 2 + (point["layers"] - 3) ** 2 + (point["kind"] != "tanh")


def _whole(point):
    return float(np.sum((np.array(point) - (7, 2, -3)) ** 2))


WIDE = [ng.integers(-10, 10) for _ in range(3)]
BITS = {"b": [ng.integers(0, 1, start=0) for _ in range(6)], "x": np.zeros(2)}
MIXED = {
    "SphereInt": (_sphere, {"n": WIDE, "x": np.zeros(3)}),
    "EllipsoidInt": (_ellipsoid, {"n": WIDE, "x": np.zeros(3)}),
    "OneMax": (_ones, BITS),
    "LeadingOnes": (_leading_ones, BITS),
    "a choice": (_chosen, {"rate": 0.5, "layers": ng.integers(1, 8), "kind": ng.choice("relu", "tanh", "gelu")}),
    "whole numbers alone": (_whole, WIDE),
}


@pytest.mark.parametrize("strategy", ["auto", pytest.param("sep-cma-es", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name != "a choice" else []) for name in MIXED]
)
def test_whole_numbers_and_choices_do_not_freeze(name, strategy, request):
    """The optimum is found from every seed with the population that is the default."""
    fun, start = MIXED[name]
    slow = request.node.get_closest_marker("slow") is not None
    for seed in range(12 if slow else 3):
        found = ng.minimize(fun, start, strategy=strategy, workers=1, seed=seed)
        assert found.fun < 1e-6
        assert found.success


def test_a_plateau_of_whole_numbers_is_no_success():
    found = ng.minimize(lambda point: 1.0, [ng.integers(0, 9), 0.5], workers=1)
    assert (found.status, found.success) == ("tolflatfitness", False)


@pytest.mark.slow
def test_a_search_with_whole_numbers_is_resumed_and_restarted_with_the_same_bits(tmp_path):
    fun, start = MIXED["a choice"]
    given = {"workers": 1, "restarts": "bipop", "tolfun": None, "tolx": None}
    whole = ng.minimize(fun, start, evaluations=900, **given)
    ng.minimize(fun, start, evaluations=400, out=tmp_path / "run", **given)
    parts = ng.minimize(fun, start, evaluations=900, resume=tmp_path / "run", **given)
    assert (whole.x, whole.fun, whole.nfev) == (parts.x, parts.fun, parts.nfev)
    np.testing.assert_array_equal(whole.history["sigma"], parts.history["sigma"])


def test_a_callback_sees_each_generation_and_can_end_it():
    seen = []

    def callback(result):
        seen.append((result.nit, result.fun, objectives.bowl(result.x)))
        return len(seen) == 4

    found = ng.minimize(objectives.bowl, START, workers=1, callback=callback, **SMALL)
    assert [nit for nit, _, _ in seen] == [1, 2, 3, 4]
    assert all(fun == pytest.approx(at_x) for _, fun, at_x in seen)
    assert (found.status, found.nit) == ("callback", 4)


@pytest.mark.parametrize(
    ("fun", "words"),
    [
        (3, "fun must be a function, got int"),
        (lambda x: None, "returned None; return one real number"),
        (lambda x: "a", "returned 'a'; return one real number"),
        (lambda x: x, r"returned an array of shape \(3,\)"),
        (lambda x: 1j, "returned 1j"),
        (lambda x: 1 / 0, "fails at x0: ZeroDivisionError: division by zero"),
    ],
)
def test_a_function_that_is_none_is_one_line(fun, words):
    with pytest.raises((ConfigError, EngineError), match=words) as caught:
        ng.minimize(fun, START, generations=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"population": 0}, "--population cannot be 0"),
        ({"generations": 0}, "--generations cannot be 0"),
        ({"strategy": lambda: ng.snes(8, 0.5), "population": 6}, "population is part of the strategy"),
        ({"strategy": lambda: ng.snes(8, 0.5), "sigma": 0.1}, "sigma is part of the strategy"),
        ({"strategy": lambda: ng.snes(8, 0.5), "lr": 0.1}, "lr is part of the strategy"),
        ({"strategy": lambda: ng.openai_es(perturbation=ng.node(0.1, 4))}, "node perturbation needs the network's"),
    ],
)
def test_a_setting_that_would_have_no_effect_is_refused(given, words):
    given = {name: value() if callable(value) else value for name, value in given.items()}
    with pytest.raises(ConfigError, match=words):
        ng.minimize(objectives.bowl, START, workers=1, **given)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_function_that_fails_later_is_one_line_and_loses_nothing(workers, tmp_path):
    with pytest.raises(EngineError, match=r"failing failed: ValueError: no luck"):
        ng.minimize(objectives.failing, START, workers=workers, generations=5, out=tmp_path / "run", population=8)
    assert list((tmp_path / "run").iterdir()) == [] or (tmp_path / "run" / "config.json").exists()


class Locked:
    """A function that cannot be pickled."""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, x):
        with self.lock:
            return objectives.bowl(x)


def test_a_function_that_cannot_be_pickled_runs_in_this_process_alone(alone):
    assert bits(ng.minimize(Locked(), START, workers=1, **SMALL)) == bits(alone)
    with pytest.raises(ConfigError, match=r"cannot be sent to worker processes: .*use workers=1"):
        ng.minimize(Locked(), START, workers=2, **SMALL)


def test_a_function_that_hangs_is_one_line():
    with pytest.raises(EngineError, match=r"the function slow did not return within 0.5 s.*--deadline"):
        ng.minimize(objectives.slow, START, workers=1, generations=5, deadline=0.5)


def test_unknown_words_are_said_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown setting 'learning_rate'; did you mean lr"):
        ng.minimize(objectives.bowl, START, learning_rate=0.1)
    with pytest.raises(ConfigError, match=r"cma-ex"):
        ng.minimize(objectives.bowl, START, strategy="cma-ex")


def test_the_command_line_gives_the_same(alone):
    words = "minimize objectives:bowl --start 0x3 --generations 6 --population 8 --sigma 0.5 --seed 3 --workers 1"
    paths = [str(Path(objectives.__file__).parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "nograd", *words.split(), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["x"] == alone.x.tolist()
    assert found["fun"] == alone.fun


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("minimize objectives:bowl", "--start is missing"),
        ("minimize objectives:bowl --start a,b", "--start must be numbers such as 0,1.5, got 'a'"),
        ("minimize objectives:bowl --start 0,0 --bounds 5", "--bounds cannot be '5'"),
        ("minimize objectives:bowl --start 0,0 --bounds -1,1:0,2:0,3", "3 pairs for 2 elements"),
        ("minimize nowhere:bowl --start 0,0", "cannot import function 'nowhere:bowl'"),
        ("minimize objectives:bowl --start 0,0 --epochs 5", "did you mean --generations?"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(words, said, capsys):
    from nograd.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("argument", "remedy"),
    [("args", "functools.partial"), ("method", "strategy"), ("tol", "tolfun"), ("constraints", "NaN")],
)
def test_arguments_of_scipy_are_refused_before_the_function_is_called(argument: str, remedy: str) -> None:
    def never(x: object, a: object) -> float:
        raise AssertionError("called")

    with pytest.raises(ConfigError, match=f"{argument} is an argument of scipy.*{remedy}"):
        ng.minimize(never, [0.0, 0.0], **{argument: (1.0,)})
