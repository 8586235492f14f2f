"""No two leaves are one: names and streams of trees of any containers and keys, generated."""

import string
from collections import OrderedDict
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nograd.core.random import ANGLE_STREAM, ROW_STREAM
from nograd.core.trees import ROOT, leaf_names, leaf_streams, plain_names, relative_name, shown_names
from nograd.runs.checkpoint import load_checkpoint, save_checkpoint


class Pair(NamedTuple):
    a: object
    b: object


@jax.tree_util.register_pytree_with_keys_class
class Repeats:
    """A container of a user's own whose keys say nothing."""

    def __init__(self, *children):
        self.children = children

    def tree_flatten_with_keys(self):
        return [(jax.tree_util.GetAttrKey("a"), child) for child in self.children], None

    @classmethod
    def tree_unflatten(cls, aux, children):
        return cls(*children)


# Short keys of the characters that could be taken for a separator, so that clashes are likely.
TEXTS = st.text("ab01/~.\0é\ud800", max_size=3) | st.sampled_from(
    ["(root)", "__metadata__", "0~int", "plumless", "buckeroo"]
)
KEYS = TEXTS | st.integers(0, 1) | st.none() | st.tuples(st.integers(0, 1))


def containers(children):
    return st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        st.dictionaries(TEXTS, children, max_size=3),
        st.lists(st.tuples(KEYS, children), max_size=3).map(OrderedDict),  # keys of several types
        st.tuples(children, children).map(lambda two: Pair(*two)),
        st.lists(children, max_size=2).map(lambda some: Repeats(*some)),
    )


LEAVES = st.integers(0, 9).map(lambda number: np.full(2, number, np.float32))
TREES = st.recursive(LEAVES | st.none(), containers, max_leaves=12)


@settings(max_examples=200, deadline=None)
@example({"a/b": np.zeros(2), "a": {"b": np.zeros(2)}})
@example(OrderedDict([(0, np.zeros(2)), ("0", np.zeros(2))]))
@example({"plumless": np.zeros(2), "buckeroo": np.zeros(2)})  # two texts of one CRC-32
@example(np.zeros(2))
@example({"": np.zeros(2)})
@example({"__metadata__": np.zeros(2)})
@given(TREES)
def test_no_two_leaves_share_a_name_or_a_stream_and_all_come_back(tmp_path_factory, tree):
    names, streams = leaf_names(tree), leaf_streams(tree)
    assert len(set(names)) == len(names) == len(jax.tree.leaves(tree))
    drawn = [s ^ more for s in streams for more in (0, ANGLE_STREAM, ROW_STREAM, ANGLE_STREAM ^ ROW_STREAM)]
    assert len(set(drawn)) == len(drawn)
    path = tmp_path_factory.mktemp("trees") / "c.safetensors"
    numbered = jax.tree.unflatten(jax.tree.structure(tree), [np.full(2, i, np.float32) for i in range(len(names))])
    save_checkpoint(path, {"params": numbered, "params/0": np.zeros(1), "other": np.zeros(1)}, {})
    loaded, _ = load_checkpoint(path, numbered, part="params")
    assert [int(leaf[0]) for leaf in jax.tree.leaves(loaded)] == list(range(len(names)))
    save_checkpoint(path, numbered, {})
    loaded, _ = load_checkpoint(path, numbered)
    assert [int(leaf[0]) for leaf in jax.tree.leaves(loaded)] == list(range(len(names)))


PLAIN = st.recursive(
    LEAVES,
    lambda children: (
        st.lists(children, min_size=1, max_size=3)
        | st.dictionaries(st.text(string.ascii_letters + string.digits + "_. -", min_size=1), children, min_size=1)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(PLAIN)
def test_ordinary_names_are_the_plain_paths(tree):
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    plain = [jax.tree_util.keystr(path, simple=True, separator="/") or ROOT for path, _ in paths]
    assert leaf_names(tree) == plain


def test_streams_of_ordinary_trees_are_the_ones_that_all_runs_were_drawn_with():
    assert leaf_streams([{"kernel": 0, "bias": 0}, {"w": (0, 0)}]) == [2515184540, 889912937, 3343494999, 2957942721]
    assert leaf_streams(jnp.zeros(3)) == [0]


@pytest.mark.parametrize(
    ("name", "part", "wanted"),
    [
        ("a/b", "", "a/b"),
        ("a/b", "a", "b"),
        ("a", "a", ROOT),
        ("ab", "a", None),
        ("search/params", "search/params", ROOT),
        ("search/params/w", "search/params", "w"),
    ],
)
def test_names_as_seen_from_a_part(name, part, wanted):
    assert relative_name(name, part) == wanted


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "0", "a/b", "~", "~1", "/"]), min_size=1, max_size=3), max_size=6))
def test_shown_names_differ_and_are_keys_as_people_write_them(paths):
    tree = {}
    for path in paths:
        tree["/".join(path)] = 0.0
    names, shown = leaf_names(tree), shown_names(tree)
    assert len(set(shown)) == len(names)
    if not any("~" in key for key in tree):
        assert shown == sorted(tree)
    assert plain_names(shown) == shown  # the names of a file that was written so are found again
    assert shown_names({"a": {"b": 0.0}, "a/b": 1.0}) == ["a/b", "a~1b"]
