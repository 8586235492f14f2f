"""The figures of a speedup as text tables, for a terminal and for a report."""

from collections.abc import Iterator
from typing import Any

from nograd.config.task_settings import seen_by_member
from nograd.core.grid import Grid
from nograd.core.text import byte_count, short_time, time_unit

_RESTLESS = 0.25  # if the interval of a speedup is wider than this share of the median, a warning is printed
PARTS = ("evaluate", "communicate", "wait", "update", "other")


def parts(figures: dict[str, Any]) -> Iterator[Grid | str]:
    """Yields the tables and the sentences between them, in order."""
    strong, weak = figures["strong"], figures["weak"]
    seen = seen_by_member(figures.get("episodes"), figures["batch"])
    yield (
        f"{figures['task']}, {figures['model']}, {figures['parameters']:,} parameters; {figures['perturbation']} "
        f"perturbation, population {figures['population']:,} on {seen}, "
        f"{figures['chunks']} chunks; seed {figures['seed']}"
    )
    yield (
        f"median [interval] of {figures['rounds']} rounds of {figures['generations']:,} generations; the interval "
        f"holds the true median with probability {figures['median_coverage']:.3g}"
    )
    yield _scaling(strong["rows"], "Strong scaling: the same work, bitwise the same result", "speedup", "karp_flatt")
    yield _where(strong["rows"])
    if any(row["oversubscribed"] for row in strong["rows"]):
        yield f"* oversubscribed: more workers than the {figures['cores']} cores here; not in the fit"
    if (widest := max(map(_width, strong["rows"]))) > _RESTLESS:
        yield (
            f"The speedups of the rounds scatter over {widest:.0%}: something else ran on these cores. Repeat it on a "
            "quiet machine, or with more --rounds"
        )
    yield from _law(figures)
    if weak:
        title = "Weak scaling: work that grows with the workers"
        yield _scaling(weak["rows"], title, "scaled speedup", "gustafson")


def _scaling(rows: list[dict[str, Any]], title: str, speedup: str, serial: str) -> Grid:
    name = {"karp_flatt": "Karp-Flatt serial fraction", "gustafson": "Gustafson serial share"}[serial]
    grown = "population" in rows[0]
    columns = ["workers", *(["population"] if grown else []), "time a generation", speedup, "efficiency", name]
    table = Grid(title, columns, [])
    for row in rows:
        cells = [_workers(row), *([f"{row['population']:,}"] if grown else []), _time_range(row["seconds"])]
        cells += [_range(row["speedup"], "{:.2f}"), _range(row["efficiency"], "{:.1%}"), _estimate(row[serial])]
        table.rows.append(cells)
    return table


def _where(rows: list[dict[str, Any]]) -> Grid:
    """What the first worker spent its time on (medians), and the bytes of one generation."""
    title = "Where the time of a generation goes (as the first worker sees it)"
    table = Grid(title, ["workers", *PARTS, "traffic"], [])
    for row in rows:
        whole = sum(row["where"].values())
        shares = [f"{short_time(row['where'][part])} ({row['where'][part] / whole:.0%})" for part in PARTS]
        traffic = f"{byte_count(row['bytes_down'])} out, {byte_count(row['bytes_up'])} in"
        table.rows.append([_workers(row), *shares, traffic])
    return table


def _law(figures: dict[str, Any]) -> Iterator[Grid | str]:
    fit, projected = figures["strong"]["amdahl"], figures["strong"]["projection"]
    if fit is None:
        yield "Amdahl's law: not fitted, as no count above one worker has a core for each"
        return
    measured = [row["workers"] for row in figures["strong"]["rows"] if not row["oversubscribed"]]
    text = f"Amdahl's law: serial fraction {_error(fit['serial_fraction'], fit['standard_error'])}"
    if (misfit := fit["misfit"]) is not None:
        text += f"; misfit {misfit:.2g} (about 1 where the law holds, and the error is widened above)"
    yield text
    if fit["serial_fraction"] < 0:
        yield "A negative fraction is a speedup above the number of workers: caches, or a machine that drifts"
    title = f"PROJECTION by Amdahl's law from {', '.join(map(str, measured))} workers: NOT measured"
    table = Grid(title, ["cores", "projected time a generation", "projected speedup"], [])
    for row in projected:
        seconds = {"median": row["seconds"]["value"], **row["seconds"]}
        speedup = _range(row["speedup"], "{:,.1f}", "value")
        table.rows.append([f"{row['cores']:,}", _time_range(seconds), speedup])
    yield table
    yield (
        "95% intervals, from the scatter of the rounds alone: they hold as far as the law does. An overhead that "
        "grows with the workers is not in them, and neither is the network between machines. A projection to more "
        f"cores than the {figures['chunks']} chunks of this work needs it cut finer (--chunks)."
    )


def _width(row: dict[str, Any]) -> float:
    speedup = row["speedup"]
    return 0.0 if row["oversubscribed"] else (speedup["high"] - speedup["low"]) / speedup["median"]


def _workers(row: dict[str, Any]) -> str:
    return f"{row['workers']}{'*' if row['oversubscribed'] else ''}"


def _range(interval: dict[str, Any], form: str, middle: str = "median") -> str:
    low, high = ("?" if interval[end] is None else form.format(interval[end]) for end in ("low", "high"))
    return f"{form.format(interval[middle])} [{low}, {high}]"


def _time_range(interval: dict[str, Any]) -> str:
    """Value and interval, all three in the same unit."""
    scale, unit = time_unit(interval["median"])
    return _range({name: value and value * scale for name, value in interval.items()}, "{:.3g}") + f" {unit}"


def _estimate(estimate: dict[str, Any] | None) -> str:
    return "" if estimate is None else _error(estimate["value"], estimate["standard_error"])


def _error(value: float, error: float | None) -> str:
    return f"{value:.4f} ± {'?' if error is None else f'{error:.4f}'}"
