"""``outputs/campaigns/<campaign>/<point>/``: the results of a launch, where a person looks.

``campaign.json`` says which stages a point consists of. Results are copied (large ones linked) from the store when
their stage is done: by the worker that finished it, through the stage's subscriber files, or by any later command.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.data.files import folder_written_aside, read_json, write_json, write_text, written_aside
from tabgraphsyn.errors import ConfigError, StageError, listing, nearest
from tabgraphsyn.orchestration.lease import Attempt
from tabgraphsyn.orchestration.plan import Plan
from tabgraphsyn.orchestration.store import ARTIFACTS, SUBSCRIBERS, State, Store, done_manifest

CAMPAIGN = "campaign.json"
_SHOWN = ".shown"
_LINK_FROM_BYTES = 16 << 20
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as quick: it counts in a sweep of 1,000 points


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
        for name, point in self.points.items():
            for label, names in point.publishes.items():
                _show(self.store.folder(point.stages[label]), self.folder / name, names)


def campaigns_dir(output_dir: Path) -> Path:
    """Return the folder that holds the campaigns."""
    return output_dir / "campaigns"


def find_campaigns(output_dir: Path) -> list[str]:
    """Return the names of all campaigns, the latest first."""
    found = campaigns_dir(output_dir).glob(f"*/{CAMPAIGN}")
    return [path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def read_campaign(output_dir: Path, name: str) -> Campaign:
    """Return a recorded campaign.

    Raises:
        ConfigError: there is none of that name.
        StageError: its record cannot be read.
    """
    folder = campaigns_dir(output_dir) / name
    path = folder / CAMPAIGN
    if not path.is_file():
        names = find_campaigns(output_dir)
        known = f"There are {listing(names)}." if names else "There are none yet."
        raise ConfigError(f"{path}: no such campaign.{nearest(name, names)} {known} --output-dir names another folder.")
    try:
        raw = read_json(path)
        points = {point: PointRecord(**record) for point, record in raw["points"].items()}
        return Campaign(folder, points, float(raw["lease_timeout_s"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StageError(f"{path}: not a campaign's record ({error}). Launch again to have it written anew.") from error


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
    """Write ``campaign.json``, the points' configs and the subscriptions; return the whole campaign.

    Points of earlier launches of the same campaign are kept.

    Raises:
        ConfigError: a point of that name was launched with other overrides; its results would be lost.
    """
    folder = campaigns_dir(output_dir) / name
    former = read_campaign(output_dir, name).points if (folder / CAMPAIGN).is_file() else {}
    points = {point: _point_record(plan, labels, overrides[point]) for point, labels in plan.points.items()}
    for point, record in points.items():
        if point in former and sorted(former[point].overrides) != sorted(record.overrides):
            raise ConfigError(
                f"campaign={name}: it already holds point {point!r} of other overrides "
                f"({listing(former[point].overrides)}). Choose another campaign name."
            )
    whole = {**former, **points}
    write_json(
        folder / CAMPAIGN,
        {
            "name": name,
            "launched": time.time(),
            "command": list(command),
            "code": dict(code),
            "lease_timeout_s": lease_timeout_s,
            "points": {point: vars(record) for point, record in whole.items()},
        },
    )
    campaign = Campaign(folder, whole, lease_timeout_s)
    for point, record in points.items():
        text = yaml.dump(dict(configs[point]), Dumper=_DUMPER, sort_keys=False, allow_unicode=True)
        write_text(folder / point / "config.yaml", text, flush=False)
        _subscribe(campaign, point, record)
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
        overrides=list(overrides),
        stages=dict(labels),
        publishes={label: list(stage.kind.publishes) for label, stage in stages.items() if stage.kind.publishes},
        inputs={label: list(stage.inputs) for label, stage in stages.items()},
    )


def _subscribe(campaign: Campaign, point: str, record: PointRecord) -> None:
    """Leave word in the stage folders that this point wants their results; drop results of former stages."""
    target = campaign.folder / point
    for label, names in record.publishes.items():
        stage_id = record.stages[label]
        kind, signature = stage_id.split("/")
        shown = target / _SHOWN / kind
        if shown.exists() and shown.read_text(encoding="utf-8") != signature:
            shown.unlink()
            for name in names:
                _remove(target / name)
        where = f"{campaign.folder.name}/{point}"
        key = hashlib.sha256(where.encode()).hexdigest()[:12]
        path = campaign.store.folder(stage_id) / SUBSCRIBERS / f"{key}.json"
        if not path.exists():
            write_json(path, {"point": where, "names": names}, flush=False)


def publish_subscribed(stage_folder: Path) -> None:
    """Show a done stage's results in every point that asked for them."""
    output_dir = stage_folder.parents[2]
    for path in sorted((stage_folder / SUBSCRIBERS).glob("*.json")):
        wanted = read_json(path)
        target = campaigns_dir(output_dir) / wanted["point"]
        # A point that was launched again with other settings, or removed, no longer wants this stage.
        if target.is_dir() and stage_folder.name in _wanted_signatures(target):
            _show(stage_folder, target, wanted["names"])


def _wanted_signatures(point_folder: Path) -> set[str]:
    path = point_folder.parent / CAMPAIGN
    if not path.is_file():
        return set()
    record = read_json(path)["points"].get(point_folder.name, {"stages": {}})
    return {stage_id.split("/")[1] for stage_id in record["stages"].values()}


def _show(stage_folder: Path, target: Path, names: Sequence[str]) -> None:
    """Copy results to a point's folder unless they stand there already."""
    shown = target / _SHOWN / stage_folder.parent.name
    whole = shown.exists() and shown.read_text(encoding="utf-8") == stage_folder.name
    if (whole and all((target / name).exists() for name in names)) or done_manifest(stage_folder) is None:
        return
    for name in names:
        source = stage_folder / ARTIFACTS / name
        if not source.exists():
            raise StageError(f"{stage_folder}: a done stage should have written {name!r} to its artifacts and did not.")
        _copy(source, target / name)
    write_text(shown, stage_folder.name)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        with folder_written_aside(target) as aside:
            for path, relative in _files_under(source):
                (aside / relative).parent.mkdir(parents=True, exist_ok=True)
                _copy_file(path, aside / relative)
    else:
        with written_aside(target) as aside:
            _copy_file(source, aside)


def _files_under(folder: Path) -> Iterator[tuple[Path, Path]]:
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent) / name
            yield path, path.relative_to(folder)


def _copy_file(source: Path, target: Path) -> None:
    """Copy, or link what is large: a small file that someone edits in place must not change the store's."""
    if source.stat().st_size >= _LINK_FROM_BYTES:
        try:
            os.link(source, target)
            return
        except OSError:  # another file system, or one without links
            target.unlink(missing_ok=True)
    shutil.copyfile(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
