"""The small faults that `make mutants` puts into modules are the ones that are meant."""

from __future__ import annotations

import ast

from attacks.mutants import PARTS, mutants
from niftyformer_assets.imports import PACKAGE
from niftyformer_assets_tests.conftest import TESTS

SOURCE = '''\
@limited(9)
def charge(value: "int | 3", most: int = 5) -> int:
    """Up to 7."""
    if value < 0 and most:
        raise ValueError(f"{value + 1} is below 0")
    return -(value // 2) if value == most else True
'''


def test_each_operator_and_number_is_changed_once_and_nothing_that_is_only_said() -> None:
    found = mutants(SOURCE)
    assert [(each.line, each.change) for each in sorted(found)] == [
        (2, "5  ->  6"),
        (4, "0  ->  1"),
        (4, "value < 0  ->  value <= 0"),
        (4, "value < 0 and most  ->  value < 0 or most"),
        (6, "2  ->  3"),
        (6, "value // 2  ->  value * 2"),
        (6, "value == most  ->  value != most"),
    ]
    assert len({each.source for each in found} | {ast.unparse(ast.parse(SOURCE))}) == len(found) + 1


def test_what_is_changed_and_what_is_to_notice_is_there() -> None:
    for module, tests in PARTS.values():
        assert len(mutants((PACKAGE / module).read_text(encoding="utf-8"))) > 10
        assert all((TESTS / test).is_file() for test in tests)
