from __future__ import annotations

import struct

import numpy as np
import pandas as pd

from niftyformer_assets.market import pictures
from niftyformer_assets.market.cleaning import clean
from niftyformer_assets.market.panel import build_panel
from niftyformer_assets.market.quality import assess
from niftyformer_assets.market.size_proxy import size_proxy
from niftyformer_assets_tests.market.test_cleaning import SESSIONS, flat, stock


def width(png: bytes) -> int:
    assert png.startswith(b"\x89PNG")
    return int(struct.unpack(">I", png[16:20])[0])


def test_every_picture_is_a_png_and_the_same_each_time() -> None:
    market = clean({"A": flat(200), "B": flat(30), "C": stock([5.0] * 200).assign(low=-1.0)}, SESSIONS)
    panel, quality = build_panel(market), assess(market, {"D": "none"})
    universe = pd.DataFrame({"symbol": ["A", "B"], "sector": ["Energy", "Services"]})
    for draw in (
        lambda: pictures.coverage_picture(panel),
        lambda: pictures.quality_picture(quality.table),
        lambda: pictures.size_picture(size_proxy(panel), panel.axes),
        lambda: pictures.universe_picture(universe),
    ):
        png = draw()
        assert width(png) > 300
        assert draw() == png


def test_little_data_is_drawn_too() -> None:
    panel = build_panel(clean({"A": flat(1)}, SESSIONS))
    assert width(pictures.coverage_picture(panel)) > 300
    assert width(pictures.size_picture(np.full((1, 1), np.nan), panel.axes)) > 300
