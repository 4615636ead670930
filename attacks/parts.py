"""The parts of the attacks, each for a process of its own."""

from __future__ import annotations

from pathlib import Path

from attacks.answers import answer_wrongly
from attacks.damage import damage_everything
from attacks.kills import KILLS, kill_everything
from attacks.outcomes import Attack
from attacks.scene import quiet

PARTS = ("kills", "damage", "answers")


def attack(part: str, folder: Path, seed: int, share: float) -> list[Attack]:
    """One part of the attacks, in a folder of its own."""
    quiet()
    if part == "kills":
        kills = {stage: round(times * share) for stage, times in KILLS.items()}
        return list(kill_everything(folder / part, seed, kills))
    if part == "damage":
        return list(damage_everything(folder / part, seed, share))
    return list(answer_wrongly(folder / part, seed))
