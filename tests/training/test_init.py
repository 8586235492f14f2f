"""Trainings that begin with given parameters: from runs, files and trees, with the same bits everywhere."""

import hashlib
import json
import shlex
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import nograd as ng
from nograd.core.types import CheckpointError, ConfigError, NogradError, RunError
from nograd.reports.reproduce import command

FEW = {"model": "mlp:4", "generations": 4, "eval_every": 2, "checkpoint_every": 2, "population": 8, "engine": "inline"}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return ng.train("digits", out=tmp_path_factory.mktemp("first") / "run", **FEW)


def state(path, generation=4):
    return load_file(Path(path) / "checkpoints" / f"generation-{generation:08d}.safetensors")


def test_every_way_to_give_parameters_has_the_same_bits(first, tmp_path):
    bare = tmp_path / "bare.safetensors"
    save_file({f"{i}/{name}": np.asarray(a) for i, layer in enumerate(first.params) for name, a in layer.items()}, bare)
    ways = {
        "run": first, "folder": first.path, "checkpoint": str(first.directory.best),
        "export": first.export(tmp_path / "export.safetensors"), "bare": bare, "tree": first.params,
        "numpy": jax.tree.map(np.asarray, first.params),
    }  # fmt: skip
    for name, init in ways.items():
        ng.train("digits", seed=3, out=tmp_path / name, init=init, **FEW)
    expected = state(tmp_path / "run")
    for name in ways:
        jax.tree.map(np.testing.assert_array_equal, state(tmp_path / name), expected)
    begun = state(tmp_path / "run", 0)
    np.testing.assert_array_equal(begun["params/0/kernel"], first.params[0]["kernel"])


@pytest.mark.slow
def test_any_number_of_workers_has_the_same_bits(first, tmp_path):
    for workers in (1, 2):
        ng.train(
            "digits", init=first, out=tmp_path / f"{workers}", **FEW | {"engine": "process"}, workers=workers, seed=3
        )
    jax.tree.map(np.testing.assert_array_equal, state(tmp_path / "1"), state(tmp_path / "2"))


def test_the_record_says_where_from_and_a_resumption_needs_the_file_no_more(first, tmp_path):
    path = first.export(tmp_path / "given.safetensors")
    ng.train("digits", init=path, out=tmp_path / "whole", **FEW)
    ng.train("digits", init=path, out=tmp_path / "parts", **FEW | {"generations": 2})
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    resumed = ng.train(resume=tmp_path / "parts", generations=4)
    assert resumed.config["init"] == {"from": str(path), "sha256": checksum}
    jax.tree.map(np.testing.assert_array_equal, state(tmp_path / "whole"), state(tmp_path / "parts"))
    words = shlex.split(command(resumed.settings, resumed.config["init"]["from"]) or "")
    assert words[-2:] == ["--init", str(path)]


@pytest.mark.slow
def test_from_the_very_first_checkpoint_on(first, tmp_path):
    ng.train("digits", init=first, out=tmp_path / "a", **FEW)
    expected = state(tmp_path / "a")
    ng.train(resume=tmp_path / "a" / "checkpoints" / "generation-00000000.safetensors")
    jax.tree.map(np.testing.assert_array_equal, state(tmp_path / "a"), expected)


def test_a_run_that_saved_nothing_is_not_begun_from_the_seed(first, tmp_path):
    run = ng.train("digits", init=first, out=tmp_path / "a", **FEW)
    for path in run.directory.checkpoints.glob("*"):
        path.unlink()
    with pytest.raises(RunError, match=r"before it saved the parameters.*--init"):
        ng.train(resume=tmp_path / "a")


@pytest.mark.slow
def test_the_beginning_is_part_of_what_a_run_is(first, tmp_path):
    ng.train("digits", init=first, out=tmp_path / "a", **FEW)
    other = ng.train("digits", out=tmp_path / "b", **FEW)
    target = other.directory.checkpoints / "generation-00000004.safetensors"
    target.write_bytes((tmp_path / "a" / "checkpoints" / target.name).read_bytes())
    with pytest.raises(CheckpointError, match="another run"):
        ng.train(resume=tmp_path / "b", generations=6)


def changed(params, **leaves):
    return [{**params[0], **leaves}, *params[1:]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: changed(p, bias=jnp.zeros(5)), "'0/bias' is float32[5] there and float32[4] here"),
        (lambda p: changed(p, bias=np.zeros(4)), "'0/bias' is float64[4] there and float32[4] here"),
        (lambda p: p[:1], "'1/bias' is missing there and float32[10] here"),
        (lambda p: [*p, p[-1]], "'2/bias' is float32[10] there and missing here"),
    ],
)
def test_the_first_leaf_that_differs_is_named(first, change, words, tmp_path):
    with pytest.raises(ConfigError) as error:
        ng.train("digits", init=change(first.params), out=tmp_path / "run", **FEW)
    assert words in str(error.value)
    assert not (tmp_path / "run").exists()


def test_wrong_files_are_one_line(first, tmp_path):
    (tmp_path / "text.safetensors").write_text("no tensors")
    (tmp_path / "empty").mkdir()
    for path, words in (
        ("nowhere", "there is no file"), (tmp_path / "text.safetensors", "cannot be read as parameters"),
        (tmp_path / "empty", "no config.json"),
    ):  # fmt: skip
        with pytest.raises(NogradError, match=words):
            ng.train("digits", init=path, out=tmp_path / "run", **FEW)
    for init in (first.path, first.params):
        with pytest.raises(ConfigError, match=r"init.* cannot go with"):
            ng.train(resume=first.path, init=init)
    with pytest.raises(ConfigError, match="init"):
        ng.minimize(lambda x: float(x**2), 1.0, init=str(first.path), workers=1)
    with pytest.raises(ConfigError, match="unknown setting 'init'"):
        ng.search("digits", init=str(first.path))


@pytest.mark.slow
def test_a_policy_takes_its_statistics_along(tmp_path):
    pytest.importorskip("gymnasium")
    few = {**FEW, "model": "mlp:2", "observations": "normalized", "episodes": 1, "eval_episodes": 2, "population": 4}
    one = ng.train("worlds:walk", out=tmp_path / "one", **few)
    for name, init in {"run": one, "params": one.params, "export": one.export(tmp_path / "e.safetensors")}.items():
        two = ng.train("worlds:walk", init=init, out=tmp_path / name, **few)
        begun = state(two.path, 0)
        np.testing.assert_array_equal(begun["context/moments/mean"], one.params.context.moments.mean)
        assert begun["context/moments/count"] > 0
    raw = {**few, "observations": "raw"}
    with pytest.raises(ConfigError, match=r"normalized observations.*--observations normalized"):
        ng.train("worlds:walk", init=one, out=tmp_path / "raw", **raw)
    with pytest.raises(ConfigError, match=r"no statistics of observations.*--observations raw"):
        ng.train("worlds:walk", init=one.params.params, out=tmp_path / "bare", **few)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["init"]["from"].endswith(".safetensors")


@pytest.mark.slow
def test_estimators_begin_with_given_parameters():
    from nograd.sklearn import ESClassifier

    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    settings = {"model": "mlp:4", "generations": 3, "population": 8, "random_state": 0}
    one = ESClassifier(**settings).fit(x, y)
    two = ESClassifier(**settings, init=one.params_).fit(x, y)
    assert not np.array_equal(one.params_[0]["kernel"], two.params_[0]["kernel"])
    with pytest.raises(ValueError, match="does not fit this network"):
        ESClassifier(**{**settings, "model": "mlp:5"}, init=one.params_).fit(x, y)


@pytest.mark.slow
def test_names_of_other_libraries_are_theirs_in_files_and_messages(tmp_path):
    """Equinox's parameters lie in one dict by their paths: nobody sees the `~1` that stands for a path's `/`."""
    eqx = pytest.importorskip("equinox")
    few = {**FEW, "generations": 2, "model": ng.from_equinox(
        eqx.nn.MLP(64, 10, 4, 1, key=jax.random.key(0)), example=jnp.zeros((1, 64))
    )}  # fmt: skip
    run = ng.train("digits", out=tmp_path / "run", **few)
    path = run.export(tmp_path / "a.safetensors")
    arrays = load_file(path)
    assert set(arrays) == {f"layers/{at}/{name}" for at in (0, 1) for name in ("weight", "bias")}
    escaped = tmp_path / "b.safetensors"  # as earlier versions wrote it
    save_file({name.replace("/", "~1"): array for name, array in arrays.items()}, escaped)
    for at, init in enumerate((run, path, escaped)):
        ng.train("digits", init=init, out=tmp_path / f"{at}", **few)
        jax.tree.map(np.testing.assert_array_equal, state(tmp_path / f"{at}", 2), state(tmp_path / "0", 2))
    with pytest.raises(ConfigError, match=r"parameter 'layers/0/bias' is missing there"):
        ng.train("digits", init={"layers/0/weight": arrays["layers/0/weight"]}, out=tmp_path / "wrong", **few)
    with pytest.raises(NogradError, match=r"parameter 'layers/0/bias' is float32\[4\] in the run and float32\[5\] in"):
        run.to(eqx.nn.MLP(64, 10, 5, 1, key=jax.random.key(0)))
