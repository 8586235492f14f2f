"""Values of settings: the same check at every door, whatever the types of what comes."""

import inspect
import pathlib
import typing
from dataclasses import fields

import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.cli.flags import parse_given
from nograd.config.axes import STRATEGIES
from nograd.config.merge import ALIASES, check_given, merge
from nograd.config.settings import TrainConfig, all_settings
from nograd.config.values import form_of
from nograd.core.types import ConfigError
from nograd.training.from_python import NOT_GIVEN

NUMBERS = [name for name, one in all_settings().items() if {int, float} & set(one.form.types)]
TRUTHS = [name for name, one in all_settings().items() if bool in one.form.types]
WORDS = [name for name, one in all_settings().items() if one.form.choices]
TEXTS = [name for name, one in all_settings().items() if one.form.types == (str,) and not one.form.choices]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_other_libraries_are_numbers(name):
    whole = int in all_settings()[name].form.types
    kinds = [np.int64, np.uint8, np.int32, lambda x: np.array(x), jnp.int32] if whole else [np.float64, np.int16]
    for kind in kinds:
        value = check_given({name: kind(3)})[name]
        assert value == 3
        assert type(value) in all_settings()[name].form.types
    if not whole:
        assert check_given({name: np.float32(0.5)}) == {name: 0.5}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", ["3", True, np.bool_(True), [3], np.ones(2), 3j, object(), b"3"], ids=lambda value: type(value).__name__
)
def test_what_is_no_number_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be a.* number") as error:
        check_given({name: value})
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("value", ["no", "false", 0, 1, None, 1.0])
def test_only_a_truth_value_is_one(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must be true or false"):
        check_given({name: value})
    assert check_given({name: np.bool_(False)}) == {name: False}


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("change", [str.upper, str.title, lambda word: word + "x", lambda word: f"({word})", len])
def test_a_word_is_one_of_its_words(name, change):
    word = all_settings()[name].form.choices[-1]
    with pytest.raises(ConfigError, match=f"^{name} cannot be .*(did you mean|choose one of)"):
        check_given({name: change(word)})
    assert check_given({name: np.str_(word)}) == {name: word}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_a_text(name):
    for value in (object(), 3j, b"x", ["x"]):
        with pytest.raises(ConfigError, match=f"^{name} must be a text"):
            check_given({name: value})
    with pytest.raises(ConfigError, match="null character"):
        check_given({name: "a\0b"})
    about = all_settings()[name].metadata
    if about.get("numeric"):
        assert check_given({name: 2}) == check_given({name: np.int64(2)}) == {name: "2"}
    else:
        with pytest.raises(ConfigError, match=f"^{name} must be a text, got 2"):
            check_given({name: 2})
    if about.get("path"):
        assert check_given({name: pathlib.PurePosixPath("a/b")}) == {name: "a/b"}


def test_a_setting_given_in_python_is_merged_as_a_flag_is():
    given = check_given({"task": "digits", "strategy": "snes", "lr": np.float64(0.5)})
    assert merge(given).lr == 0.5
    assert merge(given).noise == "gaussian"


@pytest.mark.parametrize("name", ["preset", "config", "out"])
def test_what_a_resumption_cannot_have_is_refused(name):
    with pytest.raises(ConfigError, match=f"--{name} x cannot go with --resume.*leave it out"):
        merge({name: "x", "resume": "run"}, TrainConfig())
    assert merge({"resume": "run", "generations": 7}, TrainConfig(lr=0.3)) == TrainConfig(
        lr=0.3, resume="run", generations=7
    )
    with pytest.raises(ConfigError, match="cannot resume with another --lr"):
        merge({"lr": 0.1}, TrainConfig(lr=0.3))


@pytest.mark.parametrize("alias", ALIASES)
def test_the_words_of_other_libraries_are_understood_in_errors(alias):
    with pytest.raises(ConfigError, match=f"did you mean {ALIASES[alias]}"):
        check_given({alias: 1})


@pytest.mark.parametrize("alias", [alias for alias in ALIASES if len(alias) > 5 and ALIASES[alias] != "task"])
def test_they_are_understood_with_a_typing_error(alias):
    """Two letters that have changed places, as in leraning_rate."""
    wrong = alias[0] + alias[2] + alias[1] + alias[3:]
    with pytest.raises(ConfigError, match=f"did you mean .*{ALIASES[alias]}"):
        check_given({wrong: 1})
    flag, meant = (f"--{word.replace('_', '-')}" for word in (wrong, ALIASES[alias]))
    with pytest.raises(ConfigError, match=f"did you mean .*{meant}"):
        parse_given(TrainConfig, [flag, "1"], "nograd train")


def test_every_setting_is_a_keyword_of_train_with_its_type():
    """An editor completes what is written out; this is what keeps it the dataclass's."""
    parameters = inspect.signature(ng.train).parameters
    hints = typing.get_type_hints(ng.train)
    known = {field.name for field in fields(TrainConfig)}
    assert known | {"y", "observer", "show", "unknown"} == set(parameters)
    assert [name for name in parameters if name in known] == [field.name for field in fields(TrainConfig)]
    for name in known - {"task"}:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is NOT_GIVEN
        form = all_settings()[name].form
        accepted = typing.get_args(hints[name]) or (hints[name],)
        if form.choices and typing.get_origin(hints[name]) is typing.Literal:
            assert form_of(hints[name]).choices == form.choices
        elif not form.choices:
            assert set(form.types) <= set(accepted), name
    assert repr(NOT_GIVEN) == "<not given>"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"generation": 3}, ["unknown setting 'generation'", "generations"]),
        ({"strategy": 3}, ["strategy cannot be 3", "nograd.snes"]),
        ({"perturbation": "foo"}, ["perturbation cannot be 'foo'", "dense, lowrank, node"]),
        ({"perturbation": 0.1}, ["perturbation cannot be 0.1", "nograd.dense"]),
        ({"optimizer": lambda: 0}, ["optimizer cannot be", "optax.adam"]),
        ({"fitness": 1}, ["fitness cannot be 1", "(outputs, labels)"]),
        ({"out": 3}, ["out must be a text, got 3"]),
        ({"out": "x" * 300}, ["--out", "255 bytes"]),
        ({"generations": 2**40}, ["--generations", "2147483647 or less"]),
        ({"address": "here:1"}, ["--address here:1 is for ray", "--engine ray"]),
        ({"deadline": float("inf")}, ["--deadline", "inf"]),
    ],
)
def test_a_wrong_keyword_is_one_line_and_writes_nothing(given, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ng.NogradError) as error:
        ng.train("digits", **given)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"sampler": "tpee"}, ["sampler cannot be 'tpee'", "tpe"]),
        ({"space": "Blog"}, ["space cannot be 'Blog'"]),
        ({"trials": "3"}, ["trials must be a whole number"]),
        ({"trials": 0}, ["--trials cannot be 0", "1 or more"]),
        ({"json": "no"}, ["json must be true or false"]),
        ({"epochs": 3}, ["unknown setting 'epochs'", "generations"]),
        ({"workers": 0}, ["--workers", "'0'", "auto or a number"]),
    ],
)
def test_a_search_checks_its_keywords_alike(flags, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ng.NogradError) as error:
        ng.search("digits", **flags)
    assert all(word in str(error.value) for word in words), error.value
    assert not list(tmp_path.iterdir())


def test_the_words_of_a_union_are_those_of_all_its_parts():
    """`--strategy` of `nograd minimize` takes auto and every strategy."""
    from nograd.cli.flags import parse_given
    from nograd.cli.minimize import MinimizeConfig

    assert form_of(typing.Literal["a"] | typing.Literal["b", "c"] | None).choices == ("a", "b", "c")
    for word in ("auto", *STRATEGIES.words):
        assert parse_given(MinimizeConfig, ["m:f", "--strategy", word], "nograd minimize")["strategy"] == word
