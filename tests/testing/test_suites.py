"""nograd's own implementations keep the laws that it ships for those of others, and the laws find what breaks them."""

import jax.numpy as jnp
import numpy as np
import pytest
from blobs import make_blobs

import nograd as ng
from nograd.core.metrics import Measure
from nograd.engines.inline import Inline
from nograd.engines.processes import process_engine
from nograd.models import build_model, mlp
from nograd.tasks.classification import CLASSES, Classes
from nograd.tasks.control import Environment
from nograd.tasks.fitness import cross_entropy
from nograd.tasks.supervised import supervised
from nograd.testing import engine_laws, observer_laws, perturbation_laws, targets_laws, task_laws
from nograd.testing.laws import Law

BLOBS = make_blobs(120)


def each(laws):
    return pytest.mark.parametrize("law", laws, ids=str)


def classification():
    return supervised(BLOBS, build_model(mlp(4), (4,), 3), cross_entropy, 16)


class Numbers:
    """Targets that are one number: what another file would add."""

    word = "plain_numbers"
    measure = Measure("squared_error", ".4f", "mean squared error", "examples", 0.0, higher=False)
    fitnesses = {"negative_error": lambda outputs, y: -jnp.square(outputs[:, 0] - y)}  # noqa: RUF012
    sections = ()

    def fits(self, dataset):
        return np.issubdtype(dataset.y_train.dtype, np.floating)

    def width(self, dataset):
        return 1

    def figures(self, outputs, targets):
        errors = (outputs[:, 0] - targets) ** 2
        error = float(errors.std(ddof=1) / len(errors) ** 0.5) if len(errors) > 1 else None
        return {"squared_error": float(errors.mean()), "squared_error_error": error}

    def predictions(self, outputs):
        return outputs[:, 0]

    def table(self, outputs, details=False):
        return "\n".join(["number", *(f"{value:.6g}" for value in outputs[:, 0])]) + "\n"


NUMBERS = Numbers()
OF_NUMBERS = BLOBS._replace(**{f"y_{split}": getattr(BLOBS, f"x_{split}").sum(1) for split in ("train", "val", "test")})


def regression():
    fitness = NUMBERS.fitnesses["negative_error"]
    return supervised(OF_NUMBERS, build_model(mlp(4), (4,), 1), fitness, 16, targets=NUMBERS)


def control():
    env_spec = ng.environment("jaxworlds:Walk")
    model = build_model(mlp(), env_spec.observation.input_shape, 1)
    return Environment(env_spec, model, eval_episodes=4, limit=8)


@each(targets_laws(lambda: (CLASSES, BLOBS)) + targets_laws(lambda: (NUMBERS, OF_NUMBERS)))
def test_kinds_of_target(law):
    law()


@each(task_laws(classification))
def test_classification(law):
    law()


@each(task_laws(regression))
def test_a_task_on_numbers_of_ones_own(law):
    law()


@each(task_laws(control))
def test_control(law):
    law()


PERTURBATIONS = {
    "dense": lambda: ng.dense(0.05, "rademacher", directions=8),
    "lowrank": lambda: ng.lowrank(1, 0.05, 4, 4),
    "node": lambda: ng.node(0.05, 4),
}


@pytest.mark.parametrize(
    "name", ["dense", *(pytest.param(name, marks=pytest.mark.slow) for name in ("lowrank", "node"))]
)
def test_perturbations(name):
    for law in perturbation_laws(PERTURBATIONS[name]):
        law()


@each(engine_laws(Inline))
def test_one_process(law):
    law()


@pytest.mark.slow
@each(engine_laws(lambda generation, state, keys: process_engine(generation, state, keys, 2)))
def test_processes(law):
    law()


class EndsEarly:
    def generation(self, progress, line):
        return "enough" if progress.generation == 2 else None


class Watches:
    def generation(self, progress, line):
        return None


@pytest.mark.parametrize("stops", [pytest.param(False, marks=pytest.mark.slow), True])
def test_observers(stops):
    for law in observer_laws(EndsEarly if stops else Watches, stops):
        law()


# They find what is wrong ---------------------------------------------------------------------------------


class Short(Classes):
    """Loses a prediction."""

    def predictions(self, outputs):
        return super().predictions(outputs)[1:]


class Stale(Inline):
    """Computes on with the parameters that it had, whatever it is given."""

    kept = None

    def share(self, kind, params, number, fitness=None):
        self.kept = self.kept or params
        return super().share(kind, self.kept, number, fitness)


def broken(laws):
    failed = []
    for law in laws:
        try:
            law()
        except AssertionError:
            failed.append(str(law))
    return failed


def test_what_breaks_a_law_is_named():
    assert isinstance(targets_laws(lambda: (CLASSES, BLOBS))[0], Law)
    assert broken(targets_laws(lambda: (Short(), BLOBS))) == ["an_example_has_a_prediction_and_a_row"]
    assert broken(engine_laws(Stale)[1:2]) == ["it_has_the_bits_of_one_process"]
    assert broken(observer_laws(Watches, stops=True)) == ["a_training_is_the_same_with_and_without_it"]
