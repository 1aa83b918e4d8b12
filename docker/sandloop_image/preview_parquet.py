"""Parquet and Arrow files: schema, rows, row groups, first rows."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from .preview_page import Page, amount, quoted
from .preview_source import Odd, Source
from .preview_table import columns_line, rows_lines

os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # Arrow's own takes a gigabyte of addresses at once, and we have bounded them
_ROWS = 3
_COLUMNS_READ = 30


def describe_parquet(source: Source, page: Page) -> None:
    """What the footer says, then the first rows of the first columns."""
    parquet: Any = import_module("pyarrow.parquet")
    lib: Any = import_module("pyarrow")
    try:
        file: Any = parquet.ParquetFile(source.path, pre_buffer=False, buffer_size=1 << 16)
    except (lib.ArrowException, OSError) as error:
        raise Odd(f"it begins like a Parquet file, but is broken or cut short: {error}") from error
    meta, schema = file.metadata, file.schema_arrow
    page.line(
        f"Parquet, {amount(meta.num_rows, 'row')}, {amount(len(schema), 'column')}, {amount(meta.num_row_groups, 'row group')}"
    )
    page.line(f"read it with: df = pd.read_parquet({quoted(source.name, 300)})")
    columns_line(page, list(schema.names), [_type(t) for t in schema.types])
    if meta.num_rows and meta.num_row_groups:
        batch: Any = next(file.iter_batches(batch_size=_ROWS, columns=list(schema.names)[:_COLUMNS_READ], use_threads=False))
        _rows(batch, len(schema), page)


def describe_arrow(source: Source, page: Page) -> None:
    """An Arrow (Feather 2) file."""
    lib: Any = import_module("pyarrow")
    ipc: Any = import_module("pyarrow.ipc")
    with lib.memory_map(source.path) as raw:
        file: Any = ipc.open_file(raw)
        page.line(
            f"Arrow (Feather) file, {amount(len(file.schema), 'column')}, {amount(file.num_record_batches, 'batch', 'batches')}"
        )
        page.line(f"read it with: df = pd.read_feather({quoted(source.name, 300)})")
        columns_line(page, list(file.schema.names), [_type(t) for t in file.schema.types])
        if file.num_record_batches:
            batch: Any = file.get_batch(0)
            _rows(batch.select(list(file.schema.names)[:_COLUMNS_READ]).slice(0, _ROWS), len(file.schema), page)


def _type(kind: object) -> str:
    text = str(kind)
    return text if len(text) <= 60 else text[:60] + "…"


def _rows(batch: Any, width: int, page: Page) -> None:
    columns: list[list[Any]] = [column.slice(0, _ROWS).to_pylist() for column in batch.columns]
    rows_lines(page, [list(cells) for cells in zip(*columns, strict=True)], _ROWS)
    if width > _COLUMNS_READ:
        page.line(f"(rows show the first {_COLUMNS_READ} columns)")
