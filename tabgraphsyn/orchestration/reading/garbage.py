"""What of a store can be deleted, rule by rule, and what a campaign alone needs. Nothing here deletes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.data.files import read_json
from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.stored.lease import ATTEMPTS
from tabgraphsyn.orchestration.stored.ledger import folder_of
from tabgraphsyn.orchestration.stored.packed import packable
from tabgraphsyn.orchestration.stored.store import CHECKPOINTS, DONE, State, Store

LEFTOVERS, CHECKPOINTS_RULE, UNUSED, CODE, RECORDS = "leftovers", "checkpoints", "unused", "code", "records"
RULES: Mapping[str, str] = {
    LEFTOVERS: "what attempts wrote and did not publish",
    CHECKPOINTS_RULE: "checkpoints of done stages",
    UNUSED: "stages that no campaign refers to",
    CODE: "copies of code that no launch names",
    RECORDS: "logs and records of done stages, packed into done.json: nothing is lost",
}
LAUNCHES, LAUNCH, CODES = "launches", "launch.json", "code"


@dataclass(frozen=True)
class Item:
    """A folder that could go.

    Attributes:
        rule: key of ``RULES``, or empty for one that ``rm`` takes.
        path: the folder.
        stage: ``kind/signature`` it belongs to, else None.
        bytes: of all files in it.
        files: how many.
        age_s: since anything of its stage last changed.
    """

    rule: str
    path: Path
    stage: str | None
    bytes: int
    files: int
    age_s: float


def item(rule: str, path: Path, stage: str | None = None, touched: float | None = None) -> Item:
    """Return a folder with its size and age; links in it are counted, not followed."""
    size = count = 0
    for parent, _, names in os.walk(path):
        for name in names:
            size += os.lstat(f"{parent}/{name}").st_size
            count += 1
    return Item(rule, path, stage, size, count, time.time() - (path.lstat().st_mtime if touched is None else touched))


def garbage(output_dir: Path, campaigns: Sequence[Campaign]) -> Iterator[Item]:
    """Yield what the rules find. Without a campaign nothing is called unused: nobody knows what is still wanted."""
    store = Store(output_dir / "stages")
    kept = {stage_id for campaign in campaigns for stage_id in campaign.stage_ids()}
    for stage_id in own_stages(store):
        if store.state(stage_id) is State.RUNNING:
            continue
        folder = store.folder(stage_id)
        touched = _touched(folder)
        if stage_id not in kept and campaigns:
            yield item(UNUSED, folder, stage_id, touched)
            continue
        for path in sorted([*folder.glob(".artifacts-*"), *folder.glob(".damaged-*")]):
            yield item(LEFTOVERS, path, stage_id, touched)
        if (folder / DONE).exists() and is_own(folder / CHECKPOINTS, store.root):
            yield item(CHECKPOINTS_RULE, folder / CHECKPOINTS, stage_id, touched)
        if packed := packable(folder):
            yield Item(RECORDS, folder, stage_id, 0, len(packed), time.time() - touched)
    yield from (item(CODE, path) for path in _unnamed_code(output_dir))


def own_stages(store: Store) -> Iterator[str]:
    """Yield the stages whose folders lie in the store themselves: a link to elsewhere is nobody's to delete."""
    for stage_id in list(store.stage_ids()):
        if is_own(store.folder(stage_id), store.root):
            yield stage_id


def is_own(path: Path, root: Path) -> bool:
    """Return True for a folder that is reached from ``root`` without any link."""
    return path.is_dir() and path.resolve() == root.resolve() / path.relative_to(root)


def _touched(folder: Path) -> float:
    """Return when anything of a stage last changed."""
    paths = (folder, folder / DONE, folder / ATTEMPTS, *(folder / ATTEMPTS).glob("*.json"))
    return max(path.lstat().st_mtime for path in paths if path.exists())


def _unnamed_code(output_dir: Path) -> Iterator[Path]:
    slurm = folder_of(output_dir)
    codes = [path for path in (slurm / CODES).glob("*") if is_own(path, slurm)]
    named = set()
    for path in (slurm / LAUNCHES).glob(f"*/{LAUNCH}") if codes else ():
        try:
            named.add(Path(read_json(path)["code_folder"] or "").name)
        except (OSError, ValueError, KeyError, TypeError):
            return  # of one launch nobody can tell which code it runs: all is kept
    yield from sorted(path for path in codes if path.name not in named)


@dataclass(frozen=True)
class Removal:
    """What goes with a campaign.

    Attributes:
        stages: that nobody else needs.
        shared: left: other campaigns refer to them.
        foreign: left: another user made them.
        launches: folders of scripts and job logs.
        results: the campaign's own folder.
    """

    stages: list[Item]
    shared: list[str]
    foreign: list[str]
    launches: list[Item]
    results: Item

    @property
    def items(self) -> list[Item]:
        """All folders."""
        return [*self.stages, *self.launches, self.results]


def removal(campaign: Campaign, others: Iterable[Campaign], is_mine: Callable[[Path], bool]) -> Removal:
    """Return what would go with a campaign.

    Args:
        campaign: which.
        others: all other campaigns of the store.
        is_mine: whether this user made a folder.
    """
    store = campaign.store
    elsewhere = {stage_id for other in others for stage_id in other.stage_ids()}
    own = set(campaign.stage_ids())
    standing = [stage_id for stage_id in own_stages(store) if stage_id in own]
    shared = [stage_id for stage_id in standing if stage_id in elsewhere]
    free = [stage_id for stage_id in standing if stage_id not in elsewhere]
    foreign = [stage_id for stage_id in free if not is_mine(store.folder(stage_id))]
    stages = [item("", store.folder(each), each, _touched(store.folder(each))) for each in free if each not in foreign]
    launches = [item("", path) for path in _launches(campaign, elsewhere) if is_mine(path)]
    return Removal(stages, shared, foreign, launches, item("", campaign.folder))


def _launches(campaign: Campaign, elsewhere: set[str]) -> Iterator[Path]:
    """Yield the folders of a campaign's launches, but for those whose lists other campaigns still need."""
    from tabgraphsyn.orchestration.stored import ledger

    slurm = folder_of(campaign.output_dir)
    needed = {
        Path(each.script).parent.name
        for each in ledger.read(campaign.output_dir)
        for stages in each.elements.values()
        if not elsewhere.isdisjoint(stages)
    }
    for path in sorted((slurm / LAUNCHES).glob(f"*/{LAUNCH}")):
        try:
            name = read_json(path)["campaign"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if name == campaign.name and path.parent.name not in needed and is_own(path.parent, slurm):
            yield path.parent
