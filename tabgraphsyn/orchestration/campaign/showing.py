"""Results where a person looks: copies, in the folder of a sweep point, of what its stages published.

``wanted.jsonl`` of a campaign says which points show which stages. A launch writes one such file, whatever the number
of its points; the worker that ends a stage looks for it in the files of all campaigns.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.data.files import folder_written_aside, write_text, written_aside
from tabgraphsyn.data.untrusted import decoded, files_below, not_plain, plain_bytes
from tabgraphsyn.errors import DataError, StageError, TabGraphSynError, listing, raise_collected
from tabgraphsyn.orchestration.campaign.config_texts import sections, split
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, WantedForm, below
from tabgraphsyn.orchestration.stored.store import ARTIFACTS, done_manifest, hash_problems

CONFIG = "config.yaml"
CONFIGS = "configs.yaml"
WANTED = "wanted.jsonl"

_SHOWN = ".shown"
_LINK_FROM_BYTES = 16 << 20


@dataclass(frozen=True)
class Wanted:
    """One stage whose results a point shows.

    Attributes:
        stage: ``kind/signature``.
        point: name of the sweep point.
        names: files and folders of the artifacts that are shown.
    """

    stage: str
    point: str
    names: list[str]


def write_wanted(folder: Path, wanted: Iterable[Wanted]) -> None:
    """Leave word in a campaign's folder which results its points want."""
    write_text(folder / WANTED, "".join(json.dumps(vars(each), separators=(",", ":")) + "\n" for each in wanted))


def write_configs(folder: Path, texts: Mapping[str, str]) -> None:
    """Keep the points' configs in a campaign's folder; those of points that are not named stay."""
    path = folder / CONFIGS
    former = split(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_text(path, sections({**former, **texts}))


def publish_subscribed(stage_folder: Path) -> None:
    """Show a done stage's results in every point, of all campaigns, that wants them.

    Raises:
        StageError: a list that no launch wrote, or results that are not what was published; the others are shown.
    """
    stage_id = f"{stage_folder.parent.name}/{stage_folder.name}"
    campaigns, problems = stage_folder.parents[2] / "campaigns", []
    for path in sorted(campaigns.glob(f"*/{WANTED}")):
        try:
            below(campaigns, path.parent.name)
            for line in plain_bytes(path, MOST_RECORD_BYTES).splitlines():
                if stage_id.encode() in line:
                    wanted = decoded(line, WantedForm, str(path))
                    show(stage_folder, path.parent / wanted.point, wanted.names)
        except TabGraphSynError as error:  # one campaign's list must not keep the others from their results
            problems.append(str(error))
    raise_collected(StageError, problems)


def names_in(folder: str) -> frozenset[str]:
    """Return what stands in a folder: one look, where one at each name would be thousands."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except OSError:
        return frozenset()


def shown_signature(target: Path, kind: str) -> str | None:
    """Return of which stage of a kind a point's folder shows the results, or None."""
    try:
        return (target / _SHOWN / kind).read_text(encoding="utf-8")
    except OSError:
        return None


def show(stage_folder: Path, target: Path, names: Sequence[str]) -> None:
    """Copy results to a point's folder unless they stand there already.

    Args:
        stage_folder: ``<output_dir>/stages/<kind>/<signature>``.
        target: ``<output_dir>/campaigns/<campaign>/<point>``.
        names: of files and folders of the artifacts.

    Raises:
        StageError: the stage is done, and its files are not what was published.
        DataError: a name or a link that leads out of the folders.
    """
    _check_places(stage_folder, target, names)
    shown = target / _SHOWN / stage_folder.parent.name
    whole = shown.exists() and shown.read_text(encoding="utf-8") == stage_folder.name
    if whole and all((target / name).exists() for name in names):
        return
    manifest = done_manifest(stage_folder)
    if manifest is None:
        return
    problems = hash_problems(stage_folder, manifest)
    if problems:
        raise StageError(
            f"{stage_folder}: not shown, because it is not what was published: {listing(problems, 3)}. "
            "Run `tabgraphsyn verify --repair`, then launch again."
        )
    _show_config(target)
    for name in names:
        source = below(stage_folder, ARTIFACTS, name)
        if not source.exists():
            raise StageError(f"{stage_folder}: a done stage should have written {name!r} to its artifacts and did not.")
        _copy(source, below(target, name))
    write_text(shown, stage_folder.name)


def refresh(target: Path, wanted: Iterable[Wanted]) -> None:
    """Bring the folder of a point that is launched again up to date: its config, and no results of former stages."""
    if not target.is_dir():
        return
    wanted = list(wanted)
    below(target.parents[1], target.parent.name, target.name)
    _show_config(target)
    for each in wanted:
        below(target, _SHOWN, each.stage.split("/")[0])
        kind, signature = each.stage.split("/")
        shown = target / _SHOWN / kind
        if shown.exists() and shown.read_text(encoding="utf-8") != signature:
            shown.unlink()
            for name in each.names:
                _remove(below(target, name))


def _check_places(stage_folder: Path, target: Path, names: Sequence[str]) -> None:
    """Hold what is read and written against the folders that it belongs to, links not followed.

    Raises:
        DataError: a place that lies elsewhere.
    """
    below(stage_folder.parents[1], stage_folder.parent.name, stage_folder.name)
    below(target.parents[1], target.parent.name, target.name)
    below(target, _SHOWN, stage_folder.parent.name)
    for name in (*names, CONFIG):
        below(target, name)


def _show_config(target: Path) -> None:
    """Write the config that a point was composed to beside its results."""
    configs = target.parent / CONFIGS
    text = split(plain_bytes(configs, MOST_RECORD_BYTES).decode("utf-8", errors="replace")).get(target.name)
    if text is None:
        raise DataError(f"{configs}: no config of point {target.name!r} in it. Launch again to have it written anew.")
    path = target / CONFIG
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text, flush=False)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        with folder_written_aside(target) as aside:
            for path, relative in ((source / name, name) for name in files_below(source)):
                (aside / relative).parent.mkdir(parents=True, exist_ok=True)
                _copy_file(path, aside / relative)
    else:
        with written_aside(target) as aside:
            _copy_file(source, aside)


def _copy_file(source: Path, target: Path) -> None:
    """Copy, or link what is large: a small file that someone edits in place must not change the store's.

    Raises:
        DataError: a source that is no plain file: a link could show what only this user can read.
    """
    if problem := not_plain(source):
        raise DataError(f"{source}: not shown: {problem}. Run `tabgraphsyn verify --repair`, then launch again.")
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
