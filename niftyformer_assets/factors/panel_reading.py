"""Factor panels read: apart from how they are made, so that a reader does not depend on the code of the factors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from niftyformer_assets.store.arrays import Axes
from niftyformer_assets.store.errors import NiftyFormerError, damaged
from niftyformer_assets.store.tables import read_arrow


def read_factor_panel(path: Path, axes: Axes, names: Sequence[str]) -> np.ndarray:
    """Read factors as float32 [F, T, N] on `axes`, NaN where there is no row.

    Raises:
        NiftyFormerError: missing, damaged, made on other axes, or without one of `names`.
    """
    table, notes = read_arrow(path, ["date", "symbol", *names], read_dictionary=["symbol"])
    if notes.get("axes") != fingerprint_of_axes(axes):
        raise NiftyFormerError(f"{path} was made on other sessions or symbols: materialize it again.")
    if absent := sorted(set(names) - set(table.column_names)):
        raise NiftyFormerError(f"{path} has no factor {absent[0]}: materialize it again.")
    try:
        dates = table["date"].to_numpy().astype("datetime64[D]")
        symbols = table["symbol"].unify_dictionaries().combine_chunks()
        place = {symbol: column for column, symbol in enumerate(axes.symbols)}
        columns = np.array([place[name] for name in symbols.dictionary.to_pylist()], dtype=np.int64)
        cells = np.searchsorted(axes.dates, dates) * len(place) + columns[symbols.indices.to_numpy()]
        values = np.full((len(names), axes.shape[0] * axes.shape[1]), np.nan, dtype=np.float32)
        for factor, name in enumerate(names):
            values[factor, cells] = table[name].to_numpy()
    except (pa.ArrowException, KeyError, ValueError, IndexError) as error:
        raise damaged(path, error) from error
    return values.reshape(len(names), *axes.shape)


def fingerprint_of_axes(axes: Axes) -> str:
    """By which a panel knows its sessions and symbols."""
    text = "\n".join([*axes.dates.astype(str).tolist(), *axes.symbols])
    return hashlib.sha256(text.encode()).hexdigest()
