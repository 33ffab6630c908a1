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
            problems = list(yaml_problem(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            continue  # what is no yaml is named where it is read
        yield from (f"{path}: {problem}" for problem in problems)


def yaml_problem(text: str) -> Iterator[str]:
    """Yield what is wrong with a yaml text that refers to itself more often than a config does."""
    aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader))
    if aliases > MOST_ALIASES:
        yield f"at most {MOST_ALIASES} aliases (*name) expected, found {aliases:,}. Write the values."
