"""The registries: every word can be made, reads settings that there are, and is told to a person."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from nograd.config import axes
from nograd.config.dependencies import CHOICES, ENGINE
from nograd.config.recipes import base_config
from nograd.config.registry import ENVIRONMENT, Axis, Entry, load
from nograd.config.settings import TrainConfig, all_settings
from nograd.config.validate import validate
from nograd.config.values import checked
from nograd.core.types import ConfigError
from nograd.models import parse_model, parse_policy
from nograd.perturbations.dense import Dense
from nograd.strategies.base import Strategy
from nograd.training.factories import make_perturbation, make_strategy

AXES = [axis for axis in vars(axes).values() if isinstance(axis, Axis)]
ENTRIES = [pytest.param(axis, word, id=f"{axis.what}-{word}") for axis in AXES for word in axis.words]


@pytest.mark.parametrize(("axis", "word"), ENTRIES)
def test_every_word_names_what_there_is(axis, word):
    entry = axis.entry(word)
    assert all(callable(load(path)) for path in (entry.build, entry.policy) if path)
    assert "\n" not in entry.help
    assert 0 < len(entry.help) <= 80
    named = {*entry.reads, *entry.defaults, *entry.excludes, *entry.searches}
    assert named <= set(all_settings())
    assert all("search" in all_settings()[name].metadata for name in entry.searches)


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.what)
def test_an_unknown_word_offers_the_nearest(axis):
    near = axis.words[-1]
    with pytest.raises(ConfigError, match=f"unknown {axis.what}.*did you mean .*{near}"):
        axis.entry(near + "x")


def test_what_a_choice_tells_apart_belongs_to_it():
    """A recipe's value of a setting that another strategy or perturbation may not read is laid aside with it."""
    for choice in CHOICES:
        assert set(choice.readers) <= choice.own
    assert set(ENGINE.readers) == {"address", "exchange"}


@pytest.mark.parametrize("word", axes.STRATEGIES.words)
def test_every_strategy_is_made_from_its_words(word):
    config = base_config(TrainConfig(strategy=word))
    assert isinstance(make_strategy(replace(config, population=8)), Strategy)


@pytest.mark.parametrize("word", axes.PERTURBATIONS.words)
def test_every_perturbation_is_made_from_its_words(word):
    made = make_perturbation(replace(base_config(TrainConfig(perturbation=word)), sigma=0.25))
    assert type(made).__name__.lower() == word
    assert made.sigma == 0.25
    assert isinstance(made, Dense) == (word == "dense")


@pytest.mark.parametrize("word", axes.MODELS.words)
def test_every_network_is_made_from_its_word_and_spelt_the_same(word):
    entry = axes.MODELS.entry(word)
    parse = parse_model if entry.build else parse_policy
    assert ENVIRONMENT in entry.tasks
    assert parse(entry.form or word).spec == (entry.form or word)
    assert parse(word).spec.partition(":")[0] == word


def test_a_strategy_more_is_one_line(monkeypatch):
    """Parser, help, defaults and checks take a new word from its line alone, and import no JAX for it."""
    code = (
        "import sys, nograd.config.axes as axes\n"
        "from nograd.config.registry import Entry\n"
        "axes.STRATEGIES.entries['halved'] = Entry('half of a strategy', 'mine:halved', ('lr', 'top'), {'lr': 0.5})\n"
        "from nograd.cli.flags import parse_given\n"
        "from nograd.cli.usage import usage\n"
        "from nograd.config.merge import merge\n"
        "from nograd.config.settings import TrainConfig\n"
        "from nograd.config.validate import validate\n"
        "assert 'half of a strategy' in usage(TrainConfig, 'nograd train')\n"
        "given = parse_given(TrainConfig, 'digits --strategy halved --optimizer sgd'.split(), 'nograd train')\n"
        "assert merge(given).lr == 0.5 and 'jax' not in sys.modules\n"
        "validate(merge(given))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "--optimizer sgd is for openai-es, ars and pgpe, and the strategy is halved" in ran.stderr
    entry = Entry("half of a strategy", "nograd.strategies.snes:snes", ("lr",), {"lr": 0.5})
    monkeypatch.setitem(axes.STRATEGIES.entries, "halved", entry)
    assert isinstance(make_strategy(TrainConfig(strategy="halved", noise="gaussian", population=8)), Strategy)


SETTINGS = {name: one.metadata["axis"] for name, one in all_settings().items() if "axis" in one.metadata}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_word_that_a_registry_gets_later_is_a_value_of_its_setting(name, monkeypatch):
    """Where settings are made, and by every door: words are looked up when a value is checked."""
    monkeypatch.setitem(SETTINGS[name].entries, "added", Entry("added", "mine:added"))
    assert checked(all_settings()[name], "added", name) == "added"
    assert getattr(validate(TrainConfig(task="digits", **{name: "added"})), name) == "added"


def test_every_setting_is_searched_or_not_by_its_field_alone():
    for field in fields(TrainConfig):
        if "search" in field.metadata:
            assert field.metadata["search"].endswith(")")
