"""Reads YAML of students as plain texts, lists and tables: nothing in it is called, repeated or guessed."""

from __future__ import annotations

from typing import Any

import yaml

_MAX_DEPTH = 20


class YamlError(Exception):
    """The text cannot be read; the message begins with the line and is for the student."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without what no such file needs: anchors, tags, double keys, deep nesting."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Read one node."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise YamlError(
                f"line {line}: anchors (&) and aliases (*) are not needed here. Write the text itself."
            )
        if getattr(event, "tag", None):
            raise YamlError(f"line {line}: tags (!) are not read here. Write plain texts.")
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise YamlError(f"line {line}: this is nested too deeply.")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Build one table."""
        keys = [key.value for key, _ in node.value if isinstance(key.value, str)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise YamlError(
                f"line {node.start_mark.line + 1}: {twice[:60]!r} stands there twice; the first is lost."
            )
        return dict(super().construct_mapping(node, deep))


# 3.10 without quotes is the number 3.1 in YAML: what students wrote is kept as text.
_Loader.yaml_implicit_resolvers = {}


def load_plain(text: str) -> Any:
    """Return a YAML document, in which every value is a text, a list or a table.

    Raises
    ------
    YamlError
        Where it is no YAML, or holds more than plain values.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader that can do even less
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark is not None else ""
        problem = str(getattr(error, "problem", None) or "it cannot be read")
        raise YamlError(f"{place}this is not valid YAML: {problem[:60]}.") from error
    except (RecursionError, ValueError, TypeError) as error:
        raise YamlError("this cannot be read as YAML.") from error
