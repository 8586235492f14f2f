"""`ESClassifier` and `ESRegressor`: networks without gradients as scikit-learn's estimators."""

from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from nograd.core.types import NogradError
from nograd.data import Dataset
from nograd.data.splits import random_rows, stratified_rows
from nograd.data.targets import Target
from nograd.sklearn.in_memory import network, train_in_memory
from nograd.sklearn.rows import Rows, Scaling, learn_scaling, merged_rows, unscaled
from nograd.tasks.classification import softmax
from nograd.training.from_python import train

_BLOCK = 256  # examples of one call: always as many, so that a prediction does not depend on those beside it
_HELD_OUT = 0.1  # of the examples, for validation and for the test each, where there is a run directory


class _ES(BaseEstimator):  # type: ignore[misc]
    """A network that Evolution Strategies train on all examples, quietly and in this process.

    Parameters
    ----------
    model : str, builder or Model, default="mlp:32"
        The network: a word of ``nograd train --model``, or one such as ``nograd.mlp(32)``.
    fitness : str, default=None
        What members are ranked by; None for the first of the problem: cross-entropy, or the squared error.
    generations : int, default=300
        Steps of the strategy.
    population : int, default=128
        Members a generation.
    sigma : float, default=0.05
        The standard deviation of a member's difference from the mean.
    lr : float, default=0.05
        The learning rate of Adam.
    batch : int, default=None
        Examples of a minibatch; None for 256, or all where there are fewer.
    standardize : bool, default=True
        Whether each column is brought to mean 0 and deviation 1.
    settings : dict, default=None
        Further settings of ``nograd.train`` by name, such as ``{"strategy": "snes"}``.
    random_state : int, RandomState instance or None, default=None
        The seed of everything random.
    init : path or tree of arrays, default=None
        Parameters to begin with: of a run directory, of a .safetensors file, or such as ``params_``. They are of inputs
        that are scaled as `standardize` says, by the examples of their own training.
    out : path, default=None
        A run directory, as `nograd.train` writes it. A tenth of the examples each is then held out for validation,
        which chooses the network, and for the test.

    Attributes
    ----------
    params_ : tree of arrays
        The network's parameters.
    fitness_curve_ : list of float
        The mean fitness of the population, a generation each.
    n_iter_ : int
        Generations done.
    n_features_in_ : int
    feature_names_in_ : array of shape (n_features_in_,)
        Where X has columns with names.
    """

    def __init__(
        self,
        model: Any = "mlp:32",
        *,
        fitness: str | None = None,
        generations: int = 300,
        population: int = 128,
        sigma: float = 0.05,
        lr: float = 0.05,
        batch: int | None = None,
        standardize: bool = True,
        settings: dict[str, Any] | None = None,
        random_state: Any = None,
        init: Any = None,
        out: Any = None,
    ) -> None:
        self.model = model
        self.fitness = fitness
        self.generations = generations
        self.population = population
        self.sigma = sigma
        self.lr = lr
        self.batch = batch
        self.standardize = standardize
        self.settings = settings
        self.random_state = random_state
        self.init = init
        self.out = out

    def _train(self, rows: Rows, y: np.ndarray, outputs: int, target: Target | None) -> None:
        """Learns the scaling of X and the parameters.

        Args:
            y: the labels of the rows, as a data set has them.
        """
        self.scaling_: Scaling = (learn_scaling if self.standardize else _plain)(rows.x, rows.weights)
        self.n_outputs_ = outputs
        dataset = _dataset(self.scaling_.apply(rows.x), y, outputs, target)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        try:
            if self.out is not None:
                self._train_on_disk(dataset, seed)
                return
            found = train_in_memory(dataset, self._given(seed), self.model, rows.weights if rows.weighted else None)
        except NogradError as error:
            raise ValueError(str(error)) from error
        self.params_, self.fitness_curve_ = found.params, found.fitness
        self.n_iter_ = len(found.fitness)

    def _given(self, seed: int) -> dict[str, Any]:
        """The settings of nograd that the parameters stand for."""
        names = ("fitness", "generations", "population", "sigma", "lr", "batch")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        begun = {} if self.init is None else {"init": self.init}
        return {**given, "seed": seed, **begun, **(self.settings or {})}

    def _rows(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Rows:
        """The examples to train on: merged, but one by one where a run directory counts them."""
        if self.out is None:
            return merged_rows(x, y, weights)
        if weights is not None:
            raise ValueError("sample_weight cannot be used with out=, a run has no weights; leave one of them out")
        return Rows(x, y.reshape(len(y), -1), np.ones(len(x)))

    def _train_on_disk(self, dataset: Dataset, seed: int) -> None:
        """With a run directory, as `nograd.train` does it."""
        run = train(_split(dataset, seed), model=self.model, out=Path(self.out), engine="inline", **self._given(seed))
        self.params_ = jax.tree.map(np.asarray, run.params)
        self.fitness_curve_ = [line["fitness_mean"] for line in run.metrics]
        self.n_iter_ = len(self.fitness_curve_)

    def _outputs(self, X: Any) -> np.ndarray:
        """The network's outputs [examples, outputs]."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        model = network(self.model, (x.shape[1],), self.n_outputs_)
        z = self.scaling_.apply(x)
        padded = np.concatenate([z, np.zeros((-len(z) % _BLOCK, z.shape[1]), np.float32)])
        blocks = [np.asarray(_apply(model.apply, self.params_, b)) for b in padded.reshape(-1, _BLOCK, z.shape[1])]
        return np.concatenate(blocks)[: len(x)]


class ESClassifier(ClassifierMixin, _ES):  # type: ignore[misc]
    __doc__ = f"{_ES.__doc__}    classes_ : array of shape (n_classes,)\n        The labels.\n"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains on X [examples, features] and labels y [examples] of two or more classes."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        y = column_or_1d(y, warn=True)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs examples of at least 2 classes, got 1 class: {self.classes_[0]!r}"
            )
        rows = self._rows(X, codes.reshape(-1).astype(np.float64), weights)
        self._train(rows, rows.y[:, 0].astype(np.int32), len(self.classes_), None)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The softmax of the outputs, [examples, classes], in the order of `classes_`."""
        return softmax(self._outputs(X).astype(np.float64))

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each example."""
        found = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[found])


class ESRegressor(RegressorMixin, _ES):  # type: ignore[misc]
    __doc__ = _ES.__doc__

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains on X [examples, features] and numbers y [examples], or [examples, targets]."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._one = y.ndim == 1
        rows = self._rows(X, np.asarray(y, np.float64), weights)
        self.target_scaling_ = learn_scaling(rows.y, rows.weights)
        names = tuple(f"y{i}" for i in range(rows.y.shape[1]))
        scaling = self.target_scaling_
        target = Target("regression", names, (), tuple(scaling.mean.tolist()), tuple(scaling.deviation.tolist()))
        self._train(rows, scaling.apply(rows.y), len(names), target)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers in the unit of y."""
        check_is_fitted(self)
        found = self.target_scaling_.undo(self._outputs(X))
        return found[:, 0] if self._one else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _plain(columns: np.ndarray, weights: np.ndarray) -> Scaling:
    return unscaled(columns)


def _dataset(x: np.ndarray, y: np.ndarray, outputs: int, target: Target | None) -> Dataset:
    """All examples for training. Its other parts are not used; a data set has to have them."""
    one, zero = np.ones((), np.float32), np.zeros((), np.float32)
    return Dataset("arrays", x, y, x[:1], y[:1], x[:1], y[:1], outputs, zero, one, (), "arrays", target)


def _split(dataset: Dataset, seed: int) -> Dataset:
    """A tenth of the examples each for validation and for the test."""
    x, y = dataset.x_train, dataset.y_train
    sizes = [max(1, round(_HELD_OUT * len(x)))] * 2
    if sum(sizes) >= len(x):
        raise ValueError(f"{len(x)} examples are too few for out=, which holds out two parts; leave it out")
    train, val, test = stratified_rows(y, sizes, seed) if y.ndim == 1 else random_rows(len(x), sizes, seed)
    return dataset._replace(
        x_train=x[train], y_train=y[train], x_val=x[val], y_val=y[val], x_test=x[test], y_test=y[test]
    )


def _outputs_of(apply: Any, params: Any, x: Any) -> Any:
    """The network as it is: its inputs are scaled already."""
    return apply(params, x)


_apply = jax.jit(_outputs_of, static_argnums=0)


__all__ = ["ESClassifier", "ESRegressor"]
