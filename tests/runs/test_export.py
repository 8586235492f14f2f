"""Exported networks: the files alone predict what the run predicts, and each format refuses what it cannot hold."""

import json
from datetime import date, timedelta

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from exports import Exported, about_of, agree, by_onnx, by_stablehlo, onnx_of
from safetensors import safe_open

import nograd as ng
from nograd.cli.main import main
from nograd.config import axes
from nograd.core.types import ConfigError
from nograd.data import encoding_from_json
from nograd.data.frames import frame_table
from nograd.models import Model, build_model, parse_model, parse_policy
from nograd.tasks.classification import Classes
from nograd.tasks.network import network_of_examples
from nograd.tasks.regression import Numbers

pytest.importorskip("onnxruntime")
FEW = {"generations": 2, "eval_every": 2, "population": 8, "engine": "inline"}
NETWORKS = [
    pytest.param(spec, parse, id=f"{spec}-{parse.__name__}")
    for word, entry in axes.MODELS.entries.items()
    for parse, path in ((parse_model, entry.build), (parse_policy, entry.policy))
    if path
    for spec in (entry.form or word,)
]
PIXELS = {"offset": 0.0, "scale": 1 / 255}


def network_on_images(model, shape=(28, 28)):
    """A network with parameters of its own, as a run on images has it."""
    model = build_model(model, shape, 10)
    drawn = jax.jit(model.init)(jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.1 * jax.random.normal(jax.random.key(1), leaf.shape), drawn)
    if model.prepare:
        whole = (params, model.prepare(params, jax.random.uniform(jax.random.key(2), (4, *shape))))
        model = Model(model.init, lambda params, x, apply=model.apply: apply(whole, x))
    return network_of_examples(model, params, Classes(), {**PIXELS, "input_shape": shape})


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "parse"), NETWORKS)
def test_every_built_in_network(spec, parse):
    shape = (84, 84, 4) if spec == "atari" else (28, 28)
    x = np.random.default_rng(0).integers(0, 256, (3, *shape))
    agree(network_on_images(parse(spec), shape), x, close=1e-4 if "int8" in spec else 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("word", [word for word, entry in axes.MODELS.entries.items() if entry.build])
def test_every_built_in_network_of_a_run(word, tmp_path):
    run = ng.train("digits", model=word, out=tmp_path / "run", **FEW)
    x, _ = run.examples("test")
    found = by_onnx(run.export(tmp_path / "network.onnx").read_bytes(), x)
    np.testing.assert_array_equal(found["class"], run.predict(x))
    np.testing.assert_allclose(found["probabilities"], run.predict_proba(x), rtol=1e-4, atol=1e-6)


def test_operations_of_networks():
    """What the built-in networks do not do, or only some of them."""
    weights = jax.random.normal(jax.random.key(3), (3, 3, 2, 4))

    def apply(params, x):
        x = x.reshape(-1, 8, 8, 1) / 255
        x = jnp.concatenate([x, x[:, ::-1]], -1)
        x = jax.lax.conv_general_dilated(x, weights, (2, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        high = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 1, 1), "SAME")
        mean = jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 1, 1), "SAME") / 4
        x = jnp.where(high > mean, jax.nn.gelu(high), jax.nn.softplus(mean)).reshape(x.shape[0], -1, 4)
        x = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)
        attention = jax.nn.softmax(jnp.einsum("bic,bjc->bij", x, x), -1)
        x = jnp.cumsum(attention @ x, 1)[:, 1::3, :]
        places = jnp.argmax(x[..., 0], -1)
        first, second = jnp.split(params["table"][places], 2, -1)
        x = jnp.stack([first, jnp.round(3 * second)], 1).reshape(x.shape[0], -1)
        return jnp.clip(jnp.exp2(x[:, :10]) ** 3 + jnp.log1p(jnp.abs(x[:, 2:12])), -5, 5)

    model = Model(lambda key: {"table": jax.random.normal(key, (30, 12))}, apply)
    agree(network_on_images(model, (8, 8)), np.random.default_rng(1).integers(0, 256, (4, 8, 8)))


def table(rows=60, seed=0):
    """Numbers, large numbers, text, dates and flags, with gaps."""
    draws = np.random.default_rng(seed)

    def gaps(values):
        return [None if draws.random() < 0.1 else value for value in values]

    size, colour = draws.normal(size=rows), draws.choice(["red", "green", "blue"], rows)
    return pl.DataFrame({
        "size": gaps(size.tolist()), "year": (2e9 + draws.integers(0, 9, rows)).tolist(),
        "colour": gaps(colour.tolist()), "wet": gaps((draws.random(rows) > 0.5).tolist()),
        "when": [date(2020, 1, 1) + timedelta(days=day) for day in range(rows)],
        "kind": np.where(size + (colour == "red") > 0, "yes", "no"), "price": 1000 + 30 * size,
    })  # fmt: skip


@pytest.mark.parametrize("label", ["kind", "price"])
def test_a_table_with_text_and_gaps(label, tmp_path):
    """The encoding of the columns is inside: what goes in are plain numbers."""
    frame = table()
    train = frame.drop("price" if label == "kind" else "kind")
    run = ng.train(train, label=label, out=tmp_path / "run", model="mlp:4", **FEW)
    new = table(seed=1)
    new[0, "colour"] = "violet"
    plain = encoding_from_json(run.config["data"]["encoding"]).plain(frame_table(new))
    onnx, program = run.export(tmp_path / "a.onnx"), run.export(tmp_path / "a.stablehlo")
    for path, found in (
        (onnx, by_onnx(onnx.read_bytes(), plain)),
        (program, by_stablehlo(program.read_bytes(), plain)),
    ):
        about = about_of(path)
        assert len(about["columns"]) == plain.shape[1]
        rows = new.drop("kind", "price")
        if label == "price":
            np.testing.assert_allclose(found["prediction"][:, 0], run.predict(rows), rtol=1e-6)
            assert about["targets"] == ["price"]
        else:
            np.testing.assert_array_equal(np.array(about["classes"])[found["class"]], run.predict(rows))
            np.testing.assert_allclose(found["probabilities"], run.predict_proba(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_several_labels(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3))
    run = ng.train(x, np.stack([x[:, 0] > 0, x[:, 1] > 0.5], 1).astype(int), out=tmp_path / "run", model="mlp:4", **FEW)
    plain = encoding_from_json(run.config["data"]["encoding"]).plain(frame_table({f"x{i}": x[:, i] for i in range(3)}))
    found = by_onnx(run.export(tmp_path / "a.onnx").read_bytes(), plain)
    np.testing.assert_array_equal(found["labels"], run.predict(x))
    np.testing.assert_allclose(found["probabilities"], run.predict_proba(x), rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{"observations": "normalized"}, pytest.param({"model": "linear"}, marks=pytest.mark.slow)]
)
def test_a_policy(options, tmp_path):
    pytest.importorskip("gymnasium")
    run = ng.train("worlds:walk", out=tmp_path / "run", episodes=1, eval_episodes=2, **FEW | options)
    x = np.random.default_rng(0).normal(size=(9, *run.task.env_spec.observation.shape)).astype(np.float32)
    for found in (
        by_onnx(run.export(tmp_path / "a.onnx").read_bytes(), x),
        by_stablehlo(run.export(tmp_path / "a.stablehlo").read_bytes(), x),
    ):
        np.testing.assert_allclose(found["action"], run.predict(x), rtol=1e-5)


def test_parameters_by_name(tmp_path):
    run = ng.train("digits", out=tmp_path / "run", model="mlp:4", **FEW)
    path = run.export(tmp_path / "a.safetensors")
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["about"])
        assert about["data"] == json.loads(json.dumps(run.config["data"]))
        np.testing.assert_array_equal(file.get_tensor("0/kernel"), run.params[0]["kernel"])
    again = ng.train("digits", out=tmp_path / "again", init=path, model="mlp:4", **FEW)
    same = ng.train("digits", out=tmp_path / "same", init=run, model="mlp:4", **FEW)
    jax.tree.map(np.testing.assert_array_equal, again.params, same.params)


@pytest.mark.slow
def test_the_same_network_is_the_same_file(tmp_path):
    run = ng.train("digits", out=tmp_path / "run", model="mlp:4", **FEW)
    for word in ("safetensors", "onnx", "stablehlo"):
        one, two = (run.export(tmp_path / name, word).read_bytes() for name in ("one", "two"))
        assert one == two


def test_what_a_format_cannot_hold_is_one_line(tmp_path, capsys):
    run = ng.train("digits", out=tmp_path / "run", model="mlp:4", **FEW)
    with pytest.raises(ConfigError, match=r"no Keras model.*--format onnx"):
        run.export(tmp_path / "a.keras")
    with pytest.raises(ConfigError, match=r"no PyTorch module.*--format onnx"):
        run.export(tmp_path / "a.pt")
    with pytest.raises(ConfigError, match=r"no suffix of an export format.*\.onnx"):
        run.export(tmp_path / "a.h5")
    with pytest.raises(ConfigError, match="no folder"):
        run.export(tmp_path / "nowhere" / "a.onnx")
    sorting = network_on_images(
        Model(lambda key: {"w": jnp.ones(())}, lambda p, x: p["w"] * jax.lax.sort(x.reshape(x.shape[0], 784))[:, :10])
    )
    with pytest.raises(ConfigError, match=r"'sort', which has no rule for ONNX; use --format stablehlo"):
        agree(sorting, np.zeros((2, 28, 28)))
    object_run = ng.train("digits", out=tmp_path / "object", model=ng.mlp(4)((8, 8), 10), **FEW)
    with pytest.raises(ConfigError, match=r"run\.to\(model\)"):
        object_run.export(tmp_path / "a.keras")
    found = ng.minimize(lambda x: float(x**2), 1.0, generations=2, workers=1, out=tmp_path / "function")
    with pytest.raises(ConfigError, match="no network"):
        found.run.export(tmp_path / "a.onnx")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "run"), "--format", "onnxx"])
    assert ended.value.code == 2
    assert "did you mean onnx?" in capsys.readouterr().err


def test_the_command_writes_into_the_run_by_default(tmp_path, capsys):
    ng.train("digits", out=tmp_path / "run", model="mlp:4", **FEW)
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "run"), "--format", "onnx"])
    assert not ended.value.code
    assert (tmp_path / "run" / "network.onnx").is_file()
    assert "network.onnx" in capsys.readouterr().out


def test_operations_near_the_numbers_where_they_lose_digits():
    """Rounding away from 0 of the neighbours of 1/2 and of large odd numbers; expm1 and log1p of tiny numbers."""
    halves = np.array([0.49999997, 0.5, 1.5, 2.5, 8388609.0, 0.0], np.float32)
    tiny = np.array([1e-20, 3e-8, 1e-4, 0.4999, 0.5001, 3.0], np.float32)
    x = np.concatenate([halves, -halves, tiny, -tiny / 4])[None]

    def apply(params, x):
        away = jax.lax.round(x[:, :12], jax.lax.RoundingMethod.AWAY_FROM_ZERO)
        return jnp.concatenate([away, jnp.expm1(x[:, 12:]), jnp.log1p(x[:, 12:])], 1) + 0 * params["zero"]

    model = build_model(Model(lambda key: {"zero": jnp.zeros(())}, apply), (24,), 36)
    plain = {"offset": 0.0, "scale": 1.0, "input_shape": (24,)}
    network = network_of_examples(model, {"zero": jnp.zeros(())}, Numbers(), plain)
    found = by_onnx(onnx_of(Exported(network, "test", lambda: None)).content, x)
    for name, array in jax.jit(network.answers)(x).items():
        np.testing.assert_allclose(found[name], array, rtol=1e-6, atol=0, err_msg=name)  # relative: tiny numbers too
