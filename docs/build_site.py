"""What mkdocs.yml cannot say: the pages from outside of docs/, and for each package one of its public docstrings."""

from __future__ import annotations

import re
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "niftyformer_assets"
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "licence.md",
}
LINK = re.compile(r"(\]\()(?!https?://)([^)\s#]+)(?=[)#])")
CODE = re.compile(r"(`[^`]*`)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what does not lie in docs/."""
    for name, page in OUTSIDE.items():
        text = (PROJECT / name).read_text(encoding="utf-8")
        if name == "LICENSE":
            text = f"# Licence\n\n```text\n{text}```\n"
        files.append(File.generated(config, page, content=text))
    for package, modules in packages().items():
        files.append(File.generated(config, f"code/{package}.md", content=docstrings(package, modules)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are in the site, where all pages but those of code lie side by side."""
    parts = FENCED.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(_inside, part) for part in parts)


def packages() -> dict[str, list[str]]:
    """By page the modules on it, as they are imported; what lies in no package is among the others."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        within = path.relative_to(PACKAGE)
        if not any(part.startswith("_") for part in within.parts):
            page = within.parts[0] if len(within.parts) > 1 else "others"
            found.setdefault(page, []).append(".".join((PACKAGE.name, *within.with_suffix("").parts)))
    return found


def docstrings(package: str, modules: list[str]) -> str:
    """The page of a package."""
    title = f"`{package}`" if package != "others" else "Beside the packages"
    return "\n\n".join([f"# {title}", *(f"::: {module}" for module in modules)]) + "\n"


class Shapes(griffe.Extension):
    """Brackets in docstrings are shapes, as float [T, N], and no links."""

    def on_object(self, *, obj: griffe.Object, **_given: object) -> None:
        if obj.docstring is not None:
            parts = CODE.split(obj.docstring.value)
            obj.docstring.value = "".join(part if part[:1] == "`" else part.replace("[", "\\[") for part in parts)


def _inside(link: re.Match[str]) -> str:
    name = Path(link[2]).name
    return link[1] + OUTSIDE.get(name, name)
