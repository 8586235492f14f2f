"""A setting that a Python object fixes is refused beside the object: it would have no effect."""

import optax
import pytest

import nograd as ng
from nograd.core.types import ConfigError

OBJECTS = {
    "optimizer": lambda: optax.adam(0.1),
    "dense": lambda: ng.dense(0.05),
    "lowrank": lambda: ng.lowrank(1, 0.05),
    "node": lambda: ng.node(0.05, 4),
}
FIXED = [
    *(("optimizer", name, value) for name, value in {"lr": 0.3, "lr_schedule": "cosine", "momentum": 0.5}.items()),
    *((word, name, value) for word in ("dense", "lowrank", "node") for name, value in OBJECTS[word]().settings.items()),
    ("dense", "rank", 2),
    ("node", "group", 4),
]


@pytest.mark.parametrize(("word", "name", "value"), FIXED)
def test_a_setting_beside_the_object_that_fixes_it(tmp_path, word, name, value):
    setting = "optimizer" if word == "optimizer" else "perturbation"
    with pytest.raises(ConfigError, match=f"^{name} is part of the given"):
        ng.train("iris", out=tmp_path / "run", **{setting: OBJECTS[word](), name: value})
    assert not (tmp_path / "run").exists()


def test_weight_decay_is_not_the_optimizers(tmp_path):
    more = {"generations": 1, "model": "mlp-linear", "population": 8, "engine": "inline"}
    run = ng.train("iris", optimizer=optax.adam(0.1), weight_decay=0.5, out=tmp_path / "run", **more)
    assert run.settings.weight_decay == 0.5
