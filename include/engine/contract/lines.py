"""Where in a YAML file something stands, so that an error can name the line."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from include.engine import yamls


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Line (from 1) of the node that `path` leads to in the YAML `text`; that of the deepest node reached when the path ends early."""
    node, _ = yamls.read(text)
    if node is None:
        return 1
    line: int = node.start_mark.line + 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
