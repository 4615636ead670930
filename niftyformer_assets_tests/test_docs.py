"""The pages that people read: what they link to is there."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from niftyformer_assets.artifacts import artifacts
from niftyformer_assets.cli import app
from niftyformer_assets.settings import PROJECT
from niftyformer_assets_tests.conftest import SLOW, SLOW_FOLDERS, TESTS

PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`([a-z_]+/[a-z_0-9/]+\.py)`")
# A path in a text, as `store/workspace.py` or `defs/automation/`; a pattern or a name to be filled in is none.
PATH = re.compile(r"`([a-z_0-9]+/[a-z_0-9/]*(?:\.(?:py|md|json|yaml|csv|toml))?)`")
ROOTS = (PROJECT, PROJECT / "niftyformer_assets", PROJECT / "niftyformer_assets_tests")
# What is made, and lies in no checkout.
MADE = {"provenance/", "model/", "studies/"}


def anchors(page: Path) -> set[str]:
    """The headings of a page as they are linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        name, _, heading = link.partition("#")
        target = page if not name else page.parent / name
        assert target.exists(), link
        if heading:
            assert heading in anchors(target), link


def test_the_tests_that_the_method_names_are_there() -> None:
    named = set(TEST.findall((PROJECT / "docs" / "method.md").read_text(encoding="utf-8")))
    assert len(named) > 10
    tests = PROJECT / "niftyformer_assets_tests"
    missing = {name for name in named if not (tests / name).exists()}
    assert not missing


def test_the_method_has_every_artifact_with_the_test_that_proves_it() -> None:
    found: dict[str, set[str]] = {}
    for line in (PROJECT / "docs" / "method.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            cells = line.strip("| ").split(" | ")
            tests = {name for name in re.findall(r"`([a-z_0-9/]+(?:\.py|/))`", cells[-1]) if (TESTS / name).exists()}
            for name in re.findall(r"`(\w+)`", cells[0]):
                found.setdefault(name, set()).update(tests)
    assert not [name for name in artifacts() if not found.get(name)]


@pytest.mark.parametrize("page", ["design.md", "guide.md"])
def test_the_paths_that_a_page_names_are_there(page: str) -> None:
    named = set(PATH.findall((PROJECT / "docs" / page).read_text(encoding="utf-8"))) - MADE
    assert named
    assert not {name for name in named if not any((root / name).exists() for root in ROOTS)}


def test_the_site_has_every_page() -> None:
    """Those of the code's docstrings are compared where the site is built."""
    found: list[str] = []

    def look(entries: list[Any]) -> None:
        for entry in entries:
            of_entry = entry if isinstance(entry, str) else next(iter(entry.values()))
            look(of_entry) if isinstance(of_entry, list) else found.append(of_entry)

    look(yaml.safe_load((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    outside = {"index.md", "contributing.md", "changelog.md", "licence.md"}
    pages = [page for page in found if not page.startswith("code/")]
    assert sorted(pages) == sorted({page.name for page in (PROJECT / "docs").glob("*.md")} | outside)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)],
        cwd=PROJECT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    code = (tmp_path / "code" / "portfolio" / "index.html").read_text(encoding="utf-8")
    assert 'id="niftyformer_assets.portfolio.backtest.run.run_backtest"' in code
    assert "scores and market are on different axes, or there are fewer than 2 sessions" in code


def test_the_design_names_every_package_of_the_contract_and_no_other() -> None:
    contract = _toml(PROJECT / "pyproject.toml")["tool"]["importlinter"]["contracts"][0]
    layers = {name.strip() for layer in contract["layers"] for name in re.split(r"[|:]", layer)}
    page = (PROJECT / "docs" / "design.md").read_text(encoding="utf-8")
    table = page.split("| package or module | holds |")[1].split("\n\n")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in first for name in re.findall(r"`([a-z_]+)`", cell)} == layers


@pytest.mark.parametrize("name", ["artifacts", "errors"])
def test_a_written_page_is_current(name: str) -> None:
    page = (PROJECT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert page == _script(f"list_{name}").page(), f"write it again: python docs/list_{name}.py"


def test_what_an_error_says_is_found_however_it_is_made(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "class Odd(NiftyFormerError): ...\nclass Odder(Odd): ...\n"
        "def f(path, day, found):\n"
        "    if day:\n"
        "        raise Odder(f'{path} of {day:%d} is [cut' f' off: fetch it{\" again\" if day else \"\"}')\n"
        "    raise NiftyFormerError('nothing ' + ', '.join(found.names)) from None\n"
        "def g(reason):\n    raise NiftyFormerError(reason)\n"
        "def h():\n    raise ValueError('not for a person')\n"
    )
    script = _script("list_errors")
    errors = script.names_of_errors([file])
    assert errors == {"NiftyFormerError", "Odd", "Odder"}
    assert set(script.messages(file, errors)) == {
        "*path* of *day* is \\[cut off: fetch it[ again].",
        "nothing *names*.",
    }


def test_what_the_quick_tests_leave_out_is_there() -> None:
    """So that a file or a test that is renamed does not come back into them unseen."""
    for name in SLOW:
        file, _, test = name.partition("::")
        assert f"def {test}(" in (TESTS / file).read_text(encoding="utf-8") if test else (TESTS / file).is_file(), name
    assert all((TESTS / name).is_dir() for name in SLOW_FOLDERS)


def test_before_a_commit_the_same_is_run_as_by_hand() -> None:
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["make check"] and not hooks[0]["pass_filenames"]
    assert re.search(r"^check:", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


COMMANDS = [
    (page.name, command)
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for command in re.findall(r"^niftyformer (.*)$", block.replace("\\\n", " "), re.MULTILINE)
]


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_that_a_page_shows_is_understood(page: str, command: str) -> None:
    """As far as the command line is: its name, its options, and that nothing is missing."""
    words = [word for word in shlex.split(command, comments=True) if word != "&"]
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    chosen = group.commands[words[0]]
    chosen.make_context(words[0], words[1:]).close()


def _script(name: str) -> Any:
    found = importlib.util.spec_from_file_location(name, PROJECT / "docs" / f"{name}.py")
    assert found is not None and found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    return script


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib comes with Python 3.11")
    import tomllib

    return tomllib.loads(path.read_text(encoding="utf-8"))
