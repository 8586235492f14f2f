"""The optimizers by their words, as Optax makes them: a function of those settings that the optimizer reads.

An optimizer whose function takes `weight_decay` decays the parameters itself (decoupled); for the others λθ is added to
the estimate.
"""

import optax


def sgd(lr: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """θ ← θ + lr · g."""
    return optax.sgd(lr)


def momentum(lr: optax.ScalarOrSchedule, momentum: float) -> optax.GradientTransformation:
    """m ← momentum · m + g; θ ← θ + lr · m (Polyak 1964)."""
    return optax.sgd(lr, momentum)


def nesterov(lr: optax.ScalarOrSchedule, momentum: float) -> optax.GradientTransformation:
    """m ← momentum · m + g; θ ← θ + lr · (momentum · m + g) (Nesterov 1983)."""
    return optax.sgd(lr, momentum, nesterov=True)


def rmsprop(lr: optax.ScalarOrSchedule, momentum: float) -> optax.GradientTransformation:
    """g over the root of a running mean of g², then momentum (Tieleman and Hinton 2012)."""
    return optax.rmsprop(lr, momentum=momentum)


def adam(lr: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """A running mean of g over the root of one of g² (Kingma and Ba 2015)."""
    return optax.adam(lr)


def adamw(lr: optax.ScalarOrSchedule, weight_decay: float) -> optax.GradientTransformation:
    """`adam`, and θ ← θ − lr · weight_decay · θ (Loshchilov and Hutter 2019)."""
    return optax.adamw(lr, weight_decay=weight_decay)


def lion(lr: optax.ScalarOrSchedule, weight_decay: float) -> optax.GradientTransformation:
    """The sign of a running mean of g, and θ ← θ − lr · weight_decay · θ (Chen et al. 2023)."""
    return optax.lion(lr, weight_decay=weight_decay)
