"""A point, and what a campaign is called: by the data and by a hash of all values that say what is computed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAME_DIGITS = 6
_NAME_LETTERS = 80


@dataclass(frozen=True)
class Point:
    """A composed sweep point: its folder name, what was overridden, its plain config."""

    name: str
    overrides: tuple[str, ...]
    config: Mapping[str, Any]


def campaign_name(points: Sequence[Point], place_keys: Sequence[str]) -> str:
    """Return the chosen name, or ``<data set>-<hash of all values that say what is computed>``.

    Values, not words: ``seed=${oc.env:SEED}`` under another SEED, or an edited yaml, is another campaign.
    """
    chosen = points[0].config.get("campaign")
    if chosen is not None:
        return str(chosen)
    names = list(dict.fromkeys(_dataset_name(point.config["dataset"]) for point in points))
    digest = _digest(points, place_keys)[:_NAME_DIGITS]
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(names[:3])).lstrip("._-")
    return f"{plain[:_NAME_LETTERS] or 'data'}-{digest}"


def _digest(points: Sequence[Point], place_keys: Sequence[str]) -> str:
    """Return a hash of the points' values; what points share is the same object in each, and is written once."""
    texts: dict[int, str] = {}
    digest = hashlib.sha256()
    for point in points:
        for key, value in sorted(point.config.items()):
            if key in place_keys:
                continue
            if id(value) not in texts or not isinstance(value, dict | list):
                plain = _located(value) if key == "dataset" else value
                texts[id(value)] = json.dumps(plain, sort_keys=True, default=str)
            digest.update(f"{key}={texts[id(value)]}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _located(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set whose path does not depend on where the launch was typed."""
    path = str(dataset.get("path") or "")
    return {**dataset, "path": path if ":" in path else str(Path(path).expanduser().resolve())}


def _dataset_name(dataset: Mapping[str, Any]) -> str:
    """Return the name of a data set, or that of the folder or file it is read from."""
    path = Path(str(dataset.get("path") or "")).expanduser().resolve()
    return str(dataset.get("name") or path.name.split(".")[0])


def what_is_set(overrides: Sequence[str], place_keys: Sequence[str]) -> list[str]:
    """Return the overrides that say what is computed, not where."""
    return sorted(text for text in overrides if not _is_place(text, place_keys))


def _is_place(override: str, place_keys: Sequence[str]) -> bool:
    key = override.lstrip("+~").split("=", 1)[0]
    return any(key == place or key.startswith((f"{place}.", f"{place}@")) for place in place_keys)
