"""Settings: ranges, recipes in TOML, presets, and what a resumed run may change."""

from dataclasses import fields, replace
from fnmatch import fnmatchcase
from typing import get_args

import pytest

from nograd.config import axes, recipes
from nograd.config import settings as config
from nograd.config import validate as validation
from nograd.config.axes import FITNESSES
from nograd.config.dependencies import PERTURBATION, STRATEGY
from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_environment
from nograd.core import text as formats
from nograd.core.types import ConfigError
from nograd.training import provenance as identity

SHAPINGS = axes.SHAPINGS.builders()

NOISES = axes.NOISES.builders()


def test_the_words_of_the_command_line_are_the_names_in_the_library():
    assert set(get_args(config.Noise)) == set(NOISES)
    assert set(get_args(config.Shaping)) == set(SHAPINGS)
    for choice, words in ((STRATEGY, config.Strategy), (PERTURBATION, config.Perturbation)):
        named = {name for readers in choice.readers.values() for name in readers} | {choice.default, *choice.defaults}
        assert named == set(get_args(words))
        assert choice.own <= set(TrainConfig.__dataclass_fields__)
    assert TrainConfig().fitness in (None, *FITNESSES.words)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"task": "digits", "sigma": 1e-7, "lr": 123.0, "mirrored": False, "seed": 7},
        {"task": 'a "b"\\c.csv', "model": "mlp:128,64", "budget": "1h30m", "target": 0.5, "patience": 3},
        {"label": "größe", "weight_decay": 1e-4, "population": 50, "batch_sharing": "private"},
    ],
)
def test_a_config_survives_toml(changed):
    before = replace(TrainConfig(), **changed)
    recipe = recipes.parse_recipe(recipes.to_toml(before), "test")
    assert replace(TrainConfig(), **recipe.settings) == before


def test_a_recipe_file_is_read(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('sigma = 1\nnoise = "gaussian"\n[about]\ntitle = "mine"\n')
    recipe = recipes.read_recipe(path)
    assert recipe.settings == {"sigma": 1.0, "noise": "gaussian"}
    assert recipe.about == {"title": "mine"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sigmaa = 1", ["'sigmaa'", "did you mean sigma"]),
        ('population = "many"', ["population", "a whole number", "'many'"]),
        ("population = 1.5", ["population", "a whole number", "1.5"]),
        ("mirrored = 1", ["mirrored", "true or false", "1"]),
        ('noise = "pink"', ["noise", "'pink'", "gaussian, rademacher, table"]),
        ('strategy = "nes"', ["strategy", "'nes'", "snes"]),
        ('out = "elsewhere"', ["'out'"]),
        ("= 3", ["not TOML"]),
    ],
)
def test_a_wrong_recipe_is_one_line_with_value_and_remedy(text, words):
    with pytest.raises(ConfigError) as error:
        recipes.parse_recipe(text, "own.toml")
    assert all(word in str(error.value) for word in ["own.toml", *words])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"population": 51}, ["51", "use 52 or --no-mirrored"]),
        ({"population": 0, "mirrored": False}, ["--population", "0"]),
        ({"sigma": 0.0}, ["--sigma", "0.0"]),
        ({"sigma": float("nan")}, ["--sigma", "nan"]),
        ({"lr": -1.0}, ["--lr", "-1.0"]),
        ({"lr": float("inf")}, ["--lr", "inf"]),
        ({"weight_decay": float("inf")}, ["--weight-decay", "inf"]),
        ({"weight_decay": -0.1}, ["--weight-decay", "-0.1"]),
        ({"momentum": 1.0}, ["--momentum", "1.0"]),
        ({"generations": 0}, ["--generations", "0"]),
        ({"eval_every": 0}, ["--eval-every", "0"]),
        ({"keep_checkpoints": 0}, ["--keep-checkpoints", "0"]),
        ({"target": 95.0}, ["--target", "95.0", "0.95"]),
        ({"patience": 0}, ["--patience", "0"]),
        ({"seed": -1}, ["--seed", "-1"]),
        ({"strategy": "ars", "top": 129}, ["--top", "129", "1 to 128"]),
        ({"strategy": "ars", "top": 1.5}, ["--top", "1.5", "a share of them below 1"]),
        ({"strategy": "ars", "top": 0.0}, ["--top", "0.0", "a share of them below 1"]),
        ({"strategy": "ars", "top": float("nan")}, ["--top", "nan"]),
        ({"strategy": "ars", "perturbation": "node", "top": 4}, ["--top", "4", "leave it out", "easiest examples"]),
        ({"budget": "soon"}, ["--budget", "soon", "10m"]),
    ],
)
def test_a_setting_out_of_range_names_value_and_remedy(changed, words):
    with pytest.raises(ConfigError) as error:
        validation.validate(replace(TrainConfig(), **changed))
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45", 45), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("0.5h", 1800), ("1d", 86400)]
)
def test_durations(text, seconds):
    assert formats.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10x", "-5m", "0s", "10m!", "1 h"])
def test_no_durations(text):
    with pytest.raises(ConfigError):
        formats.parse_duration(text)


def test_presets_are_valid_recipes_with_title_source_and_figure():
    found = recipes.presets()
    assert {"blog", "mnist", "digits"} <= set(found)
    for name, recipe in found.items():
        validation.validate(replace(TrainConfig(), **recipe.settings))
        assert set(recipe.about) - {"for"} == {"group", "title", "source", "figure"}, name
        assert recipe.about["group"] in recipes.GROUPS, name
        assert all(recipe.about.values())
        assert "to be measured" not in recipe.about["figure"]


@pytest.mark.parametrize(
    ("task", "preset"),
    [
        ("digits", "digits"),
        ("Walker2d-v5", "walker2d"),
        ("InvertedPendulum-v4", "inverted-pendulum"),
        ("ALE/Breakout-v5", "openai-es-atari"),
        ("HumanoidStandup-v5", "openai-es-mujoco"),
        ("brax/humanoid", "brax-humanoid"),
        ("Acrobot-v1", None),
        (None, None),
    ],
)
def test_a_task_has_the_recipe_that_is_for_it(task, preset):
    base = recipes.base_config(TrainConfig(task=task))
    assert base == recipes.base_config(TrainConfig(preset=preset) if preset else TrainConfig())


def test_a_table_of_any_format_has_the_recipe_of_tables():
    of_tables = recipes.base_config(TrainConfig(preset="tables"))
    for entry in axes.DATA_FORMATS.entries.values():
        for suffix in entry.suffixes:
            for name in (f"x{suffix}", f"X{suffix.upper()}", *((f"x{suffix}.gz",) * (not entry.compressed))):
                assert recipes.base_config(TrainConfig(task=name)) == of_tables, name


def test_no_two_recipes_are_for_one_task():
    named = [pattern for recipe in recipes.presets().values() for pattern in recipe.about.get("for", "").split()]
    assert len(named) == len(set(named))
    for name, recipe in recipes.presets().items():
        assert [pattern for pattern in named if fnmatchcase(recipe.settings["task"], pattern)][1:] == [], name


def test_the_blog_preset_is_the_blogs_system():
    blog = recipes.preset("blog").settings
    assert (
        blog
        | {
            "model": "linear2",
            "batch": 128,
            "batch_sampling": "contiguous",
            "fitness": "squared_error",
            "shaping": "standardized",
            "population": 50,
            "mirrored": False,
            "noise": "gaussian",
            "sigma": 0.1,
            "lr": 0.001,
            "optimizer": "sgd",
            "weight_decay": 0.0,
        }
        == blog
    )


def test_a_flag_beats_the_recipe_and_the_recipe_beats_the_default():
    given = TrainConfig(task="digits", preset="blog")
    assert recipes.base_config(given).sigma == 0.1
    plain = TrainConfig(strategy="openai-es", perturbation="dense")
    assert recipes.base_config(TrainConfig(task="digits")) == replace(plain, **recipes.preset("digits").settings)
    assert recipes.base_config(TrainConfig(task="own.npz")) == plain


def test_a_recipe_hands_another_strategy_only_what_is_not_its_own(tmp_path):
    digits = recipes.preset("digits").settings
    base = recipes.base_config(TrainConfig(task="digits", strategy="snes"))
    assert (base.model, base.batch, base.generations) == (digits["model"], digits["batch"], digits["generations"])
    assert (base.strategy, base.noise, base.sigma, base.lr) == ("snes", "gaussian", 0.1, 1.0)
    assert base.optimizer == TrainConfig().optimizer
    assert recipes.base_config(TrainConfig(task="mnist", strategy="snes")).perturbation == "dense"
    own = tmp_path / "own.toml"
    own.write_text('strategy = "sep-cma-es"\nsigma = 0.3\n')
    base = recipes.base_config(TrainConfig(config=str(own)))
    assert (base.strategy, base.sigma, base.mirrored) == ("sep-cma-es", 0.3, False)
    assert recipes.base_config(TrainConfig(config=str(own), strategy="sep-cma-es")) == base
    assert recipes.base_config(TrainConfig(config=str(own), strategy="openai-es")).sigma == TrainConfig().sigma


def test_a_recipe_hands_another_perturbation_only_what_is_not_its_own(tmp_path):
    eggroll = recipes.preset("eggroll").settings
    base = recipes.base_config(TrainConfig(preset="eggroll", perturbation="node"))
    kept = {name: getattr(base, name) for name in eggroll if name not in PERTURBATION.own}
    assert kept == {name: value for name, value in eggroll.items() if name in kept} | {"perturbation": "node"}
    assert (base.sigma, base.directions) == (TrainConfig().sigma, TrainConfig().directions)
    same = recipes.base_config(TrainConfig(preset="eggroll", perturbation="lowrank"))
    assert same == recipes.base_config(TrainConfig(preset="eggroll"))
    # What a strategy takes away with the perturbation is that one's too.
    snes = recipes.base_config(TrainConfig(preset="eggroll", strategy="snes"))
    assert (snes.perturbation, snes.directions, snes.group, snes.noise) == ("dense", 32, 8, "gaussian")
    own = tmp_path / "own.toml"
    own.write_text('population = 64\nnoise = "table"\nbatch_sharing = "private"\n')
    for perturbation in get_args(config.Perturbation):
        base = validation.validate(recipes.base_config(TrainConfig(config=str(own), perturbation=perturbation)))
        assert base.population == (64 if perturbation == "dense" else None)


@pytest.mark.parametrize("perturbation", get_args(config.Perturbation))
@pytest.mark.parametrize("strategy", [None, *get_args(config.Strategy)])
def test_every_preset_goes_with_every_choice(strategy, perturbation):
    """What is refused is refused for the flags alone, not for what the recipe says."""
    apart = strategy in ("snes", "pgpe", "cma-es", "sep-cma-es") and perturbation != "dense"
    for name, recipe in recipes.presets().items():
        given = TrainConfig(preset=name, strategy=strategy, perturbation=perturbation)
        base = replace(recipes.base_config(given), perturbation=perturbation)
        if apart or (perturbation == "node" and is_environment(recipe.settings["task"])):
            with pytest.raises(ConfigError, match=f"--perturbation {perturbation} (is for|goes by)"):
                validation.validate(base)
        else:
            found = validation.validate(base)
            assert (found.strategy, found.perturbation) == (base.strategy, perturbation)
            assert strategy in (None, found.strategy)


@pytest.mark.parametrize("perturbation", get_args(config.Perturbation))
def test_a_setting_that_the_perturbation_does_not_read_must_stand(perturbation):
    base = recipes.base_config(TrainConfig(perturbation=perturbation))
    other = {"directions": 8, "rank": 2, "group": 4, "densify": True}
    assert set(other) == set(PERTURBATION.readers)
    for name, readers in PERTURBATION.readers.items():
        changed = replace(base, **{name: other[name]})
        if perturbation in readers:
            validation.validate(changed)
        else:
            with pytest.raises(
                ConfigError, match=f"--{name}.* is for .*{readers[-1]}.*is {perturbation}; leave it out"
            ):
                validation.validate(changed)


@pytest.mark.parametrize("strategy", get_args(config.Strategy))
def test_a_setting_that_the_strategy_does_not_read_must_stand(strategy):
    base = recipes.base_config(TrainConfig(strategy=strategy))
    assert validation.validate(base).strategy == strategy
    other = {"perturbation": "node", "shaping": "sign", "optimizer": "lion", "lr": 0.3, "lr_schedule": "linear"}
    other |= {"momentum": 0.5, "weight_decay": 0.1, "lr_sigma": 0.3, "top": 4, "mirrored": False}
    for name, readers in STRATEGY.readers.items():
        fitting = {"optimizer": "nesterov"} if name == "momentum" and strategy in readers else {}
        changed = replace(base, **{name: other[name]}, **fitting)
        if strategy in readers or changed == base:
            validation.validate(changed)
        else:
            flag = "--no-mirrored" if name == "mirrored" else f"--{name.replace('_', '-')} {other[name]}"
            with pytest.raises(ConfigError, match=f"{flag} is for .*{readers[-1]}"):
                validation.validate(changed)


def test_the_best_directions_are_a_number_or_a_share():
    for top, wanted in ((None, None), (4, 4), (0.25, 8), (0.01, 1), (0.99, 32)):
        base = validation.validate(TrainConfig(strategy="ars", population=64, top=top))
        assert validation.top_directions(base) == wanted
        again = recipes.parse_recipe(recipes.to_toml(base), "test").settings
        assert again.get("top") == top
        assert type(again.get("top")) is type(top)


def test_preset_and_config_exclude_each_other():
    with pytest.raises(ConfigError, match="exclude"):
        recipes.base_config(TrainConfig(preset="blog", config="own.toml"))


def test_an_unknown_preset_offers_the_nearest():
    with pytest.raises(ConfigError, match="did you mean blog"):
        recipes.preset("blogg")


def test_a_resumed_run_may_change_when_it_stops_and_nothing_else():
    saved = TrainConfig(task="digits")
    identity.check_resumable(saved, replace(saved, generations=9, budget="1m", target=0.9, out="x", resume="x"))
    for field in fields(TrainConfig):
        if field.metadata.get("control") or field.metadata.get("resume"):
            continue
        before = getattr(saved, field.name)
        other = {bool: not before, int: 999, float: 0.123}.get(type(before), "other")
        with pytest.raises(ConfigError, match=str(before)):
            identity.check_resumable(saved, replace(saved, **{field.name: other}))


@pytest.mark.parametrize(
    "words",
    [
        {"task": "digits", "perturbation": "node"},
        {"task": "digits", "perturbation": "dense"},
        {"task": "CartPole-v1", "perturbation": "lowrank"},
    ],
)
def test_noise_along_examples_needs_a_group_of_them(words):
    with pytest.raises(ConfigError, match=r"--noise aligned goes by the examples.*use rademacher"):
        validation.validate(TrainConfig(noise="aligned", **words))
