"""The published code's names of the weights, mapped to ours."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def published_to_ours(published: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """State dict (or gradients) of the published model under our names.

    The convolution becomes a linear map of the session before and the session; parameters that no
    output uses are left out.
    """
    ours: dict[str, Tensor] = {}

    def linear(target: str, source: str) -> None:
        for kind in ("weight", "bias"):
            ours[f"{target}.{kind}"] = published[f"{source}.{kind}"]

    def mlp(target: str, source: str, places: tuple[int, int] = (0, 1)) -> None:
        linear(f"{target}.0", f"{source}.{places[0]}")
        linear(f"{target}.2", f"{source}.{places[1]}")

    mlp("embed_low.mlp", "features.start_emb_l.linear")
    mlp("embed_high.mlp", "features.start_emb_h.linear")
    mlp("embed_calendar.mlp", "features.te_emb.ff_te.linear")
    for layer in range(layers):
        source, target = f"features.dual_encoder.{layer}", f"encoder.{layer}"
        for part in ("query", "key", "value"):
            linear(f"{target}.temporal.{part}", f"{source}.tatt.{part[0]}fc.linear.0")
        linear(f"{target}.temporal.out", f"{source}.tatt.ofc.linear.0")
        mlp(f"{target}.temporal.mlp", f"{source}.tatt.ff.linear")
        kernel = published[f"{source}.tcn.conv.weight"]  # [D, D, 1, 2]
        ours[f"{target}.convolution.taps.weight"] = torch.cat([kernel[:, :, 0, 0], kernel[:, :, 0, 1]], dim=1)
        ours[f"{target}.convolution.taps.bias"] = published[f"{source}.tcn.conv.bias"]
        for band, name in (("low", "ssal"), ("high", "ssah")):
            for part in ("query", "key", "value"):
                linear(f"{target}.spatial_{band}.{part}", f"{source}.{name}.{part[0]}fc")
            linear(f"{target}.spatial_{band}.out", f"{source}.{name}.ofc")
            mlp(f"{target}.spatial_{band}.mlp", f"{source}.{name}.ff", (0, 2))
    linear("fusion.query", "features.adaptive_fusion.qlfc.linear.0")
    linear("fusion.key", "features.adaptive_fusion.khfc.linear.0")
    linear("fusion.value", "features.adaptive_fusion.vhfc.linear.0")
    linear("fusion.out", "features.adaptive_fusion.ofc.linear.0")
    mlp("fusion.mlp", "features.adaptive_fusion.ff.linear")
    for band, name in (("low", "pre_l"), ("high", "pre_h")):
        ours[f"predict_{band}.over_sessions.weight"] = published[f"features.{name}.weight"][:, :, 0, 0]
        ours[f"predict_{band}.over_sessions.bias"] = published[f"features.{name}.bias"]
    mlp("classify", "classifier.end_emb_class.linear")
    mlp("regress", "classifier.end_emb_regress.linear")
    return ours
