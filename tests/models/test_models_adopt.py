"""Raw models of other libraries are recognised, and nothing is imported that is not there."""

import subprocess
import sys

import equinox as eqx
import jax
import keras
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import nograd as ng
from nograd.core.types import ModelError
from nograd.models import Builder, Model, adopt, build_model
from nograd.models.resolve import resolve_model

KEY = jax.random.key(0)


class Flat(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(x.reshape(len(x), -1))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Flat, Builder),
        (lambda: nnx.Linear(8, 10, rngs=nnx.Rngs(0)), Model),
        (lambda: eqx.nn.Linear(8, 10, key=KEY), Model),
        (lambda: keras.Sequential([keras.Input((8,)), keras.layers.Dense(10)]), Model),
        (lambda: keras.Sequential([keras.layers.Dense(10)]), Builder),
        (lambda: ng.mlp(3), Builder),
    ],
)
def test_models_are_recognised(make, kind):
    raw = make()
    assert isinstance(adopt(raw), kind)
    assert isinstance(build_model(raw, (8,), 10), Model)


@pytest.mark.parametrize(
    "other", [3, "mlp:3", lambda shape, classes: None, np.zeros(3), (1, 2), nn.Dense, keras.layers]
)
def test_other_things_are_not(other):
    assert adopt(other) is None


def test_a_pair_with_state_goes_with_its_module():
    class Norm(eqx.Module):
        norm: eqx.nn.BatchNorm

        def __call__(self, x, state):
            return self.norm(x, state)

    with pytest.raises(ModelError, match="'norm' keeps state"):
        adopt(eqx.nn.make_with_state(Norm)(eqx.nn.BatchNorm(4, "batch", mode="batch")))


def test_a_builder_function_may_return_a_raw_model():
    model = build_model(lambda shape, classes: Flat(), (4, 4), 10)
    assert model.init(KEY)["Dense_0"]["kernel"].shape == (16, 10)


def test_a_function_named_on_the_command_line_may_return_a_raw_model(tmp_path, monkeypatch):
    (tmp_path / "own_network.py").write_text(
        "import equinox as eqx, jax\ndef make_model():\n    return eqx.nn.Linear(4, 10, key=jax.random.key(0))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert isinstance(build_model(resolve_model("own_network:make_model"), (4,), 10), Model)


def test_what_is_not_installed_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "flax.linen", None)
    with pytest.raises(ModelError, match=r"pip install 'nograd\[flax\]'"):
        ng.from_flax(Flat(), np.zeros((1, 8)))


def test_pytorch_that_is_not_installed_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match=r"from_torch needs torch.*pip install 'nograd\[torch\]'"):
        ng.from_torch(Flat(), np.zeros((1, 8)))


def test_no_other_library_is_imported_before_it_is_needed():
    code = (
        "import sys, nograd.models as m; m.build_model(m.mlp_int8(4), (3,), 2);"
        "print([n for n in ('flax', 'equinox', 'keras', 'torch') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
