"""docs/settings.md is what the code says, names every setting, and is found from the README."""

from __future__ import annotations

import dataclasses
import importlib.util

from niftyformer_assets.experiments.experiment import Experiment
from niftyformer_assets.settings import PROJECT, Settings

DOCS = PROJECT / "docs"


def test_the_page_is_current_and_names_every_setting_with_its_meaning() -> None:
    found = importlib.util.spec_from_file_location("list_settings", DOCS / "list_settings.py")
    assert found is not None and found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert page == script.page(), "write it again: python docs/list_settings.py"
    rows = {
        line.split(" | ")[0].strip("| `"): line.split(" | ") for line in page.splitlines() if line.startswith("| `")
    }
    assert all(len(cells) == 4 and all(cell.strip(" |") for cell in cells) for cells in rows.values())
    for name, field in Experiment.model_fields.items():
        if dataclasses.is_dataclass(field.annotation) and isinstance(field.annotation, type):
            assert {f"{name}.{part.name}" for part in dataclasses.fields(field.annotation)} <= rows.keys()
        elif name not in ("name", "overrides"):
            assert name in rows
    assert {
        str(f.validation_alias or f"NIFTYFORMER_{n.upper()}") for n, f in Settings.model_fields.items()
    } <= rows.keys()
    assert "docs/settings.md" in (PROJECT / "README.md").read_text(encoding="utf-8")
