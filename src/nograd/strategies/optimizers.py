"""The Optax optimizers of the setting `optimizer`, one function each; its arguments are the settings that it reads.

An optimizer with the argument `weight_decay` decays the parameters itself (decoupled weight decay). For the others,
λθ is added to the input −g.
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
    """g divided by the root of a running mean of g², then momentum (Tieleman and Hinton 2012)."""
    return optax.rmsprop(lr, momentum=momentum)


def adam(lr: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """A running mean of g divided by the root of a running mean of g² (Kingma and Ba 2015)."""
    return optax.adam(lr)


def adamw(lr: optax.ScalarOrSchedule, weight_decay: float) -> optax.GradientTransformation:
    """Adam with decoupled weight decay: θ ← θ − lr · weight_decay · θ in each step (Loshchilov and Hutter 2019)."""
    return optax.adamw(lr, weight_decay=weight_decay)


def lion(lr: optax.ScalarOrSchedule, weight_decay: float) -> optax.GradientTransformation:
    """The sign of a running mean of g, with θ ← θ − lr · weight_decay · θ (Chen et al. 2023)."""
    return optax.lion(lr, weight_decay=weight_decay)
