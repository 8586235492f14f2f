"""The standard error of a metric, from the influence of each example (DeLong et al. 1988 for the AUC).

A metric m of n examples is, to first order, the mean of influences uᵢ; its standard error is the standard deviation of
these over √n. No resampling: it takes about as long as the metric, for any number of examples.
"""

import numpy as np


def standard_error(influences: np.ndarray) -> float | None:
    """s/√n of influences [examples].

    None for a single example, where they are not finite, and where all are the same, as when all examples are right:
    such a sample does not tell the error of its mean.
    """
    if len(influences) < 2 or not np.isfinite(influences).all() or np.ptp(influences) <= 1e-12:
        return None
    return float(np.std(influences, ddof=1) / len(influences) ** 0.5)


def of_recalls(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of the mean recall of the classes that are there; both bool [examples, classes]."""
    shares = true.mean(axis=0)
    there = shares > 0
    recall = (true & found).mean(axis=0) / np.where(there, shares, 1)
    parts = true * (found - recall) / np.where(there, shares, 1)
    return parts[:, there].mean(axis=1)


def of_f1(true: np.ndarray, found: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Of the mean over columns of F1 = 2·tp/(true + found); both bool [examples, columns].

    Args:
        among: the columns that count; None: all, where one that is never true nor found adds nothing.
    """
    count = true.mean(axis=0) + found.mean(axis=0)
    size = np.where(count > 0, count, 1)
    f1 = 2 * (true & found).mean(axis=0) / size
    parts = (2.0 * (true & found) - f1 * (true.astype(float) + found)) / size
    return parts.mean(axis=1) if among is None else parts[:, among].mean(axis=1)


def of_auc(scores: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Of the mean over columns of the area under the ROC curve: scores and bool [examples, columns], each column with
    both values.

    A positive's part is the share of the negatives below it, a negative's the share of the positives above it.
    """
    return np.mean([_of_one_auc(*column) for column in zip(scores.T, true.T, strict=True)], axis=0)


def _of_one_auc(scores: np.ndarray, true: np.ndarray) -> np.ndarray:
    beaten = _below(scores, scores[~true])
    won = 1 - _below(scores, scores[true])
    area = beaten[true].mean()
    share = true.mean()
    return np.where(true, (beaten - area) / share, (won - area) / (1 - share))


def _below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of the others that is below each score; equal ones count half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / (2 * len(ordered))


def of_rmse(errors: np.ndarray) -> np.ndarray:
    """Of the mean over targets of √(mean e²); errors [examples, targets]."""
    root = np.sqrt(np.mean(errors**2, axis=0))
    return (errors**2 / np.where(root > 0, 2 * root, 1)).mean(axis=1)
