"""Fitness of a whole batch: one number, the metric as scikit-learn defines it.

F1, AUC and balanced accuracy have no value for a single example and no useful gradient; Evolution Strategies need
neither. If an output is NaN, so is the fitness, and the member is left out of the update.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core.precision import as_floats

_SIDES = ("left", "right")


def balanced_accuracy(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, ""]:
    """f = mean over the classes c of the batch of #(right and c)/#c: the mean recall.

    A class without an example in the batch is left out, as in scikit-learn.
    """
    outputs, true, found = _classes(outputs, labels)
    count = true.sum(0)
    recall = (true & found).sum(0) / jnp.maximum(count, 1)
    return _known(outputs, _mean(recall, count > 0))


def f1_of_classes(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, ""]:
    """f = mean over classes of F1 = 2·tp/(2·tp + fp + fn) (macro), over those that are in the batch or predicted.

    It is the macro mean for two classes too: no class has to be called the positive one.
    """
    outputs, true, found = _classes(outputs, labels)
    count = true.sum(0) + found.sum(0)
    return _known(outputs, _mean(_f1(true, found), count > 0))


def f1_of_labels(outputs: Float[Array, "batch labels"], y: Float[Array, "batch labels"]) -> Float[Array, ""]:
    """f = mean over labels of F1, 0 for a label that is neither there nor predicted (macro, zero_division=0)."""
    outputs = as_floats(outputs)
    return _known(outputs, jnp.mean(_f1(y > 0.5, outputs > 0)))


def auc_of_classes(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, ""]:
    """f = the area under the ROC curve of log softmax(outputs); of several classes the mean of each against the rest.

    Ties count half. A class without an example in the batch, or without any other beside it, is left out; a batch of
    one class has the value of chance, 1/2.
    """
    outputs = as_floats(outputs)
    classes = outputs.shape[-1]
    if classes == 2:
        margin = outputs[:, 1:] - outputs[:, :1]
        return _known(outputs, _mean_auc(margin, (labels == 1)[:, None]))
    true = labels[:, None] == jnp.arange(classes)
    return _known(outputs, _mean_auc(jax.nn.log_softmax(outputs), true))


def auc_of_labels(outputs: Float[Array, "batch labels"], y: Float[Array, "batch labels"]) -> Float[Array, ""]:
    """f = the mean over labels of the area under the ROC curve; a label that is all 0 or all 1 is left out."""
    outputs = as_floats(outputs)
    return _known(outputs, _mean_auc(outputs, y > 0.5))


def r2(outputs: Float[Array, "batch targets"], y: Float[Array, "batch targets"]) -> Float[Array, ""]:
    """f = the mean over targets of R² = 1 − Σ(y − o)²/Σ(y − ȳ)².

    A target that is the same all over the batch has 1 where it is met, else 0, as in scikit-learn.
    """
    outputs = as_floats(outputs)
    errors = jnp.sum((outputs - y) ** 2, axis=0)
    spread = jnp.sum((y - jnp.mean(y, axis=0)) ** 2, axis=0)
    constant = jnp.all(y == y[:1], axis=0)
    found = jnp.where(constant, (errors == 0).astype(errors.dtype), 1 - errors / jnp.where(constant, 1, spread))
    return _known(outputs, jnp.mean(found))


def _classes(
    outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]
) -> tuple[Array, Bool[Array, "batch classes"], Bool[Array, "batch classes"]]:
    """The outputs as floats; where each class is the label's, and where it is the largest output."""
    outputs = as_floats(outputs)
    each = jnp.arange(outputs.shape[-1])
    return outputs, labels[:, None] == each, jnp.argmax(outputs, axis=-1)[:, None] == each


def _f1(true: Bool[Array, "batch columns"], found: Bool[Array, "batch columns"]) -> Float[Array, " columns"]:
    count = true.sum(0) + found.sum(0)
    return 2 * (true & found).sum(0) / jnp.maximum(count, 1)


def _mean_auc(scores: Float[Array, "batch columns"], true: Bool[Array, "batch columns"]) -> Float[Array, ""]:
    """The mean over columns of (r̄ − (p + 1)/2)/n, r̄ the mean rank of the p positives among all, n the negatives: the
    statistic of Mann and Whitney (1947). Equal scores share their mean rank.
    """
    ordered = jnp.sort(scores, axis=0)
    below, upto = (jax.vmap(partial(jnp.searchsorted, side=side), 1, 1)(ordered, scores) for side in _SIDES)
    ranks = (below + upto + 1).astype(scores.dtype) / 2
    positives = true.sum(0)
    negatives = len(scores) - positives
    mean_rank = jnp.sum(jnp.where(true, ranks, 0), axis=0) / jnp.maximum(positives, 1)
    areas = (mean_rank - (positives + 1) / 2) / jnp.maximum(negatives, 1)
    defined = (positives > 0) & (negatives > 0)
    return jnp.where(defined.any(), _mean(areas, defined), 0.5)


def _mean(values: Float[Array, " columns"], among: Bool[Array, " columns"]) -> Float[Array, ""]:
    return jnp.sum(jnp.where(among, values, 0)) / jnp.maximum(among.sum(), 1)


def _known(outputs: Array, value: Array) -> Float[Array, ""]:
    """The value, or NaN where an output is NaN."""
    return jnp.where(jnp.isnan(outputs).any(), jnp.nan, value)
