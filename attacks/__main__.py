"""Attack, count, and say so.

python -m attacks                    everything, about 20 minutes on two cores
python -m attacks --only damage      one part
python -m attacks --seed 7           other moments, mixtures and bits; the same seed, the same ones
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console

from attacks.outcomes import Attack, show, wrong
from attacks.parts import PARTS, attack


def main() -> int:
    """Run the parts asked for; 1 where an attack ended as none may."""
    parser = argparse.ArgumentParser(prog="python -m attacks", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part, as often as wanted")
    parser.add_argument("--share", type=float, default=1.0, help="of the kills and of the damages to each file")
    chosen = parser.parse_args()
    console = Console()
    attacks: list[Attack] = []
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="niftyformer-attacks-") as name,
        # The longest beside the two others, for the candles of each wait more than they compute.
        ProcessPoolExecutor(max_workers=2, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        begun = {
            part: pool.submit(attack, part, Path(name), chosen.seed, chosen.share)
            for part in PARTS
            if not chosen.only or part in chosen.only
        }
        for part, found in begun.items():
            show(console, f"{part} (seed {chosen.seed})", found.result())
            attacks += found.result()
    bad = wrong(attacks)
    verdict = f"{len(bad)} of {len(attacks)} attacks ended as none may" if bad else f"all {len(attacks)} ended well"
    console.print(f"{verdict}; {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
