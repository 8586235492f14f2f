"""Estimators for scikit-learn: `ESClassifier` and `ESRegressor`, networks that Evolution Strategies train."""

from nograd.core.runtime import keep_programs, use_one_thread

# Before JAX is imported, which reads it then: a process of joblib is one of several, and all compile the same.
use_one_thread()
keep_programs()

from nograd.sklearn.estimators import ESClassifier, ESRegressor  # noqa: E402

__all__ = ["ESClassifier", "ESRegressor"]
