"""`nograd speedup`: its arithmetic on times whose truth is known, its checks, and the command itself."""

import io
import json
import math
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from measurements import COUNTS, measurement, synthetic
from rich.console import Console
from scipy import stats

from nograd.cli.main import main
from nograd.config.settings import TrainConfig
from nograd.core.grid import show
from nograd.core.intervals import student
from nograd.core.types import ConfigError, EngineError
from nograd.engines import local as choose
from nograd.scaling import intervals
from nograd.scaling import laws as scaling
from nograd.scaling import measure as measuring
from nograd.scaling.figures import strong_figures, weak_figures
from nograd.scaling.measure import Measurement, Setup, Timing, check_results, digest
from nograd.scaling.plot import draw
from nograd.scaling.settings import SpeedupConfig, asked_workers, auto_workers, training
from nograd.scaling.speedup import _on_cluster
from nograd.scaling.table import parts

pytestmark = pytest.mark.slow  # minutes in all: before a release

# Intervals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 10, 31])
def test_student_is_scipys(degrees):
    for confidence in (0.5, 0.95, 0.999):
        wanted = stats.t.ppf((1 + confidence) / 2, degrees)
        assert student(degrees, confidence) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("count", [2, 5, 6, 9, 20])
def test_the_median_interval_covers_as_often_as_it_says(count):
    rng, trials = np.random.default_rng(count), 4000
    # Skewed values with median 1: the claim holds for any distribution.
    found = [intervals.summary(np.exp(rng.normal(size=count) * 2)) for _ in range(trials)]
    rate = np.mean([low <= 1 <= high for _, low, high in found])
    claim = intervals.coverage(count)
    assert abs(rate - claim) < 4 * math.sqrt(claim * (1 - claim) / trials)
    assert (claim >= 0.95) == (count >= 6)


def test_a_single_value_has_no_spread():
    assert intervals.summary([3.0]) == (3.0, 3.0, 3.0)
    assert intervals.coverage(1) == 0
    assert math.isnan(intervals.standard_error([3.0]))
    assert student(0) == math.inf


# The laws ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("serial", [0.0, 0.001, 0.1, 0.7, 1.0])
def test_without_noise_every_estimate_is_exact(serial):
    ratios = scaling.speedups(synthetic(np.random.default_rng(0), serial, noise=0, drift=0))
    fit = scaling.amdahl(COUNTS, ratios)
    assert fit.serial_fraction == pytest.approx(serial, abs=1e-12)
    assert fit.standard_error < 1e-12
    for workers, ratio in zip(COUNTS[1:], ratios[0, 1:], strict=True):
        assert scaling.karp_flatt(workers, ratio).value == pytest.approx(serial, abs=1e-12)
        assert scaling.law(serial, workers) == pytest.approx(ratio)
    # One round alone has its deviations from the line for an error, and there are none.
    assert scaling.amdahl(COUNTS, ratios[0]).standard_error == pytest.approx(0, abs=1e-12)


def test_drift_of_the_machine_cancels_within_a_round():
    times = synthetic(np.random.default_rng(1), 0.05, noise=0, drift=0.5)
    assert np.ptp(times[:, 0]) > 0.5
    assert scaling.amdahl(COUNTS, scaling.speedups(times)).serial_fraction == pytest.approx(0.05, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_the_serial_fraction_is_recovered_within_its_error(seed):
    fit = scaling.amdahl(COUNTS, scaling.speedups(synthetic(np.random.default_rng(seed), 0.03)))
    assert 0 < fit.standard_error < 0.02
    assert abs(fit.serial_fraction - 0.03) < 5 * fit.standard_error


@pytest.mark.parametrize("workers", [(1, 2), pytest.param((1, 2, 4, 8), marks=pytest.mark.slow)])
def test_the_projections_intervals_cover_the_truth_as_often_as_they_say(workers):
    rng, serial, trials = np.random.default_rng(2), 0.03, 1500
    truth = float(scaling.law(serial, 1440))
    hits = []
    for _ in range(trials):
        times = synthetic(rng, serial, workers, drift=0.0)
        found = scaling.projection(scaling.amdahl(workers, scaling.speedups(times)), 1440, times[:, 0])
        hits.append(
            (
                found.speedup.low <= truth <= found.speedup.high,
                found.seconds.low <= 2.0 / truth <= found.seconds.high,
            )
        )
    # Several counts test the law itself, and the error is only ever widened for that.
    most = 0.97 if len(workers) == 2 else 1.0
    for rate in np.mean(hits, axis=0):
        assert 0.93 < rate < most


def test_an_overhead_that_grows_shows_as_misfit_and_widens_the_error():
    rng = np.random.default_rng(3)
    lawful = synthetic(rng, 0.02, drift=0)
    fits = [scaling.amdahl(COUNTS, scaling.speedups(times)) for times in (lawful, lawful + 0.05 * (COUNTS - 1))]
    assert fits[0].misfit < 5 < 20 < fits[1].misfit
    scatter = intervals.standard_error(fits[1].by_round)
    assert fits[1].standard_error == pytest.approx(scatter * math.sqrt(fits[1].misfit))
    found = [scaling.karp_flatt(p, 2 / (2 * (0.02 + 0.98 / p) + 0.05 * (p - 1))).value for p in COUNTS[1:]]
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


def test_faster_than_ideal_is_a_negative_fraction_and_an_ideal_projection():
    fit = scaling.amdahl([1, 2], [[1.0, 2.2], [1.0, 2.3], [1.0, 2.25]])
    assert fit.serial_fraction < 0
    assert scaling.karp_flatt(2, 2.2).value < 0
    found = scaling.projection(fit, 1440, [1.0, 1.1, 1.05])
    assert found.speedup.value == found.speedup.high == 1440
    assert found.seconds.low == found.seconds.value == pytest.approx(1.05 / 1440)


def test_slower_with_more_workers_stays_slower_in_the_projection():
    fit = scaling.amdahl([1, 2], [[1.0, 0.8], [1.0, 0.9]])
    assert fit.serial_fraction > 1
    assert scaling.projection(fit, 16, [1.0, 1.0]).speedup.value < 1


def test_one_worker_alone_has_no_law():
    for measured in ([[1.0], [1.0]], [1.0]):
        fit = scaling.amdahl([1], measured)
        assert math.isnan(fit.serial_fraction)
        assert fit.degrees == 0
    assert math.isnan(scaling.karp_flatt(1, 1.0).value)
    assert math.isnan(scaling.gustafson(1, 1.0).value)
    # One round of one count fixes the line, and nothing says how well.
    fit = scaling.amdahl([1, 2], [1.0, 1.6])
    assert fit.serial_fraction == pytest.approx(0.25)
    low, high = (float(end) for end in scaling.band(fit, 4)[1:])
    assert (low, high) == pytest.approx((0, 4))
    assert scaling.projection(fit, 4, [1.0]).seconds.high == math.inf


def test_errors_of_karp_flatt_and_gustafson_are_their_slopes():
    step = 1e-6
    for law in (scaling.karp_flatt, scaling.gustafson):
        slope = abs(law(4, 3 + step).value - law(4, 3 - step).value) / (2 * step)
        assert law(4, 3.0, 0.1).standard_error == pytest.approx(0.1 * slope, rel=1e-6)


def test_gustafson_of_perfect_and_of_no_scaling():
    assert scaling.gustafson(8, 8.0).value == 0
    assert scaling.gustafson(8, 1.0).value == 1


# Figures -------------------------------------------------------------------------------------------------


def test_oversubscribed_counts_are_shown_and_not_fitted():
    times = synthetic(np.random.default_rng(0), 0.1, noise=0, drift=0)
    times[:, 2:] *= 3  # what a core shared by several workers does
    found = strong_figures(measurement(times), cores=2)
    assert [row["oversubscribed"] for row in found["rows"]] == [False, False, True, True]
    assert found["amdahl"]["serial_fraction"] == pytest.approx(0.1)
    none = strong_figures(measurement(times), cores=1)
    assert (none["amdahl"], none["projection"]) == (None, [])


def test_weak_figures_of_known_times():
    found = weak_figures(measurement([[1.0, 1.25]] * 3, (1, 2)), [64, 128], cores=2)["rows"][1]
    assert found["efficiency"]["median"] == pytest.approx(0.8)
    assert found["speedup"]["median"] == pytest.approx(1.6)
    assert found["gustafson"]["value"] == pytest.approx(0.4)
    assert found["population"] == 128


def test_figures_are_json_without_nan():
    for rounds in (1, 2):
        times = synthetic(np.random.default_rng(0), 0.1, (1, 2), rounds)
        json.dumps(strong_figures(measurement(times, (1, 2)), cores=2), allow_nan=False)


# Measuring -----------------------------------------------------------------------------------------------


class FakeEngine:
    """Notes who was timed when; its workers need not exist."""

    def __init__(self, workers, log):
        self.workers, self.log = workers, log
        self.seconds = {"evaluate": 0.0, "update": 0.0}
        self.bytes_up = self.bytes_down = 0

    def wait_until_ready(self):
        pass

    def step(self, state):
        self.log.append(self.workers)
        self.seconds["evaluate"] += 1e-6
        return SimpleNamespace(params=[state.params[0] + 1]), None

    def close(self):
        self.log.append("closed")


def test_worker_counts_take_turns_and_the_order_alternates(monkeypatch):
    log = []
    make = lambda generation, shapes, keys, name, workers, *more: FakeEngine(int(workers), log)  # noqa: E731
    monkeypatch.setattr(measuring, "make_engine", make)
    monkeypatch.setattr(measuring, "_CALM", 0.0)
    job = SimpleNamespace(
        config=TrainConfig(),
        generation=None,
        keys=None,
        state_shapes=lambda: None,
        init_state=lambda: SimpleNamespace(params=[np.zeros(2)]),
    )
    found = measuring.measure([Setup(1, job), Setup(2, job)], 3, 2, lambda line: None)
    # Each timing is one generation that does not count, then two.
    assert log == [1, 1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 2, 2, 2, "closed", "closed"]
    assert found.times.shape == (3, 2)
    assert found.timings[0][0].digest == digest([np.full(2, 2.0)])


def test_unequal_results_are_no_speedup():
    job, other = object(), object()
    turn = tuple(Timing(1.0, {}, 0, 0, text) for text in ("aaaa", "bbbb"))
    unequal = Measurement((1, 2), 3, (turn,))
    with pytest.raises(EngineError, match="aaaa on 1 workers and bbbb on 2"):
        check_results([Setup(1, job), Setup(2, job)], unequal)
    check_results([Setup(1, job), Setup(2, other)], unequal)  # weak scaling: other work, other result
    with pytest.raises(EngineError, match="not equal work"):  # but each the same in all rounds
        check_results([Setup(1, job), Setup(2, other)], Measurement((1, 2), 3, (turn, turn[::-1])))


def test_the_digest_sees_every_bit():
    params = {"w": jnp.arange(6.0), "b": jnp.zeros(2)}
    changed = {**params, "b": jnp.array([0.0, np.nextafter(np.float32(0), np.float32(1))])}
    assert digest(params) == digest(dict(params))
    assert digest(params) != digest(changed)
    assert digest(params) != digest({**params, "b": -params["b"]})  # -0.0


def test_counts_fit_on_a_cluster_together():
    """Each count keeps its actors, all but the first process, to take turns with the others."""
    assert _on_cluster([1, 2, 4, 8], 16, "auto") == [1, 2, 4, 8]
    assert _on_cluster([1, 2, 4, 8], 8, "auto") == [1, 2, 4]
    assert _on_cluster([1, 8], 8, "1,8") == [1, 8]
    with pytest.raises(ConfigError, match=r"need 11 cores together, and it has 8; use --workers 1,8"):
        _on_cluster([1, 2, 4, 8], 8, "1,2,4,8")


# Settings ------------------------------------------------------------------------------------------------


def test_worker_counts_from_words():
    assert asked_workers("auto") is None
    assert asked_workers("4, 2,2") == [1, 2, 4]
    assert [auto_workers(cores) for cores in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_the_work_is_the_recipes_with_the_flags_over_it():
    assert training(SpeedupConfig("digits")).model == "mlp:32"
    assert training(SpeedupConfig(preset="blog")).task == "mnist"
    train = training(SpeedupConfig("digits", preset="blog", population=20, seed=3))
    assert (train.task, train.population, train.seed, train.batch) == ("digits", 20, 3, 128)
    with pytest.raises(ConfigError, match="use 10: members come in mirrored pairs"):
        training(SpeedupConfig("digits", population=9))


# The command ---------------------------------------------------------------------------------------------

QUICK = ["digits", "--model", "mlp:4", "--population", "32", "--batch", "16", "--generations", "3", "--rounds", "2"]
WORK = {"task": "t", "model": "m", "perturbation": "dense", "parameters": 9, "population": 8, "batch": 4}
WORK |= {"chunks": 8, "seed": 0, "cores": 2, "rounds": 5, "generations": 3, "median_coverage": 0.94, "weak": None}
ROW = {"workers", "oversubscribed", "seconds", "speedup", "efficiency", "where", "bytes_up", "bytes_down"}


@pytest.fixture
def nograd(capsys, tmp_path, monkeypatch):
    """Runs `nograd speedup` in an empty folder, on two cores that may be one; returns (code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose, "core_count", lambda: 2)

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["speedup", *map(str, arguments)])
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return run


@pytest.mark.slow
def test_the_command_prints_tables_and_draws_a_picture(nograd):
    code, out, error = nograd(*QUICK, "--workers", "1,2", "--out", "figures")
    assert (code, error) == (0, "")
    for title in ("Strong scaling", "Where the time", "Amdahl's law", "PROJECTION", "NOT measured", "Weak scaling"):
        assert title in out
    assert re.search(r"1,440 │", out)
    assert "oversubscribed" not in out
    assert Path("figures/speedup.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads(Path("figures/speedup.json").read_text())
    assert [row["population"] for row in figures["weak"]["rows"]] == [32, 64]
    assert len({row["parameters_sha256"] for row in figures["strong"]["rows"]}) == 1
    assert len({row["parameters_sha256"] for row in figures["weak"]["rows"]}) == 2


def test_the_table_and_the_picture_mark_oversubscribed_counts():
    for cores in (1, 2):
        figures = WORK | {"strong": strong_figures(measurement(synthetic(np.random.default_rng(0), 0.1)), cores)}
        stream = io.StringIO()
        show(parts(figures), Console(file=stream, width=140))
        assert "8* │" in stream.getvalue()
        assert "* oversubscribed: more workers than the 2 cores" in stream.getvalue()
        assert ("not fitted" in stream.getvalue()) == (cores == 1)
        assert draw(figures).startswith(b"\x89PNG")


def test_a_restless_machine_is_told():
    for noise in (0.01, 0.5):
        times = synthetic(np.random.default_rng(0), 0.1, noise=noise)
        stream = io.StringIO()
        show(parts(WORK | {"strong": strong_figures(measurement(times), 8)}), Console(file=stream, width=140))
        assert ("something else ran on these cores" in stream.getvalue()) == (noise == 0.5)


@pytest.mark.slow
def test_the_command_prints_json_alone(nograd):
    code, out, error = nograd(*QUICK, "--workers", "2", "--no-weak", "--json")
    assert code == 0
    assert error == "task: digits\n"
    figures = json.loads(out)
    assert figures == json.loads(Path("speedup/speedup.json").read_text())
    assert (figures["rounds"], figures["generations"], figures["median_coverage"]) == (2, 3, 0.5)
    assert (figures["population"], figures["chunks"], figures["weak"]) == (32, 16, None)
    alone, shared = figures["strong"]["rows"]
    assert set(alone) >= ROW
    assert (alone["workers"], shared["workers"]) == (1, 2)
    assert (alone["speedup"]["median"], alone["karp_flatt"], alone["bytes_down"]) == (1, None, 0)
    assert shared["bytes_down"] > 0
    assert len(shared["seconds_by_round"]) == 2
    for row in (alone, shared):
        assert sum(row["where"].values()) == pytest.approx(row["seconds"]["median"], rel=1e-6)
    fit, median = figures["strong"]["amdahl"], shared["speedup"]["median"]
    assert fit["degrees"] == 1
    assert shared["karp_flatt"]["value"] == pytest.approx(2 / median - 1)
    assert [row["cores"] for row in figures["strong"]["projection"]] == [4, 16, 1440]


@pytest.mark.slow
def test_an_environments_generations_are_timed(nograd):
    pytest.importorskip("gymnasium", reason="needs nograd[envs]")
    quick = ["--population", "8", "--chunks", "2", "--generations", "2", "--rounds", "2", "--workers", "1,2"]
    code, out, error = nograd("CartPole-v1", *quick)
    assert (code, error) == (0, "")
    assert "population 8 on an episode each, 2 chunks" in out
    figures = json.loads(Path("speedup/speedup.json").read_text())
    assert (figures["batch"], figures["episodes"], figures["parameters"]) == (None, 1, 8)
    assert len({row["parameters_sha256"] for row in figures["strong"]["rows"]}) == 1
    assert [row["population"] for row in figures["weak"]["rows"]] == [8, 16]
    code, _, error = nograd("CartPole-v1", "--batch", "8")
    assert code == 2
    assert "--batch 8 is for data sets" in error


def test_every_setting_is_a_flag(nograd):
    code, out, _ = nograd("--help")
    assert code == 0
    for field in fields(SpeedupConfig):
        assert field.name == "task" or f"--{field.name.replace('_', '-')}" in out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--workers", "two"], "--workers cannot be two; use auto, or numbers"),
        (["--workers", "0,2"], "--workers cannot be 0,2"),
        (["--workers", "1,64"], "--workers cannot be 64: this work is cut into 16 chunks"),
        (["--address", "10.0.0.1:6379"], "use --engine ray"),
        (["--engine", "inline", "--workers", "2"], "JAX finds 1 cpu device"),
        (["--rounds", "1"], "--rounds cannot be 1; use 2 or more"),
        (["--generations", "0"], "--generations cannot be 0; use 1 or more"),
        (["--population", "9"], "--population cannot be 9; use 10"),
        (["--chunks", "1"], "use --chunks 2"),
        (["--batch", "1000", "--perturbation", "node", "--chunks", "2"], "weak scaling to 2 workers"),
        (["--sigma", "1"], "unknown flag '--sigma'"),
        (["--preset", "mnits"], "did you mean mnist"),
        (["--out", "a-file"], "cannot make --out a-file"),
    ],
)
def test_a_mistake_is_one_line(nograd, flags, told):
    Path("a-file").write_text("")
    code, _, error = nograd("digits", *flags)
    assert code == 2
    assert error.startswith("nograd: ")
    assert error.count("\n") == 1
    assert told in error


def test_a_machine_of_one_core_says_what_can_be_measured(nograd, monkeypatch):
    monkeypatch.setattr(choose, "core_count", lambda: 1)
    assert "there is one core (or device) here; use --workers 1,2" in nograd("digits")[2]
