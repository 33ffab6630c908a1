"""What ``tabgraphsyn models show`` and ``compare`` print."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from tabgraphsyn.config.top_level import PLACE_KEYS
from tabgraphsyn.orchestration.planning.plan import START
from tabgraphsyn.orchestration.registry.models import Model
from tabgraphsyn.verbs.console import output

_ABSENT = "-"


def show(models: Sequence[Model], *, as_json: bool) -> None:
    """Print data, config, scores, cost and lineage of one model."""
    (model,) = models
    if as_json:
        print(json.dumps({**model.to_dict(), "lineage": lineage(model)}))
        return
    console = output()
    lines = (
        ("model", model.name),
        ("tags", " ".join(model.tags) or _ABSENT),
        ("data", model.data),
        ("differs from the defaults in", ", ".join(model.record.overrides) or "nothing"),
        ("privacy gate", model.gate or "not evaluated"),
        ("scores", ", ".join(f"{name} {value:.3f}" for name, value in model.scores.items()) or _ABSENT),
        ("cost", f"{model.hours:.2f} h, {model.megabytes:.1f} MB"),
        ("folder", str(model.folder)),
    )
    for title, value in lines:
        console.print(Text(f"{title}: {value}"), soft_wrap=True)
    table = Table("stage", "signature", "made", "seconds", "code", "begun with, or reused", box=None)
    for row in lineage(model):
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["started"])) if row["started"] else _ABSENT
        seconds = _ABSENT if row["elapsed_s"] is None else f"{row['elapsed_s']:.1f}"
        cells = (row["label"], row["signature"], made, seconds, row["code"], row["from"])
        table.add_row(*(Text(str(cell)) for cell in cells))
    console.print(table)


def lineage(model: Model) -> list[dict[str, Any]]:
    """Return where each stage comes from: when it ran, by which code, and what it began with."""
    head = f"{START}/"
    stages = model.record.stages
    starts = {label.removeprefix(head): stage_id for label, stage_id in stages.items() if label.startswith(head)}
    reused = {kind: name for kind, name in (model.config.get("reuse") or {}).items() if name}
    rows = []
    for label, stage_id in stages.items():
        if label.startswith(head):
            continue
        manifest = model.done.get(label, {})
        kind, signature = stage_id.split("/")
        code = manifest.get("code", {})
        source = starts[label].split("/")[1] if label in starts else reused.get(kind, "")
        rows.append(
            {
                "label": label,
                "signature": signature,
                "started": manifest.get("started"),
                "elapsed_s": manifest.get("elapsed_s"),
                "code": str(code.get("commit") or code.get("version") or "")[:12],
                "from": source,
            }
        )
    return rows


def compare(models: Sequence[Model], *, as_json: bool) -> None:
    """Print in what models differ: settings, then scores, gate and cost side by side."""
    settings = differences([model.config for model in models])
    scores = {name: [model.scores.get(name) for model in models] for model in models for name in model.scores}
    if as_json:
        names = [model.name for model in models]
        print(json.dumps({"models": names, "differs": settings, "scores": scores, "gate": [m.gate for m in models]}))
        return
    table = Table("", *(Column(header=Text(model.name)) for model in models), box=None)
    for key, values in settings.items():
        table.add_row(Text(key), *(Text(json.dumps(value, default=str)) for value in values))
    table.add_section()
    for name, found in scores.items():
        table.add_row(name, *(_ABSENT if value is None else f"{value:.3f}" for value in found))
    table.add_row("privacy gate", *(model.gate or _ABSENT for model in models))
    table.add_row("hours", *(f"{model.hours:.2f}" for model in models))
    output().print(table)


def differences(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the dotted settings in which configs differ, with the value in each; places of running are left out.

    >>> differences([{"seed": 0, "gnn": {"layers": 2}}, {"seed": 1, "gnn": {"layers": 2}}])
    {'seed': [0, 1]}
    """
    flat = [dict(_flat({key: value for key, value in config.items() if key not in PLACE_KEYS})) for config in configs]
    keys = dict.fromkeys(key for each in flat for key in each)
    found = {key: [each.get(key) for each in flat] for key in keys}
    return {key: values for key, values in found.items() if any(value != values[0] for value in values)}


def _flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _flat(inner, f"{above}{key}.")
        else:
            yield f"{above}{key}", inner
