"""Estimators for scikit-learn: `ESClassifier` and `ESRegressor`, networks that Evolution Strategies train."""

from nograd.sklearn.estimators import ESClassifier, ESRegressor

__all__ = ["ESClassifier", "ESRegressor"]
