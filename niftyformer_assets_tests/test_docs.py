"""The pages that people read: what they link to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from niftyformer_assets.settings import PROJECT

PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST = re.compile(r"`([a-z_]+/[a-z_/]+\.py)`")


def anchors(page: Path) -> set[str]:
    """The headings of a page as they are linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
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
