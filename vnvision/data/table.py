"""CSV and Parquet tables as text cells: read strictly, written atomically."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vnvision import atomic
from vnvision.errors import DataError, MissingExtraError

_UTF8 = "save it as 'CSV UTF-8'"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        header: column names, stripped, unique, not empty.
        cells: one list a row, each as long as the header.
        lines: line of each row in the file, the header being line 1. A Parquet row has the line it
            would have in a CSV file.
        sha256: hex digest of the file's bytes.
    """

    header: tuple[str, ...]
    cells: list[Sequence[str]]
    lines: list[int]
    sha256: str


def row_list(lines: Sequence[int], limit: int = 5) -> str:
    """Row numbers for a message: ``row 3`` or ``rows 3, 7, 9, 12, 15 and 31 more``."""
    shown = ", ".join(str(line) for line in lines[:limit])
    more = f" and {len(lines) - limit} more" if len(lines) > limit else ""
    return f"row{'s' if len(lines) > 1 else ''} {shown}{more}"


def read_table(path: str | Path) -> Table:
    """Read a ``.csv`` (UTF-8, with or without byte order mark) or ``.parquet`` file.

    Raises:
        DataError: unreadable file, other suffix, undecodable or NUL bytes, bad quoting, a wrong header,
            no rows, or rows of another length than the header.
        MissingExtraError: Parquet without pyarrow.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise DataError(f"{path} is no table", expected=".csv or .parquet", got=path.suffix or "no suffix")
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise DataError(f"cannot read {path}", got=exc.strerror or str(exc)) from exc
    parse = _parse_csv if path.suffix.lower() == ".csv" else _parse_parquet
    header, cells, lines = parse(data, path)
    header = [name.strip() for name in header]
    _check_header(header, path)
    if not cells:
        raise DataError(f"{path} has no rows", expected="a header and one row or more", got="a header only")
    ragged = [line for row, line in zip(cells, lines, strict=True) if len(row) != len(header)]
    if ragged:
        first = next(row for row in cells if len(row) != len(header))
        raise DataError(
            f"{path}: {row_list(ragged)}",
            expected=f"{len(header)} cells as in the header",
            got=f"{len(first)} in row {ragged[0]}",
            fix="quote cells that hold a comma",
        )
    return Table(tuple(header), cells, lines, hashlib.sha256(data).hexdigest())


def write_table(path: str | Path, header: Sequence[str], cells: Iterable[Sequence[Any]]) -> Path:
    """Write a table atomically; the suffix chooses CSV (UTF-8, line feeds) or Parquet.

    Raises:
        DataError: another suffix, or text that is not valid Unicode.
        MissingExtraError: Parquet without pyarrow.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise DataError(f"cannot write {path}", expected=".csv or .parquet", got=path.suffix or "no suffix")
    rows = [["" if cell is None else cell for cell in row] for row in cells]
    try:
        data = _csv_bytes(header, rows) if suffix == ".csv" else _parquet_bytes(header, rows)
    except UnicodeEncodeError as exc:
        raise DataError(
            f"cannot write {path}: a cell is not valid Unicode", got=repr(exc.object)[:80]
        ) from exc
    try:
        return atomic.write_bytes(path, data)
    except OSError as exc:
        raise DataError(f"cannot write {path}", got=exc.strerror or str(exc)) from exc


def _check_header(header: list[str], path: Path) -> None:
    empty = [str(number) for number, name in enumerate(header, 1) if not name]
    if empty:
        raise DataError(
            f"{path}: column {', '.join(empty)} has no name",
            fix="name it or drop it (pandas writes one for its index: use to_csv(index=False))",
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: columns named twice", expected="each name once", got=", ".join(twice))


def _line_of(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _parse_csv(data: bytes, path: Path) -> tuple[list[str], list[Sequence[str]], list[int]]:
    if data.startswith(_UTF16):
        raise DataError(f"{path} is not UTF-8", got="UTF-16", fix=_UTF8)
    if (offset := data.find(b"\0")) >= 0:
        raise DataError(f"{path}: row {_line_of(data, offset)} holds a NUL byte", fix=_UTF8)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise DataError(
            f"{path}: row {_line_of(data, exc.start)} is not UTF-8",
            got=f"byte 0x{data[exc.start]:02x}",
            fix=_UTF8,
        ) from exc
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[Sequence[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as exc:
        raise DataError(
            f"{path}: row {start} cannot be parsed", got=str(exc), fix="check its quotes"
        ) from exc
    if not records:
        raise DataError(f"{path} is empty", expected="a header and one row or more")
    return list(records[0]), records[1:], lines[1:]


def _csv_bytes(header: Sequence[str], rows: list[list[Any]]) -> bytes:
    # A lone carriage return would not be quoted before Python 3.13, and would read back as a line end.
    returns = any("\r" in cell for row in rows for cell in row if isinstance(cell, str))
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream, lineterminator="\n", quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL, strict=True
    )
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise MissingExtraError("pyarrow", "parquet") from exc
    return pyarrow, pyarrow.parquet


def _parse_parquet(data: bytes, path: Path) -> tuple[list[str], list[Sequence[str]], list[int]]:
    pa, pq = _pyarrow()
    try:
        table = pq.read_table(pa.BufferReader(data), use_threads=False)
        columns = [_column_text(table.column(i), pa) for i in range(table.num_columns)]
    except (pa.ArrowException, OSError, ValueError, MemoryError) as exc:
        raise DataError(f"{path} is not a readable Parquet file", got=str(exc).split("\n")[0][:200]) from exc
    wrong = [name for name, column in zip(table.column_names, columns, strict=True) if column is None]
    if wrong:
        raise DataError(
            f"{path}: columns {', '.join(wrong)}", expected="text, numbers or dates", got="other types"
        )
    cells: list[Sequence[str]] = list(zip(*[column or [] for column in columns], strict=True))
    return list(table.column_names), cells, list(range(2, len(cells) + 2))


def _column_text(column: Any, pa: Any) -> list[str] | None:
    """A Parquet column as CSV cells: missing is empty, 1.0 is 1, booleans are 1 and 0; None: no such type."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return [""] * len(column)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_floating(kind):
        return [_float_text(value) for value in column.cast(pa.float64()).to_pylist()]
    elif not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_temporal(kind)
    ):
        return None
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _float_text(value: float | None) -> str:
    if value is None or value != value:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def _parquet_bytes(header: Sequence[str], rows: list[list[Any]]) -> bytes:
    pa, pq = _pyarrow()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    arrays = [pa.array([str(cell) for cell in column], type=pa.string()) for column in columns]
    stream = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, names=list(header)), stream)
    return bytes(stream.getvalue())
