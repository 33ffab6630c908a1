"""``outputs/campaigns/<campaign>/<point>/``: the results of a launch, where a person looks.

``campaign.json`` says which stages a point consists of, ``configs.yaml`` what each was composed to. A launch writes a
few files, whatever the number of points; a point's own folder appears with its first results. They are copied (large
ones linked) from the store when their stage is done: by the worker that finished it, or by any later command.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.untrusted import fields_of, read_form
from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.orchestration.campaign import showing
from tabgraphsyn.orchestration.campaign.config_texts import ConfigTexts
from tabgraphsyn.orchestration.planning.plan import Plan
from tabgraphsyn.orchestration.stored.lease import Attempt
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, CampaignForm, below
from tabgraphsyn.orchestration.stored.store import State, Store
from tabgraphsyn.redaction import redacted

CAMPAIGN = "campaign.json"


@dataclass(frozen=True)
class PointRecord:
    """A sweep point as ``campaign.json`` knows it.

    Attributes:
        overrides: what it was composed from.
        stages: label -> ``kind/signature``, inputs first.
        publishes: label -> names shown in the point's folder.
        inputs: label -> labels of the stages that it waits for.
    """

    overrides: list[str]
    stages: dict[str, str]
    publishes: dict[str, list[str]] = field(default_factory=dict)
    inputs: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Campaign:
    """A folder of results and its record."""

    folder: Path
    points: dict[str, PointRecord]
    lease_timeout_s: float = 60.0

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def output_dir(self) -> Path:
        """Folder of the store and of the campaigns."""
        return self.folder.parents[1]

    @property
    def store(self) -> Store:
        """The store its stages lie in."""
        return Store(self.output_dir / "stages", self.lease_timeout_s)

    def stage_ids(self) -> list[str]:
        """Return the ids of all its stages, each once, inputs first within a point."""
        return list(dict.fromkeys(stage_id for point in self.points.values() for stage_id in point.stages.values()))

    def show_done(self) -> None:
        """Show the results of every done stage that are not shown yet."""
        store = self.store
        standing = {kind: store.standing(kind) for kind in {stage_id.split("/")[0] for stage_id in self.stage_ids()}}
        for point in self.points:
            there = showing.names_in(f"{self.folder}/{point}")
            for wanted in self.wanted(point):
                kind, signature = wanted.stage.split("/")
                if signature in standing[kind] and not (
                    there.issuperset(wanted.names) and showing.shown_signature(self.folder / point, kind) == signature
                ):
                    showing.show(store.folder(wanted.stage), self.folder / point, wanted.names)

    def wanted(self, point: str) -> Iterator[showing.Wanted]:
        """Yield what a point shows."""
        record = self.points[point]
        for label, names in record.publishes.items():
            yield showing.Wanted(record.stages[label], point, names)


def campaigns_dir(output_dir: Path) -> Path:
    """Return the folder that holds the campaigns."""
    return output_dir / "campaigns"


def find_campaigns(output_dir: Path) -> list[str]:
    """Return the names of all campaigns, the latest first."""
    found = [path for path in campaigns_dir(output_dir).glob(f"*/{CAMPAIGN}") if not path.parent.is_symlink()]
    return [path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def read_campaign(output_dir: Path, name: str) -> Campaign:
    """Return a recorded campaign.

    Raises:
        ConfigError: there is none of that name.
        DataError: its record cannot be read, or says what no launch writes.
    """
    folder = campaigns_dir(output_dir) / name
    path = folder / CAMPAIGN
    if "/" in name or name.startswith(".") or not os.path.lexists(path):
        names = find_campaigns(output_dir)
        known = f"There are {listing(names)}." if names else "There are none yet."
        raise ConfigError(f"{path}: no such campaign.{nearest(name, names)} {known} --output-dir names another folder.")
    below(campaigns_dir(output_dir), name)
    record = read_form(path, CampaignForm, MOST_RECORD_BYTES)
    points = {point: PointRecord(**fields_of(form)) for point, form in record.points.items()}
    return Campaign(folder, points, record.lease_timeout_s)


def record_campaign(
    output_dir: Path,
    name: str,
    plan: Plan,
    overrides: Mapping[str, Sequence[str]],
    configs: Mapping[str, Mapping[str, Any]],
    command: Sequence[str],
    code: Mapping[str, Any],
    lease_timeout_s: float,
) -> Campaign:
    """Write the campaign's record, the points' configs and which results they want; return the whole campaign.

    Points of earlier launches of the same campaign are kept.

    Raises:
        ConfigError: a point of that name was launched with other overrides; its results would be lost.
    """
    folder = campaigns_dir(output_dir) / name
    former = read_campaign(output_dir, name).points if (folder / CAMPAIGN).is_file() else {}
    points = {point: _point_record(plan, labels, overrides[point]) for point, labels in plan.points.items()}
    for point, record in points.items():
        # The same values in other words ask for the same stages, and nothing is lost.
        is_same = point not in former or former[point].stages == record.stages
        if not is_same and sorted(former[point].overrides) != sorted(record.overrides):
            raise ConfigError(
                f"campaign={name}: it already holds point {point!r} of other overrides "
                f"({listing(former[point].overrides)}). Choose another campaign name."
            )
    whole = {**former, **points}
    # A campaign is there as soon as its record is: whoever looks then reads the configs.
    texts = ConfigTexts()
    showing.write_configs(folder, {point: texts.text(configs[point]) for point in points})
    write_json(
        folder / CAMPAIGN,
        {
            "name": name,
            "launched": time.time(),
            "command": [redacted(word) for word in command],
            "code": dict(code),
            "lease_timeout_s": lease_timeout_s,
            "points": {point: vars(record) for point, record in whole.items()},
        },
    )
    campaign = Campaign(folder, whole, lease_timeout_s)
    showing.write_wanted(folder, (each for point in whole for each in campaign.wanted(point)))
    for point in points.keys() & former.keys():
        showing.refresh(folder / point, campaign.wanted(point))
    return campaign


def running_stages(campaign: Campaign) -> Iterator[tuple[str, Attempt]]:
    """Yield label and attempt of every stage of a campaign that runs now."""
    labels = {stage_id: label for point in campaign.points.values() for label, stage_id in point.stages.items()}
    for stage_id, label in labels.items():
        state, attempt = campaign.store.state_and_attempt(stage_id)
        if state is State.RUNNING and attempt is not None:
            yield label, attempt


def _point_record(plan: Plan, labels: Mapping[str, str], overrides: Sequence[str]) -> PointRecord:
    stages = {label: plan.stages[stage_id] for label, stage_id in labels.items()}
    return PointRecord(
        overrides=[redacted(text) for text in overrides],
        stages=dict(labels),
        publishes={label: list(stage.kind.publishes) for label, stage in stages.items() if stage.kind.publishes},
        inputs={label: list(stage.inputs) for label, stage in stages.items()},
    )
