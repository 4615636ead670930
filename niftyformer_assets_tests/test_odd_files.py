"""One odd file among experiments or index lists: left out and told, and nothing else is stopped by it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from niftyformer_assets.defs import build
from niftyformer_assets.defs.partitions import read_partitions
from niftyformer_assets.experiments.files import load_experiments, studies_of
from niftyformer_assets.market.identities import symbols_of_lists
from niftyformer_assets.market.index_lists import parse_list, read_list
from niftyformer_assets.market.membership_files import read_lists
from niftyformer_assets.settings import read_settings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.yaml_numbers import MOST_VALUES, read_yaml
from niftyformer_assets_tests.conftest import TINY_EXPERIMENT, tiny_settings

LATE = TINY_EXPERIMENT.replace("2022-12-31", "9999-12-31")


def levels(first: str, joined: str) -> str:
    """Eight levels, each with nine of the one before."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{n}: &a{n} " + joined.format(", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 9)]
    return "\n".join(lines)


ODD_TEXTS = {
    "date-as-key": "2024-01-01: x",
    "null-as-key": "null: 1",
    "list-as-key": "? [a]\n: 1",
    "recursive-list": "a: &a [*a]",
    "recursive-mapping": "a: &a {b: *a}",
    "recursive-merge": "a: &a {<<: *a}",
    "exploding-lists": levels("[x, x]", "[{}]"),
    "exploding-merges": levels("{x: 1}", "{{<<: [{}]}}"),
    "nested-lists": "a: " + "[" * 3000 + "]" * 3000,
    "nested-lists-unclosed": "a: " + "[" * 3000,
    "nested-mappings": "a: " + "{a: " * 3000 + "}" * 3000,
    "nested-dashes": "- " * 3000 + "a",
    "nested-lines": "\n".join(" " * depth + "a:" for depth in range(300)),
    "year-9999": LATE,
    "no-such-day": TINY_EXPERIMENT.replace("2022-12-31", "2022-12-32"),
    "beyond-time-zones": "sessions: 9999-12-31T23:59:59-23:59",
    "sessions-of-text": "market: simulated\nsessions: abc",
    "infinite": TINY_EXPERIMENT.replace("max_epochs: 2", "learning_rate: 1e999"),
    "no-number": TINY_EXPERIMENT.replace("max_epochs: 2", "learning_rate: .nan"),
    "5000-digits": TINY_EXPERIMENT + "seed: " + "9" * 5000,
    "4000-digits": TINY_EXPERIMENT + "seed: " + "9" * 4000,
    "binary": TINY_EXPERIMENT + "seed: !!binary aGVsbG8=",
    "set": "!!set {a, b}",
    "python": "!!python/object/apply:os.getcwd []",
    "wrong-tag": "a: !!timestamp x",
    "nul": TINY_EXPERIMENT + "\0",
    "surrogate": 'market: "\\ud800"',
    "tab": "\tmarket: real",
    "empty": "",
    "two-documents": TINY_EXPERIMENT + "---\na: 1",
    "list": "- a",
    "key-twice": TINY_EXPERIMENT + "market: real",
    "large": TINY_EXPERIMENT + "#" * 100_000,
    "cut": TINY_EXPERIMENT[:200],
    "two...dots": TINY_EXPERIMENT,
    "x" * 201: TINY_EXPERIMENT,
    "a space": TINY_EXPERIMENT,
    "a\nline": TINY_EXPERIMENT,
    "umläut": TINY_EXPERIMENT,
}


def odd_things(folder: Path, name: Callable[[str], str]) -> set[str]:
    """What is no file that can be read, under names made from a stem; returns the stems."""
    (folder / name("folder")).mkdir()
    (folder / name("dangling")).symlink_to("nowhere")
    (folder / name("loop")).symlink_to(name("loop"))
    (folder / name("endless")).symlink_to("/dev/zero")
    os.mkfifo(folder / name("pipe"))
    with _inside(folder), socket.socket(socket.AF_UNIX) as listening:
        listening.bind(name("socket"))
    made = {"folder", "dangling", "loop", "endless", "pipe", "socket"}
    if os.getuid():  # root may read whatever it likes
        (folder / name("locked")).write_text(TINY_EXPERIMENT)
        (folder / name("locked")).chmod(0)
        made.add("locked")
    return made


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """In this folder, for a socket's path must be short."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def test_every_odd_experiment_file_is_left_out_and_told_in_one_line(tmp_path: Path) -> None:
    for name, text in ODD_TEXTS.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "utf-16.yaml").write_bytes(TINY_EXPERIMENT.encode("utf-16"))
    (tmp_path / "latin.yaml").write_bytes(TINY_EXPERIMENT.encode() + b"# \xe9\n")
    (tmp_path / os.fsdecode(b"no-text-\xe9.yaml")).write_text(TINY_EXPERIMENT)
    things = odd_things(tmp_path, "{}.yaml".format)
    # What looks odd, and is not.
    (tmp_path / "good.yaml").write_text(TINY_EXPERIMENT)
    (tmp_path / "marked.yaml").write_bytes(b"\xef\xbb\xbf" + TINY_EXPERIMENT.encode())
    (tmp_path / "returns.yaml").write_bytes(TINY_EXPERIMENT.replace("\n", "\r").encode())
    (tmp_path / "linked.yaml").symlink_to("good.yaml")
    wrong: dict[str, str] = {}
    assert list(load_experiments(tmp_path, wrong=wrong)) == ["good", "linked", "marked", "returns"]
    assert wrong.keys() == {*ODD_TEXTS, *things, "utf-16", "latin", os.fsdecode(b"no-text-\xe9")}
    for stem, reason in wrong.items():
        assert reason.isprintable(), stem
        assert str(tmp_path) in reason
        assert "is not understood" not in reason, "only what nobody thought of is said that way"


LONG = "[" + ", ".join(f"factor_{number}" for number in range(30)) + "]"
OF_TINY = "experiment: tiny\n"
ODD_STUDIES = {
    **ODD_TEXTS,
    "of-none": "experiment: " + "x" * 60_000,
    "of-another-folder": "experiment: ../experiments/tiny",
    "of-itself": "experiment: of-itself",
    "of-a-list": "experiment: [tiny]",
    "of-nul": 'experiment: "ti\\0ny"',
    "long-label": OF_TINY + f"grid: {{strategy.neutralise: [{LONG}, []]}}",
    "no-values": OF_TINY + "grid: {seed: null}",
    "same-values": OF_TINY + "grid: {seed: [1, 1]}",
    "windows": OF_TINY + "walk_forward: {first_test: 2022-11-01, windows: 20000000000}",
    "many": OF_TINY + "walk_forward: {first_test: 2022-11-01, train_months: 6, windows: 2000}",
    "past-all-years": OF_TINY + "walk_forward: {first_test: 2100-12-31, test_months: 120, windows: 2000}",
    "seeds": OF_TINY + "seeds: 1" + "0" * 300,
    "market": OF_TINY + "set: {market: real}",
    "nameless": OF_TINY + "set: {'': 1}",
    "ensemble": OF_TINY + "ensembles: {model: {models: [model, ridge]}}",
    "judge": OF_TINY + 'judge: "a\\nb"',
}


def test_every_odd_study_file_is_left_out_and_told_in_one_line(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    settings.studies.mkdir()
    for name, text in ODD_STUDIES.items():
        (settings.studies / f"{name}.yaml").write_text(text, encoding="utf-8")
    things = odd_things(settings.studies, "{}.yaml".format)
    (settings.studies / "good.yaml").write_text(OF_TINY + "grid: {seed: [1, 2]}")
    wrong: dict[str, str] = {}
    assert list(studies_of(settings, wrong)) == ["good"]
    assert wrong.keys() == {f"studies/{name}" for name in (*ODD_STUDIES, *things)}
    for stem, reason in wrong.items():
        assert reason.isprintable(), stem
        assert "is not understood" not in reason, "only what nobody thought of is said that way"


def test_an_anchor_within_bounds_is_read() -> None:
    assert read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a, *a]") == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": [{"x": 1, "y": 2}] * 2,
    }
    # A mapping that merges another is merged itself.
    assert read_yaml("a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b}")["c"] == {"x": 2}
    assert len(read_yaml("[" + "1," * (MOST_VALUES - 1) + "]")) == MOST_VALUES - 1
    with pytest.raises(ValueError, match=f"more than {MOST_VALUES} values"):
        read_yaml("[" + "1," * MOST_VALUES + "]")


LIST = "Company Name,Industry,Symbol,Series,ISIN Code\nA Ltd.,Capital Goods,AAA,EQ,INE000A01010\n"
ODD_LISTS = {
    "2020-01-01": LIST.encode() + b"x" * 200_000 + b",Capital Goods,BBB,EQ,INE000B01010\n",
    "2020-01-02": LIST.encode()[:-8],
    "2020-01-03": b"",
    "2020-01-04": LIST.encode() + b'"open',
    "2020-01-05": b"\x00\xff" * 500,
    "2020-01-06": LIST.encode("utf-16"),
    "2020-01-07": LIST.encode() * 20_000,
    "2020-01-08": b"<html></html>",
    "2020-13-45": LIST.encode(),
    "yesterday": LIST.encode(),
}


def test_every_odd_list_is_left_out_of_the_symbols_and_refused_where_it_decides(tmp_path: Path) -> None:
    for day, content in ODD_LISTS.items():
        (tmp_path / f"ind_nifty200list_{day}.csv").write_bytes(content)
    stems = iter(f"2021-01-{day:02d}" for day in range(1, 29))
    names: dict[str, str] = {}
    things = odd_things(tmp_path, lambda stem: f"ind_nifty200list_{names.setdefault(stem, next(stems))}.csv")
    (tmp_path / "ind_nifty200list_2022-01-01.csv").write_text(LIST)
    wrong: list[str] = []
    assert symbols_of_lists([tmp_path], wrong) == ["AAA"]
    assert len(wrong) == len(ODD_LISTS) + len(things)
    for day in (*ODD_LISTS, *(names[thing] for thing in things)):
        (reason,) = (reason for reason in wrong if f"ind_nifty200list_{day}.csv" in reason)
        assert reason.isprintable()
    with pytest.raises(NiftyFormerError, match=r"ind_nifty200list_2020-01-01\.csv is no CSV"):
        read_lists([tmp_path])


def test_a_list_with_the_line_ends_of_an_old_mac_is_read(tmp_path: Path) -> None:
    for ends in ("\r", "\r\n"):
        path = tmp_path / "ind_nifty200list_2022-01-01.csv"
        path.write_bytes(LIST.replace("\n", ends).encode())
        assert read_list(path).members == parse_list(LIST.encode(), "the list")


def test_the_definitions_load_whatever_lies_beside_the_good_files_and_tell(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path)
    (settings.experiments / "date.yaml").write_text(ODD_TEXTS["date-as-key"])
    (settings.experiments / "a...b.yaml").write_text(TINY_EXPERIMENT)
    odd_things(settings.experiments, "{}.yaml".format)
    settings.workspace.index_lists.mkdir(parents=True)
    (settings.workspace.index_lists / "ind_nifty200list_2020-01-02.csv").write_bytes(ODD_LISTS["2020-01-02"])
    settings.workspace.raw.mkdir()
    for name in ("a...b.parquet", "%00.parquet", " .parquet", os.fsdecode(b"\xe9.parquet"), "..%2F..%2Fx.parquet"):
        (settings.workspace.raw / name).write_bytes(b"")
    partitions = read_partitions(settings)
    assert list(partitions.experiments.get_partition_keys()) == ["tiny"]
    assert all(key.startswith("DEMO") for key in partitions.symbols.get_partition_keys())
    assert len(partitions.wrong_lists) == 6
    graph = build(settings).resolve_asset_graph()
    descriptions = {key.to_user_string(): graph.get(key).description or "" for key in graph.get_all_asset_keys()}
    assert "date.yaml" in descriptions["ic_summary"]
    assert "ind_nifty200list_2020-01-02.csv" in descriptions["universe"]


@pytest.mark.parametrize(
    "root",
    [
        "http://[::1",
        "http://",
        "",
        "localhost:8720",
        "ftp://x",
        "http://h:99999",
        "http://h:x",
        "http://a b",
        "http:// ",
    ],
)
@pytest.mark.parametrize("name", ["kite_root", "index_list_root"])
def test_an_address_that_is_none_is_refused_in_one_line(name: str, root: str) -> None:
    with pytest.raises(NiftyFormerError, match=f"{name}: .*URL"):
        read_settings(_env_file=None, workspace_name="w", **{name: root})


@pytest.mark.parametrize("content", [b"KITE_API_KEY=\xff\xfe\n", b"NIFTYFORMER_OVERRIDES={\n"])
def test_an_env_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(NiftyFormerError, match=r"the environment or \.env cannot be read") as caught:
        read_settings(_env_file=tmp_path / ".env")
    assert "\n" not in str(caught.value)
