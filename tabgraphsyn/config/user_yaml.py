"""Yaml files of the user's own folder, looked at before they are read: somebody may have sent one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

MOST_BYTES = 1 << 20
MOST_ALIASES = 100
"""Each alias may stand for a whole tree: ten of ten of ten take the machine in ten lines."""


def user_yaml_problems(folder: Path) -> Iterator[str]:
    """Yield which yaml files below ``folder`` are larger, or refer to themselves more often, than a config does."""
    for path in sorted(folder.rglob("*.yaml")):
        if not path.is_file():
            continue
        size = path.stat().st_size
        if size > MOST_BYTES:
            yield f"{path}: a yaml file of at most {MOST_BYTES:,} bytes expected, found {size:,}. Remove it."
            continue
        try:
            events = yaml.parse(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
            aliases = sum(isinstance(event, yaml.AliasEvent) for event in events)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            continue  # what is no yaml is named where it is read
        if aliases > MOST_ALIASES:
            yield f"{path}: at most {MOST_ALIASES} aliases (*name) expected, found {aliases:,}. Write the values."
