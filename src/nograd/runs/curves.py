"""curves.png: fitness and score over generations, drawn from the lines of metrics.jsonl."""

from typing import TYPE_CHECKING, Any

from nograd.core.colours import PALETTE
from nograd.core.metrics import Measure
from nograd.core.plotting import new_axes, new_figure, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(metrics: list[dict[str, Any]], title: str, measure: Measure, best_generation: int | None) -> bytes:
    """The figure of `curves_figure`, as the content of a PNG file."""
    return png(curves_figure(metrics, title, measure, best_generation))


def curves_figure(metrics: list[dict[str, Any]], title: str, measure: Measure, best_generation: int | None) -> "Figure":
    """A figure of the population's fitness (above) and of the scores (below); the best generation is marked."""
    figure = new_figure(8, 7)
    above, below = new_axes(figure, 2, 1, sharex=True)
    generations = [line["generation"] for line in metrics]
    mean, deviation = (_series(metrics, name) for name in ("fitness_mean", "fitness_std"))
    above.plot(generations, mean, linewidth=1, label="mean of the population")
    low, high = ([m + sign * d for m, d in zip(mean, deviation, strict=True)] for sign in (-1, 1))
    above.fill_between(generations, low, high, alpha=0.2, label="± standard deviation")
    above.set_ylabel("fitness")
    measured = [line for line in metrics if measure.val in line]
    at = [line["generation"] for line in measured]
    for name, label in ((measure.val, "validation"), (measure.train, "training")):  # in the colours of reports
        if not any(name in line for line in measured):
            continue
        below.plot(at, _series(measured, name), marker=".", label=label)
    if best_generation:
        below.axvline(
            best_generation, color=PALETTE["quiet"].light, linestyle=":", label=f"chosen: {best_generation:,}"
        )
    below.set_ylabel(measure.what)
    below.set_xlabel("generation")
    for axes in (above, below):
        if axes.lines:
            axes.legend(frameon=False)
    figure.suptitle(title)
    return figure


def _series(metrics: list[dict[str, Any]], name: str) -> list[float]:
    return [float("nan") if line.get(name) is None else line[name] for line in metrics]
