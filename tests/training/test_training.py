"""Whole trainings: resume, stop reasons, non-finite values, compilation, memory."""

import json
import signal
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from blobs import make_blobs

import nograd as ng
from nograd.config.settings import TrainConfig
from nograd.core.types import CheckpointError, ConfigError, DataError, NogradError, RunError
from nograd.engines.inline import Inline
from nograd.engines.programs import functions
from nograd.runs.checkpoint import load_checkpoint
from nograd.training.job import build_job
from runs import StopAt, tensors
from runs import lines as all_of

pytestmark = pytest.mark.usefixtures("quick_runs")


SMALL = {"population": 16, "batch": 32, "eval_every": 5, "checkpoint_every": 10, "generations": 30, "lr": 0.05}


def train(out, task=None, **settings):
    return ng.train(task or make_blobs(), out=out, **{"model": "mlp:8", **SMALL, **settings})


def lines(run):
    """What does not follow from who was there to work."""
    return all_of(run, "bytes_up", "bytes_down")


# Resume --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param(
            {"optimizer": "momentum", "noise": "gaussian", "mirrored": False, "shaping": "standardized"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"batch_sharing": "private", "noise": "table", "shaping": "sign", "weight_decay": 0.01},
            marks=pytest.mark.slow,
        ),
        *(
            pytest.param({"strategy": name, "sigma": 0.2, **more}, marks=pytest.mark.slow)
            for name, more in {
                "ars": {"top": 4},
                "snes": {},
                "pgpe": {"noise": "table"},
                "sep-cma-es": {"lr": 0.01},
            }.items()
        ),
    ],
)
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(tmp_path, settings):
    whole = train(tmp_path / "whole", **settings)
    train(tmp_path / "parts", observer=StopAt(7), **settings)
    ng.train(make_blobs(), resume=tmp_path / "parts", observer=StopAt(23, signal.SIGTERM))
    parts = ng.train(make_blobs(), resume=tmp_path / "parts")
    assert lines(parts) == lines(whole)
    assert [line["generation"] for line in lines(whole)] == list(range(1, 31))
    for name in ("generation-00000030.safetensors", "best.safetensors"):
        assert tensors(parts.directory.checkpoints / name) == tensors(whole.directory.checkpoints / name)
    same = ("test_accuracy", "val_accuracy", "best_generation", "generations", "evaluations", "stop_reason")
    assert {name: parts.result[name] for name in same} == {name: whole.result[name] for name in same}


def test_a_run_can_go_on_beyond_its_end(tmp_path):
    whole = train(tmp_path / "whole")
    train(tmp_path / "parts", generations=10)
    parts = ng.train(make_blobs(), resume=tmp_path / "parts", generations=30)
    assert lines(parts) == lines(whole)
    assert parts.settings.generations == 30


def test_work_after_the_last_checkpoint_is_done_again(tmp_path):
    """As after a kill −9: metrics and best are ahead of the last numbered checkpoint."""
    whole = train(tmp_path / "whole")
    parts = train(tmp_path / "parts", generations=26)
    parts.directory.numbered()[-1].unlink()  # generation 26; 20 is left
    with (parts.path / "metrics.jsonl").open("a") as file:
        file.write('{"generation": 27, "fitn')  # a line cut off
    assert lines(ng.train(make_blobs(), resume=parts.path, generations=30)) == lines(whole)


def test_a_best_ahead_of_the_checkpoint_is_reported_as_what_it_is(tmp_path):
    """As after a kill −9 between a new best and the next checkpoint, and a stop before it is met again."""
    run = train(tmp_path / "run", checkpoint_every=4, generations=11)
    for path in run.directory.numbered()[1:]:
        path.unlink()  # 4 is left; the best is from 5 or 10
    stopped = ng.train(make_blobs(), resume=run.path, generations=1000, observer=StopAt(5))
    x, y = make_blobs().x_val, make_blobs().y_val
    assert stopped.result["best_generation"] in (5, 10)
    assert np.mean(stopped.predict(x) == y) == stopped.result["val_accuracy"]


def test_a_damaged_best_is_refused_and_can_be_deleted(tmp_path):
    run = train(tmp_path / "run", generations=10)
    run.directory.best.write_bytes(b"x")
    with pytest.raises(CheckpointError, match="delete it"):
        ng.train(make_blobs(), resume=run.path, generations=12)
    run.directory.best.unlink()
    result = ng.train(make_blobs(), resume=run.path, generations=1000, observer=StopAt(12)).result
    assert (result["best_generation"], result["val_accuracy"]) == (12, None)


def test_a_run_ended_before_its_first_checkpoint_starts_over(tmp_path):
    whole = train(tmp_path / "whole")
    parts = train(tmp_path / "parts", generations=4)
    for path in parts.directory.checkpoints.iterdir():
        path.unlink()
    assert lines(ng.train(make_blobs(), resume=parts.path, generations=30)) == lines(whole)


def test_a_finished_run_stays_as_it_is(tmp_path):
    run = train(tmp_path / "run")
    before = lines(run), run.result
    again = ng.train(make_blobs(), resume=run.path)
    assert lines(again) == before[0]
    assert again.result["test_accuracy"] == before[1]["test_accuracy"]


def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_works(tmp_path):
    whole = train(tmp_path / "whole")
    run = train(tmp_path / "run")
    last, before = run.directory.numbered()[-1], run.directory.numbered()[-2]
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(CheckpointError) as error:
        ng.train(make_blobs(), resume=run.path)
    assert f"--resume {before}" in str(error.value)
    assert "\n" not in str(error.value)
    assert lines(ng.train(make_blobs(), resume=before)) == lines(whole)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    run, other = train(tmp_path / "run"), train(tmp_path / "other", seed=1)
    target = run.directory.numbered()[-1]
    target.write_bytes(other.directory.numbered()[-1].read_bytes())
    with pytest.raises(CheckpointError, match="another run"):
        ng.train(make_blobs(), resume=run.path)


@pytest.mark.parametrize("changed", [{"model": "mlp:9"}, {"seed": 1}, {"sigma": 0.3}, {"mirrored": False}])
def test_a_resume_with_another_setting_is_refused_and_loses_nothing(tmp_path, changed):
    run = train(tmp_path / "run", generations=5)
    files = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="cannot resume"):
        ng.train(make_blobs(), resume=run.path, **changed)
    assert files == {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_a_resume_on_other_data_is_refused(tmp_path):
    run = train(tmp_path / "run", generations=5)
    with pytest.raises(DataError, match="changed since"):
        ng.train(make_blobs(seed=1), resume=run.path)


def test_another_run_is_not_overwritten(tmp_path):
    run = train(tmp_path / "run", generations=5)
    with pytest.raises(RunError, match="another run"):
        train(tmp_path / "run")
    assert run.result["generations"] == 5


# Stop reasons --------------------------------------------------------------------------------------------


def test_stop_at_target(tmp_path):
    result = train(tmp_path / "run", target=0.9, generations=500).result
    assert result["stop_reason"] == "target"
    assert result["val_accuracy"] >= 0.9
    assert result["generations"] < 500


def test_stop_at_budget(tmp_path):
    run = train(tmp_path / "run", budget="0.2s", generations=10**6)
    assert run.result["stop_reason"] == "budget"
    assert run.result["seconds"] >= 0.2
    assert run.metrics[-2]["seconds"] < 0.2  # it stopped at the first generation past it


def test_stop_without_improvement(tmp_path):
    run = train(tmp_path / "run", lr=1e-9, patience=3, generations=500)
    assert run.result["stop_reason"] == "no_improvement"
    assert run.result["generations"] == 5 * 4  # the first evaluation is the best, then three without a better one
    assert run.result["best_generation"] == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_generation_and_saves(tmp_path, number):
    before = signal.getsignal(number)
    run = train(tmp_path / "run", observer=StopAt(7, number))
    assert run.result["stop_reason"] == "interrupted"
    assert run.result["generations"] == 7
    assert run.result["test_accuracy"] is None  # the test split is for the end
    assert run.directory.numbered()[-1].name == "generation-00000007.safetensors"
    assert signal.getsignal(number) is before


def test_a_second_signal_interrupts_at_once(tmp_path):
    class Twice:
        def generation(self, progress, line):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", observer=Twice())


def poisoned(when):
    """A fitness that is NaN for the examples of class 0 when `when(outputs)` holds for the member."""

    def fitness(outputs, labels):
        per_example = jnp.take_along_axis(jax.nn.log_softmax(outputs), labels[:, None], 1)[:, 0]
        return jnp.where(when(outputs), jnp.nan, per_example)

    return fitness


def test_members_with_nan_are_dropped_and_counted(tmp_path):
    run = train(tmp_path / "run", fitness=poisoned(lambda outputs: jnp.sin(1e4 * outputs[0, 0]) > 0.5))
    dropped = [line["dropped"] for line in run.metrics]
    assert 0 < sum(dropped) == run.result["dropped"]
    assert all(count < SMALL["population"] for count in dropped)
    assert all(line["fitness_mean"] is not None for line in run.metrics)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(run.params))
    assert run.result["stop_reason"] == "generations"


def test_all_members_nan_stops_with_the_state_saved(tmp_path):
    run = train(tmp_path / "run", fitness=poisoned(lambda outputs: True))
    assert run.result["stop_reason"] == "nonfinite_fitness"
    assert run.result["generations"] == 0
    (path,) = run.directory.numbered()
    like = jax.eval_shape(run.model.init, jax.random.key(0))
    assert all(np.all(np.isfinite(a)) for a in jax.tree.leaves(load_checkpoint(path, like, "params")[0]))


def test_a_bad_update_stops_with_the_state_before_it_saved(tmp_path):
    blown_up = optax.chain(optax.sgd(0.01), optax.scale_by_schedule(lambda count: jnp.where(count < 6, 1, jnp.inf)))
    quick = {name: value for name, value in SMALL.items() if name != "lr"}  # the optimizer has its own
    run = ng.train(make_blobs(), model="mlp:8", optimizer=blown_up, out=tmp_path / "run", **quick)
    assert run.result["stop_reason"] == "nonfinite_parameters"
    assert run.result["generations"] == 6
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(run.params))
    assert run.directory.numbered()[-1].name == "generation-00000006.safetensors"
    assert json.loads((run.path / "metrics.jsonl").read_text().splitlines()[-1])["generation"] == 6


# What a run leaves ---------------------------------------------------------------------------------------


def test_it_learns_and_the_run_directory_is_whole(tmp_path, monkeypatch):
    monkeypatch.undo()  # nothing of another test's is used
    run = train(tmp_path / "run", generations=60)
    assert run.result["test_accuracy"] > 0.95
    assert {path.name for path in run.path.iterdir()} == {
        "config.json", "metrics.jsonl", "checkpoints", "result.json", "curves.png"
    }  # fmt: skip
    assert [path.name for path in run.directory.numbered()] == [
        f"generation-{number:08d}.safetensors" for number in (40, 50, 60)
    ]
    assert run.result["evaluations"] == 60 * 16 * 32 == run.metrics[-1]["evaluations"]
    assert run.result["seconds"] == pytest.approx(run.metrics[-1]["seconds"], abs=0.01)
    best = max(run.metrics, key=lambda line: line.get("val_accuracy", 0))
    assert run.result["val_accuracy"] == best["val_accuracy"]
    assert run.result["best_generation"] == best["generation"]
    assert (run.path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_chosen_parameters_are_the_best_by_validation(tmp_path):
    run = train(tmp_path / "run", lr=0.5, generations=60)  # restless: the last is rarely the best
    x, y = make_blobs().x_val, make_blobs().y_val
    assert np.mean(run.predict(x) == y) == run.result["val_accuracy"]
    x, y = make_blobs().x_test, make_blobs().y_test
    assert np.mean(run.predict(x) == y) == run.result["test_accuracy"]


def test_the_same_seed_is_the_same_run_and_another_is_not(tmp_path, monkeypatch):
    monkeypatch.undo()  # nothing of another test's is used
    one, same, other = (train(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert lines(one) == lines(same)
    assert lines(one) != lines(other)


def test_a_run_saved_from_python_objects_is_loaded_with_them(tmp_path):
    model = ng.mlp(8, activation=jnp.sign)
    run = train(tmp_path / "run", model=model, perturbation=ng.dense(0.2, "gaussian", mirrored=False))
    assert run.settings.model == "(a Python object)"
    assert (run.settings.sigma, run.settings.noise, run.settings.mirrored) == (0.2, "gaussian", False)
    x = make_blobs().x_test
    np.testing.assert_array_equal(ng.load(run.path, model=model).predict(x), run.predict(x))
    with pytest.raises(ConfigError, match="model="):
        ng.load(run.path).predict(x)


def test_a_built_in_model_object_is_loaded_by_its_word(tmp_path):
    run = train(tmp_path / "run", model=ng.mlp(8), generations=5)
    assert run.settings.model == "mlp:8"
    assert ng.load(run.path).predict(make_blobs().x_test).shape == (40,)


def test_numbers_stand_for_the_words_of_the_command_line(tmp_path):
    run = train(tmp_path / "run", workers=1, generations=3)
    assert run.settings.workers == "1"


def test_unknown_settings_offer_the_nearest():
    with pytest.raises(ConfigError, match="did you mean generations"):
        ng.train(make_blobs(), generation=3)


def test_private_batches_differ_from_shared_ones(tmp_path):
    shared, private = (train(tmp_path / kind, batch_sharing=kind, generations=5) for kind in ("shared", "private"))
    assert lines(shared) != lines(private)


# Cost ----------------------------------------------------------------------------------------------------


def test_one_compilation_a_run(tmp_path, monkeypatch):
    """After the first evaluation nothing compiles, whatever else happens."""
    monkeypatch.undo()  # nothing of another test's is used
    compiled = []

    class Watch:
        def generation(self, progress, line):
            if progress.generation == 10:
                jax.monitoring.register_event_duration_secs_listener(
                    lambda event, seconds, **kwargs: compiled.append(event)
                )

    try:
        train(tmp_path / "run", observer=Watch(), generations=40)
        during = [event for event in compiled if "backend_compile" in event]
    finally:
        jax.monitoring.clear_event_listeners()
    assert during == []


def test_the_model_is_traced_a_fixed_number_of_times(tmp_path):
    calls = []
    plain = ng.mlp(8)((4,), 3)

    def apply(params, x):
        calls.append(x.shape)
        return plain.apply(params, x)

    counts = []

    class Count:
        def generation(self, progress, line):
            counts.append(len(calls))

    train(tmp_path / "run", model=ng.Model(plain.init, apply), observer=Count(), generations=50)
    # Up to the first evaluation: shapes, the generation, the two splits' last blocks. Then never again.
    assert counts[4] == counts[-1] <= 6


@pytest.mark.parametrize(
    ("noise", "mirrored"),
    [
        ("gaussian", True),
        *(pytest.param(noise, True, marks=pytest.mark.slow) for noise in ("rademacher", "table")),
        *(pytest.param(noise, False, marks=pytest.mark.slow) for noise in ("gaussian", "rademacher", "table")),
    ],
)
def test_population_times_parameters_is_never_allocated(noise, mirrored):
    population, data = 512, make_blobs(features=64)
    config = replace(TrainConfig(), model="mlp:256", population=population, batch=8, noise=noise, mirrored=mirrored)
    job = build_job(config, data)
    state = job.init_state()
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    for program in Inline(job.generation, state, job.keys).calls.values():
        assert program.memory_analysis().temp_size_in_bytes < population * parameters * 4 / 20


def test_a_shared_minibatch_needs_one_first_product_a_pair():
    """A mirrored pair costs about as many flops as a single member: one product with E, not two with W ± σE.

    XLA counts the body of a loop once, so this compares one unit with one unit.
    """
    data = make_blobs(features=128)

    def flops(mirrored):
        config = replace(TrainConfig(), model="mlp:64", population=64, batch=64, mirrored=mirrored)
        job = build_job(config, data)
        state = job.init_state()
        function, shapes = functions(job.generation, state, job.generation.fixed(job.keys))["evaluate"]
        return jax.jit(function).lower(*shapes).compile().cost_analysis()["flops"]

    assert flops(True) < 1.2 * flops(False)


def test_errors_are_one_tree():
    assert issubclass(CheckpointError, RunError)
    assert issubclass(RunError, NogradError)


# A strategy of the caller's own ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_strategy_handed_over_is_the_one_that_words_name(tmp_path):
    limits = {"model": "mlp:8", "batch": 32, "eval_every": 5, "seed": 1}
    words = ng.train(
        make_blobs(),
        strategy="pgpe",
        population=16,
        sigma=0.2,
        lr=0.05,
        generations=9,
        out=tmp_path / "words",
        **limits,
    )
    make = lambda: ng.pgpe(16, 0.2, optax.adam(0.05))  # noqa: E731
    ng.train(make_blobs(), strategy=make(), generations=5, out=tmp_path / "object", **limits)
    with pytest.raises(ConfigError, match=r"PGPE.*strategy=…"):
        ng.train(make_blobs(), resume=tmp_path / "object", generations=9)
    with pytest.raises(ConfigError, match="sigma is part of the strategy"):
        ng.train(make_blobs(), strategy=make(), sigma=0.1, out=tmp_path / "no")
    made = ng.train(make_blobs(), strategy=make(), resume=tmp_path / "object", generations=9)
    assert lines(made) == lines(words)
    assert (made.settings.population, made.settings.sigma, made.settings.noise) == (16, 0.2, "gaussian")
