"""speedup.png: time, speedup and efficiency over the workers, with intervals, the ideal line and the fitted law."""

import math
from typing import Any

import numpy as np

from nograd.core.colours import PALETTE, SERIES
from nograd.core.plotting import new_axes, new_figure, png
from nograd.scaling.laws import Amdahl, band

_KINDS = (("strong", "same work", SERIES[0].light, "o"), ("weak", "work grows with the workers", SERIES[1].light, "s"))


def draw(figures: dict[str, Any]) -> bytes:
    """A PNG of the figures. Hollow points are oversubscribed; error bars are the intervals of the medians."""
    figure = new_figure(13, 5)
    panels = dict(zip(("seconds", "speedup", "efficiency"), new_axes(figure, 1, 3), strict=True))
    counts = [row["workers"] for row in figures["strong"]["rows"]]
    for name, axes in panels.items():
        for kind, label, colour, marker in _KINDS:
            if figures[kind]:
                _points(axes, figures[kind]["rows"], name, label, colour, marker)
        axes.set_xlabel("workers")
        axes.set_xticks(counts)
    _lines(panels, figures, np.linspace(1, max(*counts, 2), 100))
    for name, label in (("seconds", "seconds a generation"), ("speedup", "speedup"), ("efficiency", "efficiency")):
        panels[name].set_ylabel(label)
        panels[name].set_ylim(bottom=0)
    # One legend for all panels, outside of them: inside it would hide points.
    named = panels["speedup"].get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    figure.suptitle(
        f"{figures['task']}, {figures['model']}, {figures['perturbation']}, population {figures['population']:,}: "
        f"medians of {figures['rounds']} rounds on {figures['cores']} cores"
    )
    return png(figure)


def _points(axes: Any, rows: list[dict[str, Any]], name: str, label: str, colour: str, marker: str) -> None:
    """Draws medians with their intervals; points are filled if each worker has its own core."""
    for crowded in (False, True):
        chosen = [row for row in rows if row["oversubscribed"] == crowded]
        if not chosen:
            continue
        middle = np.array([row[name]["median"] for row in chosen])
        bars = [middle - [row[name]["low"] for row in chosen], [row[name]["high"] for row in chosen] - middle]
        axes.errorbar(
            [row["workers"] for row in chosen],
            middle,
            bars,
            fmt=marker,
            color=colour,
            capsize=3,
            markerfacecolor="none" if crowded else colour,
            label=label + (", oversubscribed" if crowded else ""),
        )


def _lines(panels: dict[str, Any], figures: dict[str, Any], workers: np.ndarray) -> None:
    """Draws the ideal line, and Amdahl's law with its 95% interval."""
    alone = figures["strong"]["rows"][0]["seconds"]["median"]
    ideals = {"seconds": alone / workers, "speedup": workers, "efficiency": np.ones_like(workers)}
    for name, ideal in ideals.items():
        panels[name].plot(workers, ideal, color=PALETTE["quiet"].light, linestyle="--", linewidth=1, label="ideal")
    if (fit := figures["strong"]["amdahl"]) is None:
        return
    known: dict[str, Any] = {name: math.nan if value is None else value for name, value in fit.items()}
    ends = band(Amdahl(**known), workers)
    of_speedup = {"seconds": lambda s: alone / s, "speedup": lambda s: s, "efficiency": lambda s: s / workers}
    label = f"Amdahl, serial fraction {known['serial_fraction']:.3f} ± {known['standard_error']:.3f}"
    for name, turned in of_speedup.items():
        middle, low, high = (turned(end) for end in ends)
        panels[name].plot(workers, middle, color=SERIES[2].light, linewidth=1, label=label)
        panels[name].fill_between(workers, low, high, color=SERIES[2].light, alpha=0.2)
