"""Laws of a task: its record, its state, and generations on one process."""

import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nograd.engines.inline import Inline
from nograd.generation.base import run_keys
from nograd.strategies.openai_es import openai_es
from nograd.tasks.base import Task
from nograd.testing.laws import Law, bits, laws_of, require

_STRATEGY = openai_es(8, 0.1, noise="rademacher", chunks=2)


def task_laws(make: Callable[[], Task]) -> list[Law]:
    """The laws of a task, to be called one by one.

    Args:
        make: returns a small task: a population of 8 is evaluated on it a few times.
    """
    laws = (
        its_record_is_json_and_its_checksum_its_own,
        any_state_has_the_shapes_that_it_says,
        scores_hold_the_measure,
        what_workers_read_comes_first_in_a_state,
        generations_are_functions_of_state_and_keys,
    )
    return laws_of(laws, make)


def its_record_is_json_and_its_checksum_its_own(make: Callable[[], Task]) -> None:
    """The record is valid JSON; equal tasks have equal records and checksums."""
    task, again = make(), make()
    record = json.loads(json.dumps(task.record()))
    require(record == json.loads(json.dumps(again.record())), "two equal tasks have different records")
    require(record["checksum"] == task.checksum == again.checksum, "the record must hold the checksum")
    require(bool(task.note) and "\n" not in task.note, "the note must be one line")


def any_state_has_the_shapes_that_it_says(make: Callable[[], Task]) -> None:
    """`state_shapes` gives the shapes of a real state; checkpoints are read with them."""
    task = make()
    shapes = task.state_shapes(jax.eval_shape(lambda: _search(task)))
    kinds = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(tree)] for tree in (shapes, _begun(task))]
    require(kinds[0] == kinds[1], f"state_shapes says {kinds[0]}, and begin gives {kinds[1]}")


def scores_hold_the_measure(make: Callable[[], Task]) -> None:
    """The scores have the names of the measure; the interval of the test score contains it."""
    task = make()
    params, measure = _begun(task).params, task.measure
    scores, tested = task.scores(params), task.tested(params)
    require(measure.val in scores, f"scores must hold {measure.val}, got {sorted(scores)}")
    require(measure.test in tested, f"tested must hold {measure.test}, got {sorted(tested)}")
    json.dumps([scores, tested])
    found = tested["test_interval"]
    require(found is None or found[0] <= tested[measure.test] <= found[1], "the interval must hold the score")


def what_workers_read_comes_first_in_a_state(make: Callable[[], Task]) -> None:
    """The arrays that workers read are the first leaves of the state."""
    task = make()
    state = _begun(task)
    pairs = zip(_generation(task).leaves(state), jax.tree.leaves(state), strict=False)
    require(all(left is right for left, right in pairs), "what is published must be the state's first leaves")


def generations_are_functions_of_state_and_keys(make: Callable[[], Task]) -> None:
    """Two trainings with the same seed have the same bits, and their fitness is finite."""
    found = []
    for _ in range(2):
        task = make()
        shapes = task.state_shapes(jax.eval_shape(lambda task=task: _search(task)))
        engine, state = Inline(_generation(task), shapes, run_keys(3)), _begun(task)
        for _ in range(2):
            state, outcome = engine.step(state)
        found.append(bits((state, outcome.info)))
        require(int(outcome.info.dropped) == 0, "a member has no finite fitness")
        require(bool(np.isfinite(np.asarray(outcome.info.fitness_mean))), "the fitness must be finite")
    require(found[0] == found[1], "two trainings with the same seed differ")


def _search(task: Task) -> Any:
    return _STRATEGY.init(task.model.init(run_keys(3).init))


def _begun(task: Task) -> Any:
    return task.begin(_search(task))


def _generation(task: Task) -> Any:
    return task.generation(_STRATEGY, task.population(_STRATEGY.perturbation, _STRATEGY.chunks), 60.0)
