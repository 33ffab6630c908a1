"""The composed configs of many sweep points as yaml, one after the other in one file.

A sweep of 1,000 points differs in a few values, so what points share is turned into yaml once; and one file is one
write, which on a cluster's file system is what a launch waits for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tabgraphsyn.redaction import redacted

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as quick
_HEAD = "--- # "
_SECTION = re.compile(rf"^{_HEAD}(.*)\n", re.MULTILINE)


class ConfigTexts:
    """Turns configs into yaml; a part that several of them share (the same object) is turned once."""

    def __init__(self) -> None:
        # The value is kept beside its text: an id is unique only as long as its object lives.
        self._known: dict[tuple[str, int], tuple[Any, str]] = {}

    def text(self, config: Mapping[str, Any]) -> str:
        """Return the yaml of one config, its keys in order."""
        return "".join(self._entry(key, value) for key, value in config.items())

    def _entry(self, key: str, value: Any) -> str:
        found = self._known.get((key, id(value)))
        if found is None:
            text = redacted(yaml.dump({key: value}, Dumper=_DUMPER, sort_keys=False, allow_unicode=True))
            found = self._known[key, id(value)] = (value, text)
        return found[1]


def sections(texts: Mapping[str, str]) -> str:
    """Return one text with a section per point.

    >>> print(sections({"seed=0": "seed: 0\\n", "seed=1": "seed: 1\\n"}), end="")
    --- # seed=0
    seed: 0
    --- # seed=1
    seed: 1
    """
    return "".join(f"{_HEAD}{point}\n{text}" for point, text in texts.items())


def split(text: str) -> dict[str, str]:
    """Return the text of each section, by point.

    >>> split(sections({"seed=0": "seed: 0\\n", "seed=1": "seed: 1\\n"}))["seed=1"]
    'seed: 1\\n'
    """
    _, *parts = _SECTION.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))
