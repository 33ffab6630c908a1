"""Which sweep points are one model with several seeds, on which data, and what to call it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from tabgraphsyn.config.top_level import PLACE_KEYS
from tabgraphsyn.evaluation.campaign.points import PointResult

_SEED = "seed"
_DATASET = "dataset"
#: What a report shows is no part of a model.
_NO_MODEL = frozenset({_SEED, _DATASET, "report", *PLACE_KEYS})


@dataclass(frozen=True)
class Model:
    """Points that differ in their seed alone.

    Attributes:
        name: the overrides that tell it from the other models of the campaign.
        points: by seed; of two points with one seed, which are the same run, the first.
        settings: the config keys in which models on these data differ, and this model's values.
    """

    name: str
    points: Mapping[str, PointResult]
    settings: Mapping[str, str]


def datasets(points: Sequence[PointResult]) -> dict[str, list[Model]]:
    """Return the models on each data set, in the order in which they were launched."""
    by_data: dict[str, list[PointResult]] = {}
    for point in points:
        by_data.setdefault(json.dumps(point.config.get(_DATASET), sort_keys=True), []).append(point)
    names = _told_apart([_dataset_name(group[0]) for group in by_data.values()])
    return {name: models(group) for name, group in zip(names, by_data.values(), strict=True)}


def models(points: Sequence[PointResult]) -> list[Model]:
    """Return the models among points on the same data."""
    groups: dict[str, list[PointResult]] = {}
    for point in points:
        what = {key: value for key, value in point.config.items() if key not in _NO_MODEL}
        groups.setdefault(json.dumps(what, sort_keys=True), []).append(point)
    common = set.intersection(*(set(point.overrides) for point in points)) if points else set()
    names = _told_apart([model_name(group[0].overrides, common) for group in groups.values()])
    flat = [dict(_flat(json.loads(what))) for what in groups]
    differing = [key for key in dict.fromkeys(key for each in flat for key in each) if _differs(key, flat)]
    return [
        Model(name, _by_seed(group), {key: _shown(each[key]) for key in differing if key in each})
        for name, group, each in zip(names, groups.values(), flat, strict=True)
    ]


def model_name(overrides: Sequence[str], common: set[str]) -> str:
    """Return the overrides that make a model, without those that every point has, its seed and its data.

    >>> model_name(["experiment=quickstart", "gnn=gin", "seed=1"], {"experiment=quickstart"})
    'gnn=gin'
    >>> model_name(["seed=1"], set())
    'default'
    """
    own = [text for text in overrides if text not in common and _key(text) not in (_SEED, _DATASET)]
    return ", ".join(own) or "default"


def _key(override: str) -> str:
    return override.lstrip("+~").split("=", 1)[0].split(".", 1)[0].split("@", 1)[0]


def _dataset_name(point: PointResult) -> str:
    dataset = point.config.get(_DATASET) or {}
    return str(dataset.get("name") or PurePath(str(dataset.get("path") or "data")).name)


def _told_apart(names: Sequence[str]) -> list[str]:
    """Return the names with a number behind those that come again."""
    return [f"{name} ({names[:i].count(name) + 1})" if name in names[:i] else name for i, name in enumerate(names)]


def _by_seed(points: Sequence[PointResult]) -> dict[str, PointResult]:
    found: dict[str, PointResult] = {}
    for point in points:
        found.setdefault(point.seed, point)
    return found


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _differs(key: str, configs: Sequence[Mapping[str, Any]]) -> bool:
    return len({json.dumps(each.get(key, "absent"), sort_keys=True) for each in configs}) > 1


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
