"""Flax modules as they are: Linen and NNX, what they compute and what is refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from adapters import assert_agrees, assert_refused, assert_trains, images
from flax import linen as nn
from flax import nnx

from nograd.core.types import ModelError
from nograd.models import Builder, Model, build_model, from_flax

KEY = jax.random.key(0)


class Convolutional(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.max_pool(nn.relu(nn.Conv(4, (3, 3))(x[..., None])), (2, 2), (2, 2))
        return nn.Dense(10)(nn.LayerNorm()(x.reshape(len(x), -1)))


class Transformer(nn.Module):
    """Tokens of 0 to 16 from the pixels, attention over the image."""

    dropout_rate: float = 0.0

    @nn.compact
    def __call__(self, x):
        tokens = jnp.round(x * 16).astype(jnp.int32).reshape(len(x), -1)
        x = nn.Embed(17, 8)(tokens)
        x = nn.LayerNorm()(x + nn.MultiHeadDotProductAttention(2, dropout_rate=self.dropout_rate)(x))
        return nn.Dense(10)(x.mean(1))


class WithNorm(nn.Module):
    @nn.compact
    def __call__(self, x, train=True):
        x = nn.Dense(16)(x.reshape(len(x), -1))
        x = nn.BatchNorm(use_running_average=not train, name="norm")(x)
        return nn.Dense(10)(nn.Dropout(0.5)(x, not train))


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, train=True):
        return nn.Dropout(0.5, deterministic=not train, name="drop")(nn.Dense(10)(x))


class Nested(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Block(name="block")(x.reshape(len(x), -1))


class Counting(nn.Module):
    @nn.compact
    def __call__(self, x):
        count = self.variable("counts", "calls", lambda: jnp.zeros(()))
        count.value += 1
        return nn.Dense(10)(x.reshape(len(x), -1)) + count.value


class Noisy(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        return nn.Dense(10)(x + jax.random.normal(self.make_rng("noise"), x.shape))


@pytest.mark.parametrize(
    "module",
    [Convolutional(), pytest.param(Transformer(), marks=pytest.mark.slow)],
    ids=lambda module: type(module).__name__,
)
def test_linen_outputs_are_its_own(module):
    x = images(4)
    params = module.init(KEY, x[:1])["params"]
    model = build_model(from_flax(module), (8, 8), 10)
    jax.tree.map(np.testing.assert_array_equal, model.init(KEY), params)
    assert_agrees(model, module.apply({"params": params}, x), x)


def test_linen_takes_shape_and_type_from_an_example():
    module = nn.Sequential([nn.Embed(17, 4), lambda x: x.reshape(len(x), -1), nn.Dense(10)])
    tokens = np.arange(64).reshape(1, 64) % 17
    model = from_flax(module, tokens)
    assert isinstance(model, Model)
    assert isinstance(from_flax(module), Builder)
    expected = module.apply({"params": model.init(KEY)}, tokens)
    np.testing.assert_allclose(model.apply(model.init(KEY), tokens.astype("f4").reshape(1, 8, 8)), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        (WithNorm(), "norm"),
        (Nested(), "block/drop"),
        (Transformer(0.1), "MultiHeadDotProductAttention_0"),
        (Counting(), "Counting"),
        (Noisy(), "Noisy"),
    ],
)
def test_linen_state_is_refused(module, layer):
    assert_refused(lambda: build_model(from_flax(module), (8, 8), 10), layer)


def test_frozen_linen_is_its_inference_mode_with_stored_statistics():
    module, x = WithNorm(), images(4)
    variables = module.init(KEY, x, train=False)
    variables = jax.tree.map(lambda leaf: leaf + 0.3, variables)
    expected = module.apply(variables, x, train=False)
    model = build_model(from_flax(module.bind(variables), frozen=True), (8, 8), 10)
    assert set(model.init(KEY)) == {"Dense_0", "Dense_1", "norm"}  # the scale and shift of the norm are trained
    assert_agrees(model, expected, x)
    explicit = build_model(from_flax(module.bind(variables), frozen=True, train=False), (8, 8), 10)
    assert_agrees(explicit, expected, x)


@pytest.mark.parametrize("module", [WithNorm(), Nested(), Transformer(0.1), Counting()])
def test_frozen_linen_is_a_function(module):
    model = build_model(from_flax(module, frozen=True), (8, 8), 10)
    params, x = model.init(KEY), jnp.asarray(images(4))
    np.testing.assert_array_equal(model.apply(params, x), model.apply(params, x))


def test_what_draws_in_inference_mode_too_is_refused_for_good():
    with pytest.raises(ModelError, match="'Noisy' draws random numbers in inference mode too"):
        build_model(from_flax(Noisy(), frozen=True), (8, 8), 10)


@pytest.mark.parametrize("wrong", [3, nn.Dense, nn.relu(jnp.ones(2))])
def test_what_is_no_module_is_refused(wrong):
    with pytest.raises(ModelError, match="from_flax takes"):
        from_flax(wrong)


def test_a_module_that_fails_is_one_line():
    class Fails(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x @ jnp.ones((3, 10))

    with pytest.raises(ModelError, match=r"Fails fails on an example of shape \(1, 8, 8\)") as error:
        build_model(from_flax(Fails()), (8, 8), 10)
    assert "\n" not in str(error.value)


# NNX -----------------------------------------------------------------------------------------------------


class Images(nnx.Module):
    def __init__(self, rngs, norm=False, rate=0.0):
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.hidden = nnx.Sequential(nnx.Linear(256, 16, rngs=rngs), nnx.relu, nnx.Linear(16, 16, rngs=rngs))
        self.norm = nnx.BatchNorm(16, rngs=rngs) if norm else nnx.LayerNorm(16, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs) if rate else None
        self.out = nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.conv(x[..., None])).reshape(len(x), -1)
        x = self.norm(self.hidden(x))
        return self.out(self.drop(x) if self.drop else x)


class Words(nnx.Module):
    def __init__(self, *, rngs):
        self.embed = nnx.Embed(17, 8, rngs=rngs)
        self.attend = nnx.MultiHeadAttention(num_heads=2, in_features=8, decode=False, rngs=rngs)
        self.out = nnx.Linear(8, 10, rngs=rngs)

    def __call__(self, tokens):
        return self.out(self.attend(self.embed(tokens)).mean(1))


def test_nnx_outputs_are_its_own():
    module, x = Images(nnx.Rngs(3)), images(4)
    model = from_flax(module)
    assert "hidden/layers/2/kernel" in model.init(KEY)
    assert_agrees(build_model(model, (8, 8), 10), module(x), x)


def test_nnx_attention_on_tokens():
    module, x = Words(rngs=nnx.Rngs(0)), np.round(images(4) * 16)
    model = from_flax(module, example=np.zeros((1, 64), int))
    assert_agrees(build_model(model, (8, 8), 10), module(jnp.asarray(x, int).reshape(4, 64)), x)


@pytest.mark.parametrize("factory", [Images, lambda rngs: Images(rngs), Words])
def test_a_function_of_rngs_is_drawn_from_the_key(factory):
    model = from_flax(factory)
    module = factory(rngs=nnx.Rngs(jax.random.key(5)))
    drawn = jax.jit(model.init)(jax.random.key(5))
    np.testing.assert_allclose(drawn["out/kernel"], module.out.kernel[...], rtol=1e-6)
    assert not np.array_equal(drawn["out/kernel"], model.init(KEY)["out/kernel"])


def test_an_nnx_instance_keeps_its_values_and_is_left_alone():
    module = Images(nnx.Rngs(0), rate=0.5)
    before = jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(module, nnx.Param)))
    model = from_flax(module, frozen=True)
    np.testing.assert_array_equal(model.init(KEY)["out/kernel"], model.init(jax.random.key(1))["out/kernel"])
    model.apply(model.init(KEY), jnp.asarray(images(2)))
    assert module.drop.deterministic is False
    after = nnx.to_pure_dict(nnx.state(module, nnx.Param))
    jax.tree.map(np.testing.assert_array_equal, before, after)


@pytest.mark.parametrize(("options", "layer"), [({"norm": True}, "norm"), ({"rate": 0.5}, "drop")])
def test_nnx_state_is_refused(options, layer):
    assert_refused(lambda: from_flax(Images(nnx.Rngs(0), **options)), layer)
    assert_refused(lambda: from_flax(partial(Images, **options)), layer)


def test_frozen_nnx_is_its_inference_mode_with_stored_statistics():
    module, x = Images(nnx.Rngs(0), norm=True, rate=0.5), images(4)
    module.norm.mean = nnx.BatchStat(jnp.full(16, 0.3))
    model = from_flax(module, frozen=True)
    module.eval()
    assert_agrees(model, module(x), x)


# Training ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: from_flax(Transformer()), id="linen-attention"),
        pytest.param(lambda: from_flax(WithNorm(), frozen=True), id="linen-frozen"),
        pytest.param(lambda: from_flax(Images(nnx.Rngs(0))), id="nnx"),
        pytest.param(lambda: from_flax(partial(Images, norm=True, rate=0.1), frozen=True), id="nnx-frozen"),
        pytest.param(Convolutional, id="raw-linen"),
    ],
)
@pytest.mark.slow
def test_it_trains(make, tmp_path):
    assert_trains(make(), tmp_path / "run")
