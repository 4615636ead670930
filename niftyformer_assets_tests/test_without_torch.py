"""Where torch is not installed, all but models is made, and what wants it says so in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster

from niftyformer_assets.artifacts import artifacts, phases
from niftyformer_assets.settings import PROJECT
from niftyformer_assets_tests.browser.web_ui import environment_of
from niftyformer_assets_tests.conftest import tiny_settings

NIFTYFORMER = ("-c", "from niftyformer_assets.cli import app; app()")
MODEL = ("-m", "niftyformer_assets.model")
WORDS = "torch, which trains models and lets them predict, is not installed"


def all_but_torch(folder: Path) -> Path:
    """A folder of packages with all that are installed here but torch."""
    folder.mkdir()
    for entry in Path(dagster.__file__).parents[1].iterdir():
        if not entry.name.startswith(("torch", "functorch", "__editable__")):
            (folder / entry.name).symlink_to(entry)
    (folder / "niftyformer_assets").symlink_to(PROJECT / "niftyformer_assets")
    return folder


def test_the_graph_is_made_up_to_training_which_says_what_it_wants(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    packages = all_but_torch(tmp_path / "site-packages")
    environment = environment_of(settings, PYTHONPATH=str(packages), PYTHONSAFEPATH="1", NIFTYFORMER_CPU_ALLOWED="true")

    def run(*arguments: str) -> str:
        """What a program that fails says."""
        # -S leaves out the interpreter's own site-packages.
        done = subprocess.run(
            [sys.executable, "-S", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        return done.stderr

    assert "No module named 'torch'" in run("-c", "import torch")
    said = run(*NIFTYFORMER, "run", "--experiment", "tiny")
    assert f"trained_model: {WORDS}" in said.splitlines()[-1] and "Traceback" not in said
    folder = settings.workspace.experiment("tiny")
    names = phases(artifacts())["experiment"]
    made = {path.stem for path in folder.provenance.glob("*.json")}
    assert made == set(names[: names.index("trained_model")])
    said = run(*MODEL, "--dataset", str(folder.root))
    assert said.startswith(f"error: {WORDS}") and said.count("\n") == 1
