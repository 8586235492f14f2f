"""The search space: words to distributions, draws by address, children with their parents, and its mistakes."""

import math
import re
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from nograd.config import axes
from nograd.config.dependencies import STRATEGY, over_defaults
from nograd.config.recipes import base_config, parse_recipe, presets, to_toml
from nograd.config.settings import Strategy, TrainConfig
from nograd.config.task_settings import is_environment, reads
from nograd.config.validate import top_directions, validate
from nograd.core.types import ConfigError
from nograd.tuning.conditions import conditions
from nograd.tuning.dimension import describe, parse_dimension, value_at
from nograd.tuning.settings import SearchConfig, base_of, changes_of, terms_of
from nograd.tuning.space import (
    address,
    draw,
    make_space,
    own_range,
    parse_changes,
    random_value,
    searchable,
    seed_at,
    trial_config,
    try_draws,
)  # fmt: skip

STRATEGIES, READERS = get_args(Strategy), STRATEGY.readers
DIGITS = base_config(TrainConfig(task="digits"))


def drawn(space, number=0, base=DIGITS, seed=0):
    return draw(space, random_value(seed, number), base)


def named(space):
    return {dimension.name: dimension for dimension in space}


# One dimension -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words", "law"),
    [
        ("momentum", "uniform(0.5, 0.99)", stats.uniform(0.5, 0.49)),
        ("lr", "log(0.001, 1)", stats.loguniform(0.001, 1)),
        ("sigma", "chi()", stats.chi(1, scale=1 / math.sqrt(12))),
    ],
)
def test_a_continuous_dimension_has_its_law(name, words, law):
    dimension = parse_dimension(name, words)
    for seed in range(3):
        values = [random_value(seed, number)(dimension) for number in range(2000)]
        assert stats.kstest(values, law.cdf).pvalue > 1e-3
        # Random search must know every value again from its address alone.
        assert values[7] == random_value(seed, 7)(dimension)


@pytest.mark.parametrize("words", ["int(1, 6)", "choice(1, 2, 3, 4, 5, 6)"])
def test_a_die_is_fair(words):
    dimension = parse_dimension("population", words)
    counts = np.bincount([random_value(0, number)(dimension) for number in range(6000)], minlength=7)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:]).pvalue > 1e-3


def test_a_logarithmic_whole_number_gives_each_octave_its_share():
    dimension = parse_dimension("population", "log_int(8, 512)")
    values = np.array([random_value(0, number)(dimension) for number in range(4000)])
    assert values.min() == 8
    assert values.max() == 512
    low = np.mean(values < 64)
    assert abs(low - 0.5) < 4 * math.sqrt(0.25 / 4000) + 0.02  # the ends round outward


@pytest.mark.parametrize(
    "words",
    ["uniform(0.5, 0.99)", "log(0.001, 1)", "choice(0.1, 0.25)", "fixed(0.01)", "log(1e-05, 0.5)"],
)
def test_words_read_back(words):
    assert describe(parse_dimension("lr", words)) == words


def test_quotes_keep_a_comma_and_truth_values_are_read():
    assert parse_dimension("model", 'choice("mlp:8,4", mlp:8)').choices == ("mlp:8,4", "mlp:8")
    assert describe(parse_dimension("model", 'choice("mlp:8,4", mlp:8)')) == 'choice("mlp:8,4", mlp:8)'
    assert parse_dimension("mirrored", "choice(true, false)").choices == (True, False)


def test_quantiles_are_monotone_and_reach_the_ends():
    dimension = parse_dimension("lr", "log(0.001, 1)")
    values = [value_at(dimension, u) for u in np.linspace(1e-9, 1 - 1e-9, 101)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.001, 1.0)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("lr", "0.1", "no distribution"),
        ("lr", "lag(1, 2)", "did you mean log"),
        ("lr", "log(1, 0.1)", "write log(0.1, 1.0)"),
        ("lr", "log(-1, 1)", "begins above 0"),
        ("lr", "log(0, inf)", "two numbers"),
        ("lr", "int(1, 2)", "no whole number"),
        ("lr", "uniform(a, b)", "must be a number"),
        ("lr", "uniform(1)", "two numbers"),
        ("lr", "choice()", "values with commas"),
        ("lr", "fixed(1, 2)", "one value"),
        ("lr", "chi()", "for sigma"),
        ("population", "uniform(1, 2)", "whole number"),
        ("optimizer", "choice(adamm, sgd)", "did you mean adam"),
    ],
)
def test_a_wrong_distribution_is_one_line(name, words, said):
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        parse_dimension(name, words)
    assert "\n" not in str(caught.value)
    assert f"--search {name}={words}" in str(caught.value)


# Addresses -----------------------------------------------------------------------------------------------


def test_addresses_are_uniform_and_unrelated():
    for seed in range(3):
        first, second = (np.array([address(seed, k, name) for k in range(4000)]) for name in ("lr", "sigma"))
        assert 0 < first.min() < first.max() < 1
        assert stats.kstest(first, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(4000)
        assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 5 / math.sqrt(4000)


def test_seeds_of_trials_and_of_the_winner_differ():
    seeds = {seed_at(0, "trial", k) for k in range(1000)} | {seed_at(0, "confirm", k) for k in range(10)}
    assert len(seeds) == 1010
    assert all(0 <= seed < 2**32 for seed in seeds)


# The space -----------------------------------------------------------------------------------------------


def test_every_searchable_setting_has_a_range_that_can_be_trained():
    walker = base_config(TrainConfig(task="HalfCheetah-v5", strategy="openai-es"))
    for name in searchable():
        bases = [base for base in (DIGITS, walker) if reads(base.task, name)]
        assert bases
        for base in bases:
            dimension = parse_dimension(name, own_range(name, base.task), conditions(name, base.task))
            for quantile in (1e-6, 0.3, 0.7, 1 - 1e-6):
                parents = {parent: among[0] for parent, among in dimension.when}
                validate(trial_config(base, parents | {name: value_at(dimension, quantile)}, 0))


@pytest.mark.parametrize("perturbation", ["dense", "lowrank", "node"])
def test_the_default_space_can_be_trained_throughout(perturbation):
    base = base_of(SearchConfig(task="digits", perturbation=perturbation))
    space = make_space(base, "default", {}, 1297)
    assert {"sigma", "lr", "optimizer", "batch"} <= named(space).keys()
    assert try_draws(base, space) == (0, "")
    assert max(named(make_space(base, "default", {}, 100))["batch"].choices) == 64


def test_a_child_is_drawn_with_its_parent_only():
    space = make_space(DIGITS, "default", {})
    for number in range(60):
        settings = drawn(space, number)
        assert ("momentum" in settings) == (settings["optimizer"] == "momentum")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_has_a_default_space_of_what_it_reads(strategy):
    base = base_of(SearchConfig(task="digits", strategy=strategy))
    space = make_space(base, "default", {}, 1297)
    assert {"sigma", "population", "batch"} <= named(space).keys()
    assert all(strategy in READERS.get(name, STRATEGIES) for name in named(space))
    assert ("lr_sigma" in named(space)) == (strategy in READERS["lr_sigma"])
    assert not any(parent == "strategy" for dimension in space for parent, _ in dimension.when)
    assert try_draws(base, space) == (0, "")


@pytest.mark.parametrize("perturbation", ["dense", "lowrank"])
@pytest.mark.parametrize("preset", ["cartpole", "mujoco", "openai-es-atari"])
def test_an_environment_has_a_default_space_of_what_it_reads(preset, perturbation):
    base = base_of(SearchConfig(preset=preset, perturbation=perturbation))
    assert base.split_seed is None
    for changes in ({}, {"strategy": ""}, {"strategy": "", "perturbation": ""}):
        space = make_space(base, "default", changes)
        assert "population" in named(space)
        assert all(reads(base.task, name) for name in named(space))
        assert try_draws(base, space) == (0, ""), changes
    with pytest.raises(ConfigError, match=r"--search batch: the task .* is an environment"):
        make_space(base, "default", {"batch": ""})
    with pytest.raises(ConfigError, match="--search episodes: the task digits is a data set"):
        make_space(DIGITS, "default", {"episodes": ""})
    wanted = named(make_space(base, "only", {"observations": "", "episodes": "", "population": ""}))
    assert wanted.keys() == {"observations", "episodes", "population"}


OF_DATA = [name for name, recipe in presets().items() if not is_environment(recipe.settings["task"])]


@pytest.mark.parametrize("name", OF_DATA)
def test_every_recipe_has_a_default_space_with_and_without_strategies(name):
    base = base_of(SearchConfig(preset=name))
    for changes in ({}, {"strategy": ""}, {"strategy": "", "perturbation": ""}):
        space = make_space(base, "default", changes, 1297)
        assert try_draws(base, space) == (0, ""), changes


def test_the_best_directions_are_drawn_as_a_share_of_any_population():
    base = base_of(SearchConfig(task="digits", strategy="ars"))
    space = make_space(base, "only", {"population": "choice(2, 6, 64, 4096)", "top": ""})
    assert try_draws(base, space) == (0, "")
    for number in range(200):
        config = validate(trial_config(base, drawn(space, number, base), 0))
        directions, top = config.population // 2, top_directions(config)
        assert 1 <= top <= directions
        assert abs(top - config.top * directions) <= max(0.5, 1 - config.top * directions)


def test_a_drawn_strategy_has_its_own_settings_and_no_other():
    space = make_space(DIGITS, "default", {"strategy": "", "lr_schedule": "", "weight_decay": ""}, 1297)
    order = list(named(space))
    assert all(order.index(parent) < order.index(child.name) for child in space for parent, _ in child.when)
    seen = dict.fromkeys(STRATEGIES, 0)
    for number in range(200):
        settings = drawn(space, number)
        strategy = settings["strategy"]
        seen[strategy] += 1
        assert all(strategy in READERS.get(name, STRATEGIES) for name in settings)
        must = {name for name, readers in READERS.items() if strategy in readers} & named(space).keys() - {"momentum"}
        assert must <= settings.keys()
        assert ("momentum" in settings) == (settings.get("optimizer") == "momentum")
        # What is not drawn is what `nograd train digits --strategy` has.
        own = base_config(TrainConfig(task="digits", strategy=strategy))
        config = validate(trial_config(DIGITS, settings, 3))
        assert config == replace(own, **settings, seed=3)
        again = parse_recipe(to_toml(config), "best.toml")  # what the winner is saved as
        assert replace(TrainConfig(), **over_defaults(again.settings, {})) == config
    assert all((seen[word] > 20) == entry.searched for word, entry in axes.STRATEGIES.entries.items())


def test_a_fixed_strategy_is_that_of_the_flag():
    flag = base_of(SearchConfig(task="digits", strategy="ars"))
    base = base_of(SearchConfig(task="digits"))
    space = make_space(base, "only", {"strategy": "fixed(ars)", "top": "", "lr": ""})
    assert named(space).keys() == {"strategy", "top", "lr"}
    for number in range(5):
        settings = drawn(space, number)
        assert trial_config(base, settings, 1) == trial_config(flag, settings, 1)


def test_a_setting_that_only_some_strategies_read_says_so():
    space = named(make_space(DIGITS, "only", {"strategy": "choice(openai-es, snes, ars)", "top": "", "lr_sigma": ""}))
    assert describe(space["top"]) == "log(0.05, 0.95) where strategy is ars"
    assert describe(space["lr_sigma"]) == "log(0.001, 1) where strategy is snes"
    wide = named(make_space(DIGITS, "only", {"strategy": "", "perturbation": "", "directions": ""}))
    assert describe(wide["perturbation"]).endswith("where strategy is openai-es or ars")
    assert describe(wide["directions"]).endswith("where perturbation is lowrank or node")


def test_a_perturbation_that_is_asked_for_stays_with_a_drawn_strategy():
    given = SearchConfig(task="digits", perturbation="node", search=("strategy=choice(openai-es, ars)", "sigma"))
    base = base_of(given)
    space = make_space(base, "only", changes_of(given))
    configs = [trial_config(base, drawn(space, number, base), 0) for number in range(20)]
    assert {(config.strategy, config.perturbation) for config in configs} == {("openai-es", "node"), ("ars", "node")}


@pytest.mark.parametrize("name", ["mnist", "eggroll", "openai-es"])
def test_a_drawn_perturbation_is_that_of_the_flag(name):
    base = base_of(SearchConfig(preset=name))
    space = make_space(base, "only", {"perturbation": "", "rank": "", "directions": "", "lr": ""})
    for number in range(30):
        settings = drawn(space, number, base)
        flag = base_of(SearchConfig(preset=name, perturbation=settings["perturbation"]))
        assert trial_config(base, settings, 1) == replace(flag, **settings, seed=1)
        assert ("directions" in settings) == (settings["perturbation"] != "dense")


def test_a_draw_does_not_depend_on_what_else_is_searched():
    narrow = make_space(DIGITS, "only", {"lr": "", "sigma": ""})
    wide = make_space(DIGITS, "default", {"weight_decay": ""})
    for number in range(5):
        few, many = drawn(narrow, number), drawn(wide, number)
        assert few == {name: many[name] for name in few}


def test_settings_without_a_meaning_go_back_to_their_defaults():
    base = TrainConfig(task="digits", population=64)
    space = make_space(base, "only", {"perturbation": "choice(dense, node)", "directions": ""})
    found = {drawn(space, number, base)["perturbation"] for number in range(20)}
    assert found == {"dense", "node"}
    for number in range(20):
        config = validate(trial_config(base, drawn(space, number, base), 5))
        # It is what a flag gives.
        flagged = base_config(TrainConfig(task="digits", perturbation=config.perturbation))
        assert config.sigma == flagged.sigma
        assert config.population == (64 if config.perturbation == "dense" else None)
        assert config.seed == 5


def test_the_blogs_space():
    base = base_of(SearchConfig(space="blog"))
    assert (base.task, base.model, base.mirrored) == ("mnist", "linear2", False)
    space = make_space(base, "blog", {})
    assert {name: describe(dimension) for name, dimension in named(space).items()} == {
        "population": "int(1, 150)",
        "lr": "choice(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5)",
        "sigma": "chi()",
    }
    assert try_draws(base, space) == (0, "")


def test_changes_override_and_fix():
    space = named(make_space(DIGITS, "default", parse_changes(["lr=fixed(0.5)", "population=int(2,4)", "noise"])))
    assert describe(space["lr"]) == "fixed(0.5)"
    assert describe(space["population"]) == "int(2, 4)"
    assert space["noise"].choices == ("gaussian", "rademacher")
    failing, why = try_draws(DIGITS, make_space(DIGITS, "default", {"population": "int(2, 4)"}))
    assert 15 < failing < 55  # one in three is odd
    assert "must be even" in why


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lrr": ""}, "did you mean lr"),
        ({"seed": ""}, "cannot be searched"),
        ({"rank": ""}, "where perturbation is dense"),
        ({"top": ""}, "where strategy is openai-es; leave it out, or let strategy be ars"),
        ({"strategy": "choice(snes, ars)", "lr_sigma": "", "rank": ""}, "where perturbation is dense"),
        ({"strategy": "choice(snes, adam)"}, "choose one of openai-es, ars"),
        ({"lr_sigma": "log(0, 1)"}, "begins above 0"),
        ({"top": "uniform(1, 2)"}, "whole number"),
        ({"lr": "fixed(0.1)"}, "nothing to search"),
    ],
)
def test_a_wrong_space_is_one_line(changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        make_space(DIGITS, "only", changes)
    assert "\n" not in str(caught.value)


def test_a_space_that_cannot_be_trained_is_refused():
    space = make_space(DIGITS, "only", {"lr": "fixed(-1)", "sigma": ""})
    with pytest.raises(ConfigError, match="nothing in this space can be trained"):
        try_draws(DIGITS, space)


def test_a_setting_named_twice_is_refused():
    with pytest.raises(ConfigError, match="twice"):
        parse_changes(["lr=log(0.1,1)", "lr"])


# Flags ---------------------------------------------------------------------------------------------------


def test_a_recipe_brings_its_table_and_flags_go_over_it(tmp_path):
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        'task = "digits"\nbudget = "5s"\nworkers = "2"\n[search]\nlr = "log(0.01, 1)"\nsigma = "fixed(0.1)"\n'
    )
    given = SearchConfig(config=str(recipe), search=("lr=log(0.1, 1)",), trials=3)
    assert changes_of(given) == {"lr": "log(0.1, 1)", "sigma": "fixed(0.1)"}
    base = base_of(given)
    # A trial is one process, and its time is the search's matter.
    assert (base.task, base.budget, base.workers, base.split_seed) == ("digits", None, "auto", 0)
    terms = terms_of(given, base, changes_of(given))
    assert (terms.budget, terms.trials, terms.sampler, terms.confirm) == (None, 3, "random", 3)
    recipe.write_text('task = "digits"\n[search]\nlr = 3\n')
    with pytest.raises(ConfigError, match=r"search\.lr must be a text"):
        changes_of(given)


def test_more_evaluations_than_can_be_kept_are_refused():
    with pytest.raises(ConfigError, match="use 500 or more"):
        base_of(SearchConfig(task="digits", generations=500_000))


def test_without_budget_and_trials_there_is_an_end():
    given = SearchConfig(task="digits")
    assert terms_of(given, base_of(given), {}).budget_seconds == 3600
