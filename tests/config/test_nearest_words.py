"""A word that is not there is refused with the nearest one, in the same way on every axis."""

import pytest

import nograd as ng
from nograd.cli.main import main
from nograd.core.types import ConfigError

WORDS = {
    "strategy": ("openai", "openai-es"),
    "perturbation": ("lowrnk", "lowrank"),
    "shaping": ("standardised", "standardized"),
    "noise": ("gausian", "gaussian"),
    "optimizer": ("adm", "adam"),
    "engine": ("proces", "process"),
    "lr_schedule": ("cosin", "cosine"),
    "problem": ("regresion", "regression"),
    "metric": ("acuracy", "accuracy"),
    "fitness": ("accurracy", "accuracy"),
    "model": ("mpl:3", "mlp"),
    "preset": ("tabels", "tables"),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_nearest_word_is_offered(name, tmp_path, capsys):
    wrong, meant = WORDS[name]
    (tmp_path / "recipe.toml").write_text(f'task = "iris"\n{name} = "{wrong}"\n')
    flag = f"--{name.replace('_', '-')}"
    commands = [["iris", flag, wrong], ["--config", str(tmp_path / "recipe.toml")]]
    for words in commands[: 1 if name == "preset" else 2]:  # which is no part of a recipe
        with pytest.raises(SystemExit) as ended:
            main(["train", *words, "--out", str(tmp_path / "run")])
        assert ended.value.code == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nograd: ")]
    assert len(said) == 2 - (name == "preset")
    assert all(repr(wrong) in line and f"did you mean {meant}" in line for line in said)
    with pytest.raises(ConfigError, match=f"did you mean {meant}"):
        ng.train("iris", **{name: wrong}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_setting_of_another_optimizer_is_refused():
    """Adam has no momentum to set: it would be ignored."""
    with pytest.raises(
        ConfigError, match=r"--momentum 0.5 is for momentum, nesterov and rmsprop, .* optimizer is adam"
    ):
        ng.train("digits", optimizer="adam", momentum=0.5)


def test_a_recipe_hands_another_optimizer_no_momentum(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('task = "iris"\noptimizer = "momentum"\nmomentum = 0.5\nmodel = "mlp:4"\n')
    settings = {"generations": 2, "population": 8, "engine": "inline"}
    assert ng.train(config=recipe, out=tmp_path / "own", **settings).settings.momentum == 0.5
    assert ng.train(config=recipe, optimizer="adam", out=tmp_path / "other", **settings).settings.momentum == 0.9
