"""JSON: a list of records, an object of columns, or one record a line (.jsonl)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from nograd.core.types import DataError
from nograd.data.messages import one_line
from nograd.data.read.compressed import read_gzip
from nograd.data.table import Table, check_names, row_place

_PLAIN = (str, int, float, bool, type(None))


def read_json(path: Path) -> Table:
    """The table in a .json file: [{"a": 1}, …], {"a": [1, …]} or pandas' {"a": {"0": 1, …}}.

    Raises:
        DataError: not JSON, with line and column; not a table; or a value that is itself a list or an object.
    """
    try:
        content = json.loads(_text(path), object_pairs_hook=lambda pairs: _once(pairs, str(path)))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} line {error.lineno}, column {error.colno} is not JSON ({error.msg}); correct it, or write it again"
        ) from error
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply for a table; give a list of records") from error
    return _table(path, _columns(path, content), row_place)


def read_jsonl(path: Path) -> Table:
    """The table in a file with one JSON object a line."""
    records, lines = [], []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=lambda pairs: _once(pairs, f"{path}"))
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"{path} line {number} is not JSON ({one_line(error)}); give one object a line") from error
        if not isinstance(record, dict):
            raise DataError(f"{path} line {number} holds {one_line(line)}, not an object; give one object a line")
        records.append(record)
        lines.append(number)
    return _table(path, _from_records(records), lambda row: f"line {lines[row]}")


def _text(path: Path) -> str:
    try:
        raw = read_gzip(path) if path.suffix.lower() == ".gz" else path.read_bytes()
        return raw.decode(json.detect_encoding(raw))
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); check path and permissions") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error


def _once(pairs: list[tuple[str, Any]], source: str) -> dict[str, Any]:
    """An object, if every name occurs once in it."""
    record = dict(pairs)
    if len(record) < len(pairs):
        check_names([name for name, _ in pairs], source)
    return record


def _columns(path: Path, content: Any) -> dict[str, list[Any]]:
    """The columns of any of the forms that a table has in JSON."""
    content = _unwrapped(content)
    if isinstance(content, list) and all(isinstance(record, dict) for record in content):
        return _from_records(content)
    if isinstance(content, dict) and content and all(isinstance(column, list | dict) for column in content.values()):
        columns = {name: list(c.values()) if isinstance(c, dict) else c for name, c in content.items()}
        if len({len(column) for column in columns.values()}) == 1:
            return columns
    raise DataError(f'{path} is JSON but no table; give a list of records [{{"column": value, …}}, …]')


def _unwrapped(content: Any) -> Any:
    """The records of {"data": [{…}, …]}, and of pandas' other forms: by row, and split into columns and data."""
    if not isinstance(content, dict):
        return content
    if isinstance(content.get("columns"), list) and isinstance(content.get("data"), list):
        names = [str(name) for name in content["columns"]]
        if all(isinstance(row, list) and len(row) == len(names) for row in content["data"]):
            return [_once(list(zip(names, row, strict=True)), "the list of columns") for row in content["data"]]
    lists = [v for v in content.values() if isinstance(v, list) and v and all(isinstance(r, dict) for r in v)]
    if len(lists) == 1:
        return lists[0]
    by_row = all(name.isdecimal() for name in content) and all(isinstance(r, dict) for r in content.values())
    named = by_row and any(not str(name).isdecimal() for record in content.values() for name in record)
    return list(content.values()) if named else content


def _from_records(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The columns of records, in the order in which their names come up; null where a record lacks one."""
    names = {name: None for record in records for name in record}
    return {name: [record.get(name) for record in records] for name in names}


def _table(path: Path, columns: dict[str, list[Any]], place: Callable[[int], str]) -> Table:
    check_names(list(columns), str(path))
    table = Table(pl.DataFrame(), str(path), place)
    frame = pl.DataFrame([series_of(name, values, table) for name, values in columns.items()])
    if not frame.height:
        raise DataError(f"{path} holds no records; give one an example")
    return table._replace(frame=frame)


def series_of(name: str, values: list[Any], table: Table) -> pl.Series:
    """Python's values as a column: numbers, true or false, or text; text as soon as one of them is.

    Raises:
        DataError: a value that is none of these, with its place.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {bool}:
        return pl.Series(name, values, pl.Boolean)
    if kinds <= {int, float}:
        return pl.Series(name, [None if value is None else float(value) for value in values], pl.Float64)
    for row, value in enumerate(values):
        if not isinstance(value, _PLAIN):
            raise DataError(
                f"{table.source} {table.place(row)}, column '{one_line(name)}' holds {one_line(value)}, "
                "not a number, text, true or false; give one value a cell"
            )
    return pl.Series(name, [_as_text(value) for value in values], pl.String)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else repr(value)
