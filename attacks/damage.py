"""Each kind of artifact flipped, cut and swapped, then read by each asset that reads it.

A reader may refuse, naming the file; it may end as without the damage, as where the file is made
anew; and it may say that something is amiss and go on. That other values come out without a word
is a silent change, of which there may be none.
"""

from __future__ import annotations

import io
import json
import logging
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attacks.artifacts import Artifact, artifacts
from attacks.outcomes import Attack, Outcome
from attacks.scene import STAGES, RefusalError, contents, copy_scene, execute, run_stage, settings_in
from niftyformer_assets.artifacts import artifacts as rows_of_artifacts
from niftyformer_assets.artifacts import phases

# How often each kind of artifact is damaged for each of its readers.
TIMES = {"flip": 3, "cut": 1, "swap": 1}
ROWS = rows_of_artifacts()
JOBS = phases(ROWS)


@dataclass(frozen=True)
class Undamaged:
    """What a reader says aloud, and what lies there after it, where nothing is amiss."""

    words: set[str]
    files: dict[str, bytes]


def damage_everything(
    folder: Path, seed: int, share: float = 1.0, scene: Path | None = None, readers: frozenset[str] = frozenset()
) -> Iterator[Attack]:
    """Attack the finished scene, which is made in `folder` unless one is given.

    Args:
        share: of the times that each artifact is damaged; at least once.
        readers: only these; all by default.
    """
    if scene is None:
        scene = folder / "scene"
        for stage in STAGES:
            run_stage(scene, stage)
    draw = random.Random(seed)
    # Always in the same place, for some artifacts hold paths.
    work = folder / "work"
    known, unknown = artifacts(scene)
    for what in unknown:
        yield Attack(what, "-", Outcome.UNKNOWN, "store/workspace.py or the folder has it, the attacks do not")
    undamaged: dict[tuple[str, str], Undamaged] = {}
    for artifact in known:
        for reader in artifact.readers if artifact.files else ():
            if readers and reader not in readers:
                continue
            if (reader, artifact.of) not in undamaged:
                copy_scene(scene, work)
                undamaged[reader, artifact.of] = Undamaged(_read(work, reader, artifact.of), contents(work / "data"))
            for kind, times in TIMES.items():
                for _ in range(max(1, round(times * share))):
                    yield _attack(scene, work, artifact, reader, kind, draw, undamaged[reader, artifact.of])


def _attack(
    scene: Path,
    work: Path,
    artifact: Artifact,
    reader: str,
    kind: str,
    draw: random.Random,
    undamaged: Undamaged,
) -> Attack:
    copy_scene(scene, work)
    name = draw.choice([file for file in artifact.files if undamaged.files.get(file)])
    path = work / "data" / name
    before = path.read_bytes()
    spoilt = DAMAGES[kind](name, before, draw)
    on, where = f"{artifact.name} → {reader}", name.rpartition("/")[2]
    if spoilt in (None, before):
        return Attack(on, kind, Outcome.MISSED, f"{name} is as it was")
    # Whoever took the file over has the same one, which is damaged for both.
    inode = path.stat().st_ino
    spoiled = {file for file in contents(work / "data") if (work / "data" / file).stat().st_ino == inode}
    path.write_bytes(spoilt)
    try:
        words = _read(work, reader, artifact.of)
    except RefusalError as refusal:
        if refusal.traceback:
            return Attack(on, kind, Outcome.TRACEBACK, f"{where}: {refusal}")
        if _named(str(refusal), where, artifact.name, reader):
            return Attack(on, kind, Outcome.REFUSED)
        return Attack(on, kind, Outcome.UNNAMED, f"{where}: {refusal}")
    except Exception as error:
        return Attack(on, kind, Outcome.TRACEBACK, f"{where}: {type(error).__name__}: {error}")
    after = contents(work / "data")
    differing = [
        file
        for file in sorted(after.keys() | undamaged.files.keys())
        # The record of what was made says what it was made from, and differs as that does.
        if file not in spoiled and "/provenance/" not in file and after.get(file) != undamaged.files.get(file)
    ]
    if not differing:
        return Attack(on, kind, Outcome.SAME)
    if any(_named(word, where, artifact.name, reader) for word in words - undamaged.words):
        return Attack(on, kind, Outcome.TOLD)
    # The quality report is itself a text that a person reads.
    lines = {
        line
        for file in differing
        if file.endswith(".md")
        for line in after.get(file, b"").splitlines()
        if line not in undamaged.files.get(file, b"").splitlines()
    }
    if any(where.encode() in line for line in lines):
        return Attack(on, kind, Outcome.TOLD)
    return Attack(on, kind, Outcome.SILENT, f"{where}: {', '.join(differing[:6])}")


def _named(said: str, file: str, artifact: str, reader: str) -> bool:
    """Is it said of which file or asset it is? A symbol's file may be named by the symbol."""
    names = {file, file.rpartition(".")[0], artifact.rpartition(" ")[2]} - {reader}
    return any(re.search(rf"\b{re.escape(name)}", said) for name in names if name)


def _read(work: Path, reader: str, of: str) -> set[str]:
    """Materialize the reader alone, of an experiment or a study if it is of one; what it said aloud.

    Raises:
        RefusalError: it ended with an error.
    """
    settings = settings_in(work)
    job = next(job for job, assets in JOBS.items() if reader in assets)
    with dg.DagsterInstance.ephemeral() as instance, _heard() as aloud:
        partition = of if ROWS[reader].scope in ("experiment", "study") else None
        result = execute(settings, instance, job, None if job == "candles" else (reader,), partition)
        entries = instance.all_logs(result.run_id)
    words = {*aloud} | {
        entry.user_message for entry in entries if entry.level >= logging.WARNING and entry.dagster_event is None
    }
    for event in result.all_events:
        # A symbol's candles say in the metadata of their partition why they were fetched, the comparison what it lacks.
        if event.is_step_materialization and (materialization := event.step_materialization_data.materialization):
            said = [materialization.metadata.get(key) for key in ("reason", "without_report")]
            words |= {f"{materialization.partition}: {value.value}" for value in said if value is not None}
    for check in result.get_asset_check_evaluations():
        words |= set() if check.passed else {f"{check.check_name}: {check.description}"}
    return words


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the project's own loggers warn of during the block."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("niftyformer_assets")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def _flip(name: str, content: bytes, draw: random.Random) -> bytes:
    """One bit."""
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


def _cut(name: str, content: bytes, draw: random.Random) -> bytes:
    """The beginning alone; of lines, whole ones."""
    part = content[: draw.randrange(len(content))]
    lines = content.count(b"\n") > 1 and Path(name).suffix in (".csv", ".txt", ".md")
    return part[: part.rfind(b"\n") + 1] if lines else part


def _swap(name: str, content: bytes, draw: random.Random) -> bytes | None:
    """A whole file of the same kind with the same rows and columns, and other values in them."""
    other = OTHERS.get(Path(name).suffix, _other_text)
    return other(content)


def _other_table(content: bytes) -> bytes:
    table = pq.read_table(pa.BufferReader(content))
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_floating(field.type):
            changed: Any = pc.multiply(column, pa.scalar(1.01, field.type))
        elif pa.types.is_integer(field.type):
            changed = pc.add(column, pa.scalar(1, field.type)).cast(field.type)
        else:
            continue
        table = table.set_column(place, field, changed)
    if table.equals(pq.read_table(pa.BufferReader(content))):
        # Without a number a row less, and without a row a column more.
        table = table.slice(1) if table.num_rows else table.append_column("other", pa.array([], pa.int64()))
    stream = pa.BufferOutputStream()
    pq.write_table(table, stream)
    return bytes(stream.getvalue())


def _changed(array: np.ndarray) -> np.ndarray:
    match array.dtype.kind:
        case "f":
            return array * array.dtype.type(1.01)
        case "b":
            return ~array
        case "i" | "u":
            return array + array.dtype.type(1)
    return array


def _other_archive(content: bytes) -> bytes:
    stream = io.BytesIO()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        np.savez(stream, **{key: _changed(arrays[key]) for key in arrays.files})  # type: ignore[arg-type]
    return stream.getvalue()


def _other_array(content: bytes) -> bytes:
    stream = io.BytesIO()
    np.save(stream, _changed(np.load(io.BytesIO(content), allow_pickle=False)), allow_pickle=False)
    return stream.getvalue()


def _other_weights(content: bytes) -> bytes:
    import torch

    def changed(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value * 1.01 if value.is_floating_point() else value
        return {key: changed(part) for key, part in value.items()} if isinstance(value, dict) else value

    stream = io.BytesIO()
    torch.save(changed(torch.load(io.BytesIO(content), weights_only=True)), stream)
    return stream.getvalue()


def _other_json(content: bytes) -> bytes:
    """Each number a little larger, and where there is none each text another, as of another making."""

    def changed(value: Any, kind: type) -> Any:
        if isinstance(value, dict):
            return {key: changed(part, kind) for key, part in value.items()}
        if isinstance(value, list):
            return [changed(part, kind) for part in value]
        if not isinstance(value, kind):
            return value
        return value[::-1] if isinstance(value, str) else value * 1.01

    before = json.loads(content)
    after = next((other for kind in (float, str) if (other := changed(before, kind)) != before), before)
    return (json.dumps(after, indent=1, sort_keys=True) + "\n").encode()


def _other_text(content: bytes) -> bytes:
    """The last figure of each number is another one; without numbers, the last line is gone."""
    changed = re.sub(rb"(\d\.\d*?)(\d)(?=\D|$)", lambda found: found[1] + b"%d" % ((int(found[2]) + 1) % 10), content)
    return changed if changed != content else content.rstrip(b"\n").rpartition(b"\n")[0] + b"\n"


OTHERS: dict[str, Callable[[bytes], bytes]] = {
    ".parquet": _other_table,
    ".npz": _other_archive,
    ".npy": _other_array,
    ".pt": _other_weights,
    ".json": _other_json,
}
DAMAGES: dict[str, Callable[[str, bytes, random.Random], bytes | None]] = {"flip": _flip, "cut": _cut, "swap": _swap}
