"""What the web UI shows of an asset: numbers, tables and pictures, and an error in one line."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from niftyformer_assets.defs.reasons import tell_red_partitions
from niftyformer_assets.extras import torch_or_one_line
from niftyformer_assets.settings import PROJECT
from niftyformer_assets.store.errors import NiftyFormerError, disk_or_one_line
from niftyformer_assets.store.given import in_one_line
from niftyformer_assets.words import counted

# Dagster's tag of a run that says whether the failure of an asset lets it be retried.
RETRY_AFTER_A_FAILURE = "dagster/retry_on_asset_or_op_failure"
PRICES = ("open", "high", "low", "close", "price")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """As a decorator or a block of an asset: an error meant for a person becomes a failure that says that one line.

    Whatever the error is, the pages of the partitions that it turns red say it, not only the log of the run. Where
    runs are retried by themselves, one that ends with such an error is not: it would end with the same again.
    """
    try:
        with disk_or_one_line(), torch_or_one_line():
            yield
    except NiftyFormerError as error:
        tell_red_partitions(str(error))
        _keep_from_retries()
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except dg.Failure:  # told where it was raised, a partition at a time
        _keep_from_retries()
        raise
    except Exception as error:
        tell_red_partitions(f"{type(error).__name__}: {in_one_line(error)}")
        raise


def _keep_from_retries() -> None:
    context = dg.AssetExecutionContext.get()
    if context.instance.run_retries_enabled:
        context.instance.add_run_tags(context.run.run_id, {RETRY_AFTER_A_FAILURE: "false"})


def file_path(path: Path) -> dg.PathMetadataValue:
    """A path as the web UI shows it: from the project's folder on where it lies there, which fits into the table."""
    return dg.MetadataValue.path(str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path))


def rounded(value: Any) -> Any:
    """A float with four significant digits, which is all that a person reads; anything else as it is."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def picture(png: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A PNG that the web UI shows."""
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})")


def table(rows: Any, limit: int = 50) -> dg.MarkdownMetadataValue:
    """A frame as a table in the web UI: prices to the paisa; what is beyond `limit` rows is counted."""
    if not len(rows):
        return dg.MetadataValue.md("none")
    head = rows.head(limit)
    lines = ["| " + " | ".join(str(c) for c in head.columns) + " |", "|" + " --- |" * len(head.columns)]
    lines += ["| " + " | ".join(map(_cell, head.columns, values)) + " |" for values in head.itertuples(index=False)]
    if len(rows) > limit:
        lines.append(f"\n… and {counted(len(rows) - limit, 'more row')}")
    return dg.MetadataValue.md("\n".join(lines))


def _cell(column: Any, value: Any) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        # From a thousand on four digits would cost the units.
        return f"{value:.2f}" if column in PRICES or 1000 <= abs(value) < 1e15 else f"{value:.4g}"
    return as_text(value)


def as_text(value: Any) -> str:
    """Anything as markdown that shows just its characters, on one line: no link, picture, markup or new cell."""
    # An entity becomes a letter and nothing else, so & stays as in M&M.
    text = re.sub(r"([\\`*_()\[\]<>|~])", r"\\\1", " ".join(str(value).split()))
    # A web address by itself would still become a link.
    return re.sub(r"(?i)(https?:|www\.)(?=\S)", r"\1 ", text)
