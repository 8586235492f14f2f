"""Targets that are numbers: R², errors in the unit of the data, and the fitness functions.

A network is trained on standardised targets; scores and predictions are in the unit of the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.metrics import R2, Measure
from nograd.core.precision import as_floats
from nograd.core.types import ConfigError
from nograd.data import Dataset
from nograd.tasks.csv_text import csv_text
from nograd.tasks.fitness import fitnesses_of
from nograd.tasks.targets import Fitness

if TYPE_CHECKING:
    from nograd.data.targets import Target


def squared_error(outputs: Float[Array, "batch targets"], y: Float[Array, "batch targets"]) -> Float[Array, " batch"]:
    """f = −1/k Σₖ (oₖ − yₖ)² over the k targets of an example, in standard deviations. The mean is best."""
    return -jnp.mean(_errors(outputs, y) ** 2, axis=-1)


def absolute_error(outputs: Float[Array, "batch targets"], y: Float[Array, "batch targets"]) -> Float[Array, " batch"]:
    """f = −1/k Σₖ |oₖ − yₖ|. The median is best, which outliers do not move."""
    return -jnp.mean(jnp.abs(_errors(outputs, y)), axis=-1)


@dataclass(frozen=True)
class Huber:
    """Minus the loss of Huber (1964): e²/2 up to δ standard deviations of the target, δ(|e| − δ/2) beyond."""

    delta: float = 1.0

    def __call__(
        self, outputs: Float[Array, "batch targets"], y: Float[Array, "batch targets"]
    ) -> Float[Array, " batch"]:
        size, delta = jnp.abs(_errors(outputs, y)), self.delta
        return -jnp.mean(jnp.where(size <= delta, size**2 / 2, delta * (size - delta / 2)), axis=-1)

    def of(self, text: str) -> "Huber":
        """This fitness with δ from the text after the colon. Raises ConfigError unless it is a positive number."""
        delta = _number(text)
        if not 1e-6 <= delta <= 1e6:
            raise ConfigError(
                f"--fitness huber:{text} names no limit; use a number of standard deviations above 0: huber:1.5"
            )
        return Huber(delta)


@dataclass(frozen=True)
class Quantile:
    """Minus the loss of Koenker and Bassett (1978), q·e above the output and (1 − q)·(−e) below it, with e = y − o.

    The q-quantile is best: a share q of the targets lies below the output.
    """

    share: float = 0.5

    def __call__(
        self, outputs: Float[Array, "batch targets"], y: Float[Array, "batch targets"]
    ) -> Float[Array, " batch"]:
        over = -_errors(outputs, y)
        return -jnp.mean(jnp.maximum(self.share * over, (self.share - 1) * over), axis=-1)

    def of(self, text: str) -> "Quantile":
        """This fitness with q from the text after the colon. Raises ConfigError unless 0 < q < 1."""
        share = _number(text)
        if not 0 < share < 1:
            raise ConfigError(f"--fitness quantile:{text} names no quantile; use a share between 0 and 1: quantile:0.9")
        return Quantile(share)


def _errors(outputs: Array, y: Array) -> Array:
    return as_floats(outputs) - y


def _number(text: str) -> float:
    """The number of a text; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


HUBER, QUANTILE = Huber(), Quantile()


@dataclass(frozen=True)
class Numbers:
    """Targets float32 [examples, targets], standardised; one network output per target."""

    target: "Target | None" = None  # their names, means and deviations; None where targets are used unchanged

    word: ClassVar[str] = "numbers"
    measure: ClassVar[Measure] = R2
    sections: ClassVar[tuple[str, ...]] = ("numbers",)

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """The fitness functions for numbers; the default, squared error, is the first."""
        return fitnesses_of(self.word)

    def fits(self, dataset: Dataset) -> bool:
        """Whether the targets of the data set are numbers."""
        return dataset.problem == "regression"

    def width(self, dataset: Dataset) -> int:
        """The number of targets."""
        return dataset.classes

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """R² = 1 − Σe²/Σ(y − ȳ)², with the root of the mean square and the mean of |e| in the unit of the data.

        Of several targets the mean of each. The error of R² is that of its linear part: Σe² and Σ(y − ȳ)² are sums
        over examples.
        """
        found, y = self.decoded(outputs), self.decoded(targets)
        errors, spread = (found - y) ** 2, (y - y.mean(axis=0)) ** 2
        r2, error = determination(errors, spread)
        rmse, mae = np.sqrt(errors.mean(axis=0)).mean(), np.abs(found - y).mean()
        return {"r2": r2, "r2_error": error, "rmse": _finite(rmse), "mae": _finite(mae)}

    def decoded(self, values: np.ndarray) -> np.ndarray:
        """Outputs or targets in the unit of the data, float64 [examples, targets]."""
        if self.target is not None:
            return self.target.decode(values)
        return values.astype(np.float64).reshape(len(values), -1)

    def truth(self, targets: np.ndarray) -> np.ndarray:
        """Targets in the form of `predictions`: in the unit of the data."""
        return self.predictions(targets)

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Predictions in the unit of the data, float64 [examples]; [examples, targets] with several targets."""
        found = self.decoded(outputs)
        return found[:, 0] if found.shape[1] == 1 else found

    def answers(self, outputs: Array) -> dict[str, Array]:
        """The numbers in the unit of the data, [examples, targets]; in the widest floating-point type there is."""
        if self.target is None:
            return {"prediction": outputs}
        wide = outputs.astype(jnp.result_type(float))
        scale, mean = (jnp.asarray(values, wide.dtype) for values in (self.target.scale, self.target.mean))
        return {"prediction": wide * scale + mean}

    def table(self, outputs: np.ndarray, details: bool = False) -> str:
        """A CSV text with one row per example and one column per target."""
        found = self.decoded(outputs)
        names = self.target.names if self.target else tuple(f"y{i}" for i in range(found.shape[1]))
        return csv_text(names, ([f"{value:.6g}" for value in row] for row in found))


def determination(errors: np.ndarray, spread: np.ndarray) -> tuple[float | None, float | None]:
    """R² and its standard error, from squares [examples, targets]; None where they are not known.

    As in scikit-learn, R² of a target that is always the same is 1 where it is met, else 0.
    """
    if len(errors) < 2 or not np.isfinite(errors).all():
        return None, None
    constant = spread.sum(axis=0) == 0
    if constant.any():
        shares = errors.sum(axis=0) / np.where(constant, 1, spread.sum(axis=0))
        return float(1 - np.where(constant, errors.sum(axis=0) > 0, shares).mean()), None
    share = errors.mean(axis=0) / spread.mean(axis=0)
    parts = ((errors - share * spread) / spread.mean(axis=0)).mean(axis=1)
    return float(1 - share.mean()), float(parts.std(ddof=1) / len(parts) ** 0.5)


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
