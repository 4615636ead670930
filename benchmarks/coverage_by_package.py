"""How many lines of each package ran, from what `coverage json` wrote: `make coverage` calls this.

Compiled kernels run without being seen, and count as lines that did not.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path


def by_package(report: Path) -> list[tuple[str, int, int]]:
    """Package or module, lines, and those of them that ran; all together at the end."""
    lines: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    for file, found in json.loads(report.read_text(encoding="utf-8"))["files"].items():
        for name in (Path(file).parts[1].removesuffix(".py"), "all"):
            lines[name] += found["summary"]["num_statements"]
            ran[name] += found["summary"]["covered_lines"]
    return [(name, lines[name], ran[name]) for name in sorted(lines, key=lambda name: (name == "all", name))]


if __name__ == "__main__":
    print("| package | lines | run |\n|---|---|---|")
    for name, lines, ran in by_package(Path(sys.argv[1])):
        print(f"| {name} | {lines} | {ran / max(lines, 1):.0%} |")
