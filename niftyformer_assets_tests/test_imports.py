"""What a file imports is found however the import is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from niftyformer_assets import imports
from niftyformer_assets.imports import sources


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with a module `far` in a package `deep`, which has two more."""
    package = tmp_path / "ours"
    monkeypatch.setattr(imports, "PACKAGE", package)
    (package / "deep").mkdir(parents=True)
    for name in ("__init__", "near", "deep/__init__", "deep/far", "deep/further", "deep/alone"):
        (package / f"{name}.py").write_text("")
    (package / "deep" / "far.py").write_text("import ours.deep.further\n")
    return package


WAYS = {
    "import numpy\nimport ours.deep.far": {"deep/far", "deep/further"},
    "from ours.deep.far import RATE": {"deep/far", "deep/further"},
    "from ours.deep import far": {"deep/__init__", "deep/far", "deep/further"},
    "from .deep import far as away": {"deep/__init__", "deep/far", "deep/further"},
    "from . import near": {"__init__", "near"},
    "def later():\n    if True:\n        from ours.deep.far import RATE": {"deep/far", "deep/further"},
    "try:\n    import ours.near\nexcept ImportError:\n    import ours.deep.alone": {"near", "deep/alone"},
    "match 1:\n    case 1:\n        import ours.near": {"near"},
    "if TYPE_CHECKING:\n    import ours.near\nelse:\n    import ours.deep.alone": {"deep/alone"},
    # What is found by its name as the file runs is counted by whoever asks for it.
    "from ours import deep\nload_each(deep)": {"__init__", "deep/__init__"},
    "def later():\n    from ours import deep\n    load_all(deep)": {
        "__init__",
        *("deep/__init__", "deep/far", "deep/further", "deep/alone"),
    },
}


@pytest.mark.parametrize("text", WAYS)
def test_however_it_is_written(text: str, package: Path) -> None:
    file = package / "file.py"
    file.write_text(f"{text}\n")
    found = {each.relative_to(package).with_suffix("").as_posix() for each in sources(file)}
    assert found == {"file", *WAYS[text]}


def test_what_is_left_out_is_not_followed(package: Path) -> None:
    file = package / "file.py"
    file.write_text("import ours.near\nimport ours.deep.far\n")
    assert {each.name for each in sources(file, but=lambda each: each.name == "far.py")} == {"file.py", "near.py"}
