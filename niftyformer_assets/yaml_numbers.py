"""YAML as people mean it and no larger: numbers that YAML 1.1 reads otherwise, keys that come twice, bounds."""

from __future__ import annotations

import re
from typing import Any

import yaml

from niftyformer_assets.store.given import in_one_line

MOST_DEPTH = 32
MOST_VALUES = 10_000

_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
# YAML 1.1 takes 1e-4 for text, 010 for 8 and 1:30 for 90. Here the first is a number, and the others are text, which
# is refused by name where a number belongs.
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$")
_DECIMAL = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+)$"
)
# A key that is text, or that merges another mapping.
_NAMES = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_ODD = re.compile(r"[-+]?[0-9][0-9a-fA-FxXoO_:]*")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with these rules, for content that JSON can hold, dates aside."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_INT, _FLOAT)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values = 0
        self._values_of: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event, before = self.peek_event(), self._values
        if getattr(event, "tag", None) not in (None, "!"):
            raise _refused(f"tags ({event.tag}) are not read", event)
        self._depth += 1
        self._values += 1
        if self._depth > MOST_DEPTH:
            raise _refused(f"it is nested more than {MOST_DEPTH} deep", event)
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if node not in self._values_of:
                raise _refused(f"the alias {event.anchor} leads into itself", event)
            self._values += self._values_of[node]
        elif node is not None:
            self._values_of[node] = self._values - before
        if self._values > MOST_VALUES:
            raise _refused(f"it has more than {MOST_VALUES} values, those of aliases counted each time", event)
        self._depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if key.tag not in _NAMES:
                shown = key.value if isinstance(key, yaml.ScalarNode) else "what is not even one value"
                raise _refused(f"a name must be text, and {shown} is not: write it in quotes", key)
            if key.value in seen:
                raise _refused(f"{key.value} is given twice", key)
            seen.add(key.value)
        return node


def _refused(reason: str, at: Any) -> yaml.YAMLError:
    """At an event or a node."""
    return yaml.composer.ComposerError(None, None, reason, at.start_mark)


_Loader.add_implicit_resolver(_INT, _WHOLE, list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT, _DECIMAL, list("-+.0123456789"))


def read_yaml(text: str) -> Any:
    """The content of a YAML document, made of plain Python values.

    Raises:
        ValueError: it is no YAML, a key comes twice in a mapping or is no text, a tag, a recursive
            alias, or more depth or values than a person writes; its one line says which.
    """
    try:
        return yaml.load(text, _Loader)
    # PyYAML lets through what Python says of a date that no calendar has, and of a number with too many digits.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ValueError(in_one_line(error)) from None


def is_odd_number(value: object) -> bool:
    """Is it text that looks like a number which YAML and people read differently?"""
    return isinstance(value, str) and _ODD.fullmatch(value) is not None and not _WHOLE.fullmatch(value)
