"""The registries of scores: fitness functions, which train the network, and metrics, which choose and report it.

To add one, write it in a new file in `nograd.tasks` and add a line here: flags, help, errors, checks, result.json and
the search read that line. It names an object for each kind of target that the score is for.
"""

from nograd.config.registry import DATA, Axis, Entry
from nograd.core import metrics

CLASSES, NUMBERS, LABELS = "classes", "numbers", "labels"  # kinds of target
_KINDS = {CLASSES: "classes", NUMBERS: "numbers", LABELS: "several labels"}
_DATA = (DATA,)
_OF_CLASSES, _OF_NUMBERS, _OF_LABELS = "nograd.tasks.fitness", "nograd.tasks.regression", "nograd.tasks.multilabel"
_WHOLE = "nograd.tasks.batch_fitness"
_MEASURED = "nograd.tasks.metrics"

FITNESSES = Axis(
    "fitness",
    {
        "cross_entropy": Entry(
            "log probability of the right class, or of each label",
            tasks=_DATA,
            targets={CLASSES: f"{_OF_CLASSES}:cross_entropy", LABELS: f"{_OF_LABELS}:cross_entropy"},
        ),
        "squared_error": Entry(
            "minus the squared error of numbers, or of softmax outputs",
            tasks=_DATA,
            targets={CLASSES: f"{_OF_CLASSES}:squared_error", NUMBERS: f"{_OF_NUMBERS}:squared_error"},
        ),
        "accuracy": Entry(
            "the share of right classes or labels",
            tasks=_DATA,
            targets={CLASSES: f"{_OF_CLASSES}:accuracy", LABELS: f"{_OF_LABELS}:accuracy"},
        ),
        "absolute_error": Entry(
            "minus the absolute error of numbers", tasks=_DATA, targets={NUMBERS: f"{_OF_NUMBERS}:absolute_error"}
        ),
        "huber": Entry(
            "squared error up to that many standard deviations, absolute beyond",
            tasks=_DATA,
            targets={NUMBERS: f"{_OF_NUMBERS}:HUBER"},
            form="huber:1",
        ),
        "quantile": Entry(
            "minus the pinball loss, which is least at that quantile",
            tasks=_DATA,
            targets={NUMBERS: f"{_OF_NUMBERS}:QUANTILE"},
            form="quantile:0.9",
        ),
        "balanced_accuracy": Entry(
            "mean recall of the classes; on whole batches, so for dense only",
            tasks=_DATA,
            targets={CLASSES: f"{_WHOLE}:balanced_accuracy"},
            whole=True,
        ),
        "f1": Entry(
            "mean F1 of the classes or labels; on whole batches, so for dense only",
            tasks=_DATA,
            targets={CLASSES: f"{_WHOLE}:f1_of_classes", LABELS: f"{_WHOLE}:f1_of_labels"},
            whole=True,
        ),
        "auc": Entry(
            "area under the ROC curve; on whole batches, so for dense only",
            tasks=_DATA,
            targets={CLASSES: f"{_WHOLE}:auc_of_classes", LABELS: f"{_WHOLE}:auc_of_labels"},
            whole=True,
        ),
        "r2": Entry(
            "R², the explained share of the variance; whole batches, so for dense only",
            tasks=_DATA,
            targets={NUMBERS: f"{_WHOLE}:r2"},
            whole=True,
        ),
    },
)

METRICS = Axis(
    "metric",
    {
        "accuracy": Entry(
            "the share of examples that are right (with several labels: all of them)",
            tasks=_DATA,
            targets={CLASSES: f"{_MEASURED}:ACCURACY_OF_CLASSES", LABELS: f"{_MEASURED}:ACCURACY_OF_LABELS"},
            measure=metrics.ACCURACY,
        ),
        "balanced_accuracy": Entry(
            "mean recall of the classes",
            tasks=_DATA,
            targets={CLASSES: f"{_MEASURED}:BALANCED_ACCURACY"},
            measure=metrics.BALANCED_ACCURACY,
        ),
        "f1": Entry(
            "mean F1 of the classes or labels (macro)",
            tasks=_DATA,
            targets={LABELS: f"{_MEASURED}:F1_OF_LABELS", CLASSES: f"{_MEASURED}:F1_OF_CLASSES"},
            measure=metrics.F1,
        ),
        "log_loss": Entry(
            "minus the mean log probability of the right class; lower is better",
            tasks=_DATA,
            targets={CLASSES: f"{_MEASURED}:LOG_LOSS"},
            measure=metrics.LOG_LOSS,
        ),
        "auc": Entry(
            "area under the ROC curve, each class against the rest",
            tasks=_DATA,
            targets={CLASSES: f"{_MEASURED}:AUC_OF_CLASSES", LABELS: f"{_MEASURED}:AUC_OF_LABELS"},
            measure=metrics.AUC,
        ),
        "r2": Entry(
            "R², the explained share of the variance",
            tasks=_DATA,
            targets={NUMBERS: f"{_MEASURED}:R2"},
            measure=metrics.R2,
        ),
        "rmse": Entry(
            "root of the mean squared error, in the data's unit; lower is better",
            tasks=_DATA,
            targets={NUMBERS: f"{_MEASURED}:RMSE"},
            measure=metrics.RMSE,
        ),
        "mae": Entry(
            "mean absolute error, in the data's unit; lower is better",
            tasks=_DATA,
            targets={NUMBERS: f"{_MEASURED}:MAE"},
            measure=metrics.MAE,
        ),
    },
)


def kinds_said(axis: Axis, word: str) -> str:
    """The kinds of target that a word of an axis is for, as text: "classes and several labels"."""
    return " and ".join(_KINDS[kind] for kind in axis.entry(word).targets)


def is_whole(fitness: str | None) -> bool:
    """Whether the fitness of this name is one number for the whole batch."""
    return fitness is not None and fitness in FITNESSES.entries and FITNESSES.entries[fitness].whole
