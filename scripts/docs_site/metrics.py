"""One page a metric: what ``tabgraphsyn metrics`` prints, a good, a bad and a misleading value, and its settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from docs_site.configuration import comments, options
from docs_site.markdown import cell, code, table
from docs_site.settings import described, yaml_text
from tabgraphsyn.config.top_level import config_dir

DATA = Path(__file__).resolve().parents[2] / "docs" / "data"
CANDIDATES = {
    "another_draw": "another draw",
    "columns_apart": "columns apart",
    "copy": "a copy",
    "one_in_ten_copied": "one in ten copied",
    "noise": "noise",
    "none": "in words",
}
KINDS = ("good", "bad", "misleading")
_DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "half": "0.5 is ideal"}


def pages() -> dict[str, str]:
    """Return path below ``docs/`` -> text of the overview and of each metric's page."""
    metrics, reading, scores = stated(), readings(), measured()["scores"]
    made = {f"metrics/{name}.md": _page(about, reading[name], scores) for name, about in metrics.items()}
    return {"metrics/index.md": _overview(metrics), **made}


@lru_cache
def stated() -> dict[str, dict[str, Any]]:
    """Return name -> what a metric says of itself, privacy first, read from its class without importing it."""
    found = {}
    for name, values in options("evaluation/metric").items():
        found[name] = {"name": name, "target": values["_target_"], "yaml": values}
    for about in found.values():
        about |= _class_attributes(about["target"])
    return dict(sorted(found.items(), key=lambda item: (not item[1]["is_privacy"], item[0])))


def _class_attributes(target: str) -> dict[str, Any]:
    # Imported where it is needed: what a subclass inherits or computes cannot be read from its text.
    from importlib import import_module

    module, _, name = target.rpartition(".")
    kind = getattr(import_module(module), name)
    return {
        key: getattr(kind, key)
        for key in ("title", "measures", "range", "direction", "reading", "source", "is_privacy")
    }


def readings() -> dict[str, dict[str, Any]]:
    """Return what ``docs/data/reading.yaml`` says of each metric."""
    return yaml.safe_load((DATA / "reading.yaml").read_text(encoding="utf-8"))


def measured() -> dict[str, Any]:
    """Return what ``scripts/docs_examples.py`` measured."""
    return json.loads((DATA / "reading_scores.json").read_text(encoding="utf-8"))


def all_examples() -> str:
    """Return the examples of every metric, a heading each."""
    scores, lines = measured()["scores"], []
    for name, about in stated().items():
        lines += [
            f"### {about['title']}",
            "",
            f"[`{name}`](metrics/{name}.md): {about['range']}; {_DIRECTIONS[about['direction']]}.",
            "",
        ]
        lines += example_table(name, readings()[name], scores)
    return "\n".join(lines)


def gates() -> str:
    """Return the gate's verdict on each candidate, in words."""
    found = measured()["gate"]
    return ", ".join(f"{words} *{found[name]}*" for name, words in CANDIDATES.items() if name in found)


def _overview(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "# Metrics",
        "",
        "Each metric is one class and one yaml, and documents itself: `tabgraphsyn metrics` prints the same. Privacy",
        "comes first because fidelity that was copied is worth nothing. Scores together: [report](../report.md).",
        "",
    ]
    for is_privacy, title in ((True, "Privacy"), (False, "Fidelity and utility")):
        chosen = [about for about in metrics.values() if about["is_privacy"] is is_privacy]
        rows = (
            (
                f"[{about['title']}]({about['name']}.md)",
                code(about["name"]),
                cell(about["measures"]),
                _DIRECTIONS[about["direction"]],
            )
            for about in chosen
        )
        lines += [f"## {title}", "", *table(("metric", "name", "measures", ""), rows)]
    return "\n".join(lines) + "\n"


def _page(about: Mapping[str, Any], reading: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    group = "privacy" if about["is_privacy"] else "fidelity"
    lines = [
        f"# {about['title']}",
        "",
        f"`{about['name']}`, {group}; {about['range']}; {_DIRECTIONS[about['direction']]}.",
        "",
        f"**Measures.** {cell(about['measures'])}",
        "",
        f"**Reading.** {cell(about['reading'])}",
        "",
        f"**Source.** {cell(about['source'])}",
        "",
        "## A good, a bad and a misleading value",
        "",
        *example_table(about["name"], reading, scores),
        "The databases: [how to read the report](../report.md#databases-of-which-we-know-how-good-they-are).",
        "",
        *_settings(about),
    ]
    return "\n".join(lines) + "\n"


def example_table(name: str, reading: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    """Return the lines of the table of examples of one metric."""
    rows = [_example(name, kind, reading, scores.get(name, {})) for kind in KINDS]
    return table(("", "database", "value", "real against real", "why"), rows)


def _example(name: str, kind: str, reading: Mapping[str, Any], places: Mapping[str, Any]) -> tuple[str, ...]:
    ((source, words),) = reading[kind].items()
    candidate, _, place = source.partition("@")
    where = place or reading["where"]
    if candidate == "none":
        return kind, CANDIDATES[candidate], "–", "–", cell(words)
    found = places[where]
    real = found.get("real_real")
    shown = CANDIDATES[candidate] + (f" ({where})" if where not in ("database", "1-hop") else "")
    return kind, shown, _figure(found[candidate]), "–" if real is None else _figure(real), cell(words)


def _figure(value: float) -> str:
    return f"{value:.3f}"


def _settings(about: Mapping[str, Any]) -> Iterator[str]:
    settings = described(about["target"]).settings
    yield "## Settings"
    yield ""
    if not settings:
        yield f"None. `~evaluation.metrics.{about['name']}` leaves it out of a protocol."
        yield ""
        return
    said, given = comments(config_dir() / "evaluation" / "metric" / f"{about['name']}.yaml"), about["yaml"]
    rows = []
    for setting in settings:
        default = yaml_text(given[setting.name]) if setting.name in given else setting.default or ""
        key = f"evaluation.metrics.{about['name']}.{setting.name}"
        rows.append(
            (code(key), code(default), cell(setting.values), cell(setting.advice or said.get(setting.name, "")))
        )
    yield from table(("key", "default", "values", "advice"), rows)
