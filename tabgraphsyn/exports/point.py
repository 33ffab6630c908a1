"""A sweep point of an output folder: its record as a crate would hold it, and where its files lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabgraphsyn.data.untrusted import fields_of, plain_bytes
from tabgraphsyn.errors import ConfigError, StageError, listing
from tabgraphsyn.exports.places import placeless_overrides
from tabgraphsyn.exports.record import CrateForm, MadeForm, StageForm, documents_code
from tabgraphsyn.orchestration.campaign.campaigns import CAMPAIGN, Campaign, find_campaigns, read_campaign
from tabgraphsyn.orchestration.campaign.config_texts import split
from tabgraphsyn.orchestration.campaign.showing import CONFIG, CONFIGS
from tabgraphsyn.orchestration.planning.signature import without
from tabgraphsyn.orchestration.stored.packed import read_spec
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, OutputForm
from tabgraphsyn.orchestration.stored.store import ARTIFACTS, Store, done_manifest

_SAID = (
    "started",
    "elapsed_s",
    "cpu_s",
    "peak_memory_mb",
    "device",
    "threads",
    "ranks",
    "code",
    "libraries",
    "machine",
)
_INGEST = "ingest"
_TABLES = "tables/"


@dataclass(frozen=True)
class Point:
    """One sweep point of a campaign.

    Attributes:
        campaign: its record.
        name: of the point.
    """

    campaign: Campaign
    name: str

    @property
    def folder(self) -> Path:
        """Where its results are shown."""
        return self.campaign.folder / self.name

    @property
    def stages(self) -> Mapping[str, str]:
        """Label -> id."""
        return self.campaign.points[self.name].stages

    @property
    def store(self) -> Store:
        """Where its stages stand."""
        return self.campaign.store

    def config_text(self) -> str:
        """Return the yaml of its config, from the campaign's list: a point's own folder comes with its first result."""
        own = self.folder / CONFIG
        if own.is_file():
            return plain_bytes(own, MOST_RECORD_BYTES).decode("utf-8", errors="replace")
        listed = plain_bytes(self.campaign.folder / CONFIGS, MOST_RECORD_BYTES).decode("utf-8", errors="replace")
        return split(listed)[self.name]


def is_point(path: Path) -> bool:
    """Return whether a path is the folder of a sweep point."""
    return path.is_dir() and (path.parent / CAMPAIGN).is_file()


def find_point(named: str, output_dir: Path) -> Point:
    """Return the point that a folder, ``CAMPAIGN/POINT``, or the name of a campaign of one point says.

    Raises:
        ConfigError: there is no such point, or a campaign of several.
    """
    path = Path(named).expanduser()
    if is_point(path):
        path = path.resolve()
        return _point(read_campaign(path.parents[2], path.parent.name), path.name)
    if (path / CAMPAIGN).is_file():
        return _only(read_campaign(path.resolve().parents[1], path.resolve().name))
    folder = output_dir.expanduser().resolve()
    campaign, _, point = named.strip("/").partition("/")
    if campaign not in find_campaigns(folder):
        raise ConfigError(
            f"{named}: no sweep point. Give its folder, <output_dir>/campaigns/<campaign>/<point>, or CAMPAIGN/POINT "
            f"with --output-dir; in {str(output_dir)!r} there are {listing(find_campaigns(folder), 5) or 'none'}."
        )
    found = read_campaign(folder, campaign)
    return _point(found, point) if point else _only(found)


def _point(campaign: Campaign, name: str) -> Point:
    if name not in campaign.points:
        raise ConfigError(f"{campaign.folder}: no point {name!r}. There are {listing(campaign.points, 5)}.")
    return Point(campaign, name)


def _only(campaign: Campaign) -> Point:
    if len(campaign.points) != 1:
        raise ConfigError(f"{campaign.folder}: which of its points? There are {listing(campaign.points, 5)}.")
    return Point(campaign, next(iter(campaign.points)))


def point_record(point: Point) -> CrateForm:
    """Return a finished point's record, its files not hashed again and not listed.

    Raises:
        StageError: a stage that is not done.
    """
    record = point.campaign.points[point.name]
    missing = [label for label, each in point.stages.items() if done_manifest(point.store.folder(each)) is None]
    if missing:
        raise StageError(
            f"{point.folder}: {len(missing)} of its stages are not done: {listing(missing, 5)}. Launch it again."
        )
    stages = {label: point_stage(point.store, each) for label, each in point.stages.items()}
    source = point.store.folder(point.stages[_INGEST]) if _INGEST in point.stages else None
    dataset = read_spec(source).config.get("dataset", {}) if source is not None else {}
    return CrateForm(
        format_version=1,
        campaign=point.campaign.folder.name,
        point=point.name,
        overrides=placeless_overrides(record.overrides),
        dataset=str(dataset.get("name") or "dataset"),
        tables=[Path(path).stem for path in stages[_INGEST].outputs if path.startswith(_TABLES)],
        stages=stages,
        license=None,
        written_by=documents_code(),
        files={},
    )


def artifact(point: Point, label: str, path: str) -> Path:
    """Return where a file that a stage published lies in the store."""
    return point.store.folder(point.stages[label]) / ARTIFACTS / path


def point_stage(store: Store, stage_id: str) -> StageForm:
    """Return the record of a done stage of a store, without place, host and user."""
    folder = store.folder(stage_id)
    spec = read_spec(folder)
    done: dict[str, Any] = done_manifest(folder) or {}
    return StageForm(
        id=stage_id,
        **{key: value for key, value in fields_of(spec).items() if key not in ("runtime", "config")},
        config=without(spec.config, spec.runtime.place_keys),
        outputs={path: OutputForm(**one) for path, one in done["outputs"].items()},
        made=MadeForm(**{key: done[key] for key in _SAID if key in done}),
    )
