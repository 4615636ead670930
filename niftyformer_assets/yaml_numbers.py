"""YAML as people mean it: numbers that YAML 1.1 reads otherwise, and keys that come twice."""

from __future__ import annotations

import re
from typing import Any

import yaml

_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
# YAML 1.1 takes 1e-4 for text, 010 for 8 and 1:30 for 90. Here the first is a number, and the others are text, which
# is refused by name where a number belongs.
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$")
_DECIMAL = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)$"
)
_ODD = re.compile(r"[-+]?[0-9][0-9a-fA-FxXoO_:]*")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with these rules."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INT, _FLOAT)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(_INT, _WHOLE, list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT, _DECIMAL, list("-+.0123456789"))


def read_yaml(text: str) -> Any:
    """The content of a YAML document, made of plain Python values.

    Raises:
        yaml.YAMLError, ValueError: it is no YAML, or a key comes twice in a mapping.
    """
    return yaml.load(text, _Loader)


def is_odd_number(value: object) -> bool:
    """Is it text that looks like a number which YAML and people read differently?"""
    return isinstance(value, str) and _ODD.fullmatch(value) is not None and not _WHOLE.fullmatch(value)
