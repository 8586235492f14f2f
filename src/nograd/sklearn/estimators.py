"""`ESClassifier` and `ESRegressor`: networks trained by Evolution Strategies, as estimators of scikit-learn."""

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

_BLOCK = 256  # examples per call; always the same number, so that a prediction does not depend on the other examples
_HELD_OUT = 0.1  # share of the examples for validation, and the same for the test, if there is a run directory


class _ES(BaseEstimator):  # type: ignore[misc]
    """A network trained by Evolution Strategies on all examples, in this process and without output.

    Parameters
    ----------
    model : str, builder or Model, default="mlp:32"
        The network: a name as in ``nograd train --model``, or an object such as ``nograd.mlp(32)``.
    fitness : str, default=None
        What members are ranked by. None: cross-entropy for classes, the squared error for numbers.
    generations : int, default=300
        Number of updates.
    population : int, default=128
        Members in a generation.
    sigma : float, default=0.05
        The standard deviation of a member's difference from the mean.
    lr : float, default=0.05
        The learning rate of Adam.
    batch : int, default=None
        Examples in a minibatch. None: 256, or all if there are fewer.
    standardize : bool, default=True
        Whether each column is scaled to mean 0 and standard deviation 1.
    settings : dict, default=None
        More settings of ``nograd.train`` by name, such as ``{"strategy": "snes"}``.
    random_state : int, RandomState instance or None, default=None
        The seed of all random numbers.
    init : path or tree of arrays, default=None
        Parameters to begin with: a run directory, a .safetensors file, or a tree such as ``params_``. They must have
        been trained on inputs that were scaled in the same way (`standardize`).
    out : path, default=None
        A run directory to write, as `nograd.train` does. Then a tenth of the examples is held out for validation, which
        chooses the parameters, and another tenth for the test.

    Attributes
    ----------
    params_ : tree of arrays
        The parameters of the network.
    fitness_curve_ : list of float
        The mean fitness of the population in each generation.
    n_iter_ : int
        Number of generations done.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : array of shape (n_features_in_,)
        Their names, if X has columns with names.
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
            rows: the examples and their weights.
            y: the labels of these rows: class numbers, or scaled numbers.
            outputs: number of outputs of the network.
            target: how numbers were scaled; None for classes.
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
        """The settings of `nograd.train` that follow from the estimator's parameters."""
        names = ("fitness", "generations", "population", "sigma", "lr", "batch")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        begun = {} if self.init is None else {"init": self.init}
        return {**given, "seed": seed, **begun, **(self.settings or {})}

    def _rows(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Rows:
        """The examples to train on. Equal rows are merged, but not if they are written to a run directory."""
        if self.out is None:
            return merged_rows(x, y, weights)
        if weights is not None:
            raise ValueError("sample_weight cannot be used with out=, a run has no weights; leave one of them out")
        return Rows(x, y.reshape(len(y), -1), np.ones(len(x)))

    def _train_on_disk(self, dataset: Dataset, seed: int) -> None:
        """Trains with a run directory, as `nograd.train` does."""
        run = train(_split(dataset, seed), model=self.model, out=Path(self.out), engine="inline", **self._given(seed))
        self.params_ = jax.tree.map(np.asarray, run.params)
        self.fitness_curve_ = [line["fitness_mean"] for line in run.metrics]
        self.n_iter_ = len(self.fitness_curve_)

    def _outputs(self, X: Any) -> np.ndarray:
        """The outputs of the network, [examples, outputs]."""
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
        """Trains on X.

        Args:
            X: [examples, features], numbers.
            y: [examples], labels of two or more classes.
            sample_weight: [examples], how much each example counts; default all 1.

        Raises:
            ValueError: the data or a parameter is not valid.
        """
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
        """The probabilities (softmax of the outputs), [examples, classes], in the order of `classes_`."""
        return softmax(self._outputs(X).astype(np.float64))

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each example, [examples]."""
        found = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[found])


class ESRegressor(RegressorMixin, _ES):  # type: ignore[misc]
    __doc__ = _ES.__doc__

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains on X.

        Args:
            X: [examples, features], numbers.
            y: numbers, [examples] or [examples, targets].
            sample_weight: [examples], how much each example counts; default all 1.

        Raises:
            ValueError: the data or a parameter is not valid.
        """
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
        """The predicted numbers, in the unit of y: [examples] or [examples, targets]."""
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
    """A data set with all examples for training. Its validation and test parts are required but not used."""
    one, zero = np.ones((), np.float32), np.zeros((), np.float32)
    return Dataset("arrays", x, y, x[:1], y[:1], x[:1], y[:1], outputs, zero, one, (), "arrays", target)


def _split(dataset: Dataset, seed: int) -> Dataset:
    """A tenth of the examples for validation, and another tenth for the test."""
    x, y = dataset.x_train, dataset.y_train
    sizes = [max(1, round(_HELD_OUT * len(x)))] * 2
    if sum(sizes) >= len(x):
        raise ValueError(f"{len(x)} examples are too few for out=, which holds out two parts; leave it out")
    train, val, test = stratified_rows(y, sizes, seed) if y.ndim == 1 else random_rows(len(x), sizes, seed)
    return dataset._replace(
        x_train=x[train], y_train=y[train], x_val=x[val], y_val=y[val], x_test=x[test], y_test=y[test]
    )


def _outputs_of(apply: Any, params: Any, x: Any) -> Any:
    """The outputs of the network; x is scaled already."""
    return apply(params, x)


_apply = jax.jit(_outputs_of, static_argnums=0)


__all__ = ["ESClassifier", "ESRegressor"]
