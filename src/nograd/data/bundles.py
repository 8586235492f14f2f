"""The data sets that come with scikit-learn, by name."""

from typing import Any

from nograd.data.frames import frame_table
from nograd.data.own import table_fields
from nograd.data.tables import TableOptions


def bundle_fields(name: str, options: TableOptions) -> dict[str, Any]:
    """The fields of a data set that scikit-learn brings: its columns, and its targets by their names."""
    # Imported here: scikit-learn takes a second.
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    columns = {str(feature): bunch.data[:, i] for i, feature in enumerate(bunch.feature_names)}
    if bunch.target.ndim == 2:
        targets = {str(target): bunch.target[:, i] for i, target in enumerate(bunch.target_names)}
    elif "target_names" in bunch:
        targets = {"target": bunch.target_names[bunch.target]}
    else:
        targets = {"target": bunch.target}
    table = frame_table({**columns, **targets}, f"scikit-learn's {name}")
    label = options.label or list(targets)
    return table_fields(table, TableOptions(**{**vars(options), "label": label}), name)
