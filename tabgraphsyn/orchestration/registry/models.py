"""Trained models of a store: the sweep points of its campaigns, by tag, ``campaign/point`` or campaign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.data.untrusted import plain_bytes, plain_json
from tabgraphsyn.errors import ConfigError, TabGraphSynError, listing, nearest
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, PointRecord, find_campaigns, read_campaign
from tabgraphsyn.orchestration.campaign.config_texts import split
from tabgraphsyn.orchestration.campaign.showing import CONFIGS
from tabgraphsyn.orchestration.campaign.verdicts import read_verdict
from tabgraphsyn.orchestration.registry.tags import Tag, read_tags, tags_of
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, below
from tabgraphsyn.orchestration.stored.store import outputs_of

SAMPLE, EVALUATE = "sample", "evaluate"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Model:
    """A sweep point of which something is trained.

    Attributes:
        campaign: with its record.
        point: name of the sweep point.
        tags: names that were given to it.
    """

    campaign: Campaign
    point: str
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``campaign/point``, which always names it."""
        return f"{self.campaign.name}/{self.point}"

    @property
    def record(self) -> PointRecord:
        """Overrides and stages."""
        return self.campaign.points[self.point]

    @property
    def folder(self) -> Path:
        """Where its results are shown."""
        return self.campaign.folder / self.point

    @cached_property
    def done(self) -> dict[str, dict[str, Any]]:
        """Manifests of its done stages, by label."""
        store = self.campaign.store
        found = {label: store.done(stage_id) for label, stage_id in self.record.stages.items()}
        return {label: manifest for label, manifest in found.items() if manifest is not None}

    @property
    def is_whole(self) -> bool:
        """True if it can sample: its bundle stands."""
        return SAMPLE in self.done

    @cached_property
    def config(self) -> dict[str, Any]:
        """The composed config, empty where it was lost."""
        path = below(self.campaign.folder, CONFIGS)
        if not path.is_file():
            return {}
        text = split(plain_bytes(path, MOST_RECORD_BYTES).decode("utf-8", errors="replace")).get(self.point, "")
        return yaml.load(text, Loader=_LOADER) or {}  # nosec B506 - a safe loader, the one of C where there is one

    @property
    def data(self) -> str:
        """Name of the data set; what its content was is the signature of ``ingest``."""
        dataset = self.config.get("dataset") or {}
        named = dataset.get("name") or Path(str(dataset.get("path") or "?")).name
        return f"{named} ({self.record.stages.get('ingest', '/?').split('/')[1][:8]})"

    @property
    def gate(self) -> str:
        """The privacy gate's verdict, empty where nothing was evaluated."""
        if EVALUATE not in self.done:
            return ""
        found = read_verdict(self.campaign.store.artifacts(self.record.stages[EVALUATE]))
        return "" if found is None else found.verdict

    @cached_property
    def scores(self) -> dict[str, float]:
        """Scores of the whole database, by metric."""
        artifacts = self.campaign.store.artifacts(self.record.stages[EVALUATE]) if EVALUATE in self.done else None
        if artifacts is None or not (artifacts / "metrics.json").is_file():
            return {}
        rows = plain_json(artifacts / "metrics.json", MOST_RECORD_BYTES).get("scores", ())
        return {
            row["metric"]: float(row["value"])
            for row in rows
            if row["comparison"] == "synthetic" and row["level"] == "database" and row["where"] in ("database", "1-hop")
        }

    @property
    def hours(self) -> float:
        """Hours that its stages ran, those that it shares with others among them."""
        return sum(float(manifest.get("elapsed_s", 0)) for manifest in self.done.values()) / 3600

    @property
    def megabytes(self) -> float:
        """Size of what its stages published."""
        return sum(output.bytes for manifest in self.done.values() for output in outputs_of(manifest).values()) / 1e6

    @property
    def made(self) -> float:
        """When its last stage began, in seconds since 1970."""
        return max((float(manifest.get("started", 0)) for manifest in self.done.values()), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` says of it."""
        return {
            "name": self.name,
            "tags": list(self.tags),
            "data": self.data,
            "overrides": self.record.overrides,
            "gate": self.gate,
            "scores": self.scores,
            "hours": round(self.hours, 4),
            "megabytes": round(self.megabytes, 3),
            "made": self.made,
            "is_whole": self.is_whole,
            "stages": self.record.stages,
            "folder": str(self.folder),
        }


def models_of(output_dir: Path) -> Iterator[Model]:
    """Yield the models of a store, the latest campaign first; what was never computed is none."""
    tags = read_tags(output_dir)
    for name in find_campaigns(output_dir):
        campaign = read_campaign(output_dir, name)
        for point in campaign.points:
            found = Model(campaign, point, tuple(tags_of(tags, name, point)))
            if any(label not in ("ingest", "prepare") for label in found.done):
                yield found


def find_model(output_dir: Path, name: str, where: str = "model") -> Model:
    """Return a model by its tag, by ``campaign/point``, or by a campaign of one point.

    Args:
        output_dir: of the store.
        name: as somebody typed it.
        where: the setting or argument that it was typed for.

    Raises:
        ConfigError: there is none of that name, or several.
    """
    tags = read_tags(output_dir)
    if name in tags:
        return _named(output_dir, tags[name].campaign, tags[name].point, tags, f"{where}={name}")
    campaign, _, point = name.partition("/")
    known = find_campaigns(output_dir)
    if campaign not in known:
        names = [*tags, *known]
        raise ConfigError(
            f"{where}={name}: no such model in {output_dir}.{nearest(name, names)} "
            + (f"Tags and campaigns: {listing(names)}." if names else "There are no campaigns yet.")
        )
    return _named(output_dir, campaign, point, tags, f"{where}={name}")


def _named(output_dir: Path, campaign: str, point: str, tags: Mapping[str, Tag], where: str) -> Model:
    try:
        found = read_campaign(output_dir, campaign)
    except TabGraphSynError as error:
        raise ConfigError(f"{where}: its campaign cannot be read: {error}") from error
    if not point and len(found.points) == 1:
        point = next(iter(found.points))
    if point not in found.points:
        raise ConfigError(
            f"{where}: the campaign has {len(found.points)} sweep points.{nearest(point, found.points)} "
            f"Name one: {listing([f'{campaign}/{each}' for each in found.points], 5)}."
        )
    return Model(found, point, tuple(tags_of(tags, campaign, point)))
