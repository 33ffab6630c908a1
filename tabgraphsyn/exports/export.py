"""From a finished sweep point to a folder or archive for a reviewer: nothing of this machine and no real row in it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import yaml

from tabgraphsyn.data.files import folder_written_aside, vanishing_folder, write_text
from tabgraphsyn.data.untrusted import files_below
from tabgraphsyn.errors import ConfigError, StageError, listing, raise_collected
from tabgraphsyn.exports.archive import is_archive, pack
from tabgraphsyn.exports.claims import claims_of, claims_text
from tabgraphsyn.exports.contents import read_contents
from tabgraphsyn.exports.documents import DOCUMENTS
from tabgraphsyn.exports.places import config_text, own_names, own_places, placeless_config, said_places
from tabgraphsyn.exports.point import Point, artifact, point_record
from tabgraphsyn.exports.record import CLAIMS, CONFIG, CRATE, ROCRATE, UNLISTED, CrateForm, shown_files, write_crate
from tabgraphsyn.exports.requirements import requirements
from tabgraphsyn.exports.rocrate import ro_crate
from tabgraphsyn.orchestration.stored.records import OutputForm
from tabgraphsyn.orchestration.stored.store import file_sha256

REQUIREMENTS = "requirements.txt"
_READ = frozenset({".json", ".yaml", ".html", ".md", ".txt", ".cff"})
_MOST_READ = 64 << 20


def export(point: Point, out: Path, license_: str | None = None) -> str:
    """Write a point's crate to a folder or a zip; return its root hash: that of ``crate.json``, which names all.

    Args:
        point: finished.
        out: folder, or file that ends with ``.zip``; must not exist.
        license_: address of the licence that the synthetic tables are given under; None: none is stated.

    Raises:
        ConfigError: ``out`` exists, or a file says something of this machine.
        StageError: a stage that is not done, or files that are not what was published.
    """
    if out.exists():
        raise ConfigError(f"--out: {str(out)!r} exists already. Remove it, or choose another name.")
    record = msgspec.structs.replace(point_record(point), license=license_)
    if is_archive(out):
        with vanishing_folder() as folder:
            root = _written(point, record, folder / "crate")
            pack(folder / "crate", out)
        return root
    with folder_written_aside(out) as aside:
        return _written(point, record, aside)


def _written(point: Point, record: CrateForm, folder: Path) -> str:
    """Write all files of a crate below ``folder`` and return the root hash."""
    folder.mkdir(exist_ok=True)
    _copy_results(point, record, folder)
    config = yaml.safe_load(point.config_text())
    write_text(folder / CONFIG, config_text(placeless_config(config)))
    claims = claims_of(record.campaign, record.point)
    if claims:
        write_text(folder / CLAIMS, claims_text(claims))
    record = _with_files(record, folder)
    contents = read_contents(folder, record)
    write_text(folder / REQUIREMENTS, requirements(contents.requirements))
    for path, made in DOCUMENTS.items():
        write_text(folder / path, made(contents))
    record = _with_files(record, folder)
    write_crate(folder, record)
    write_text(folder / ROCRATE, ro_crate(read_contents(folder, record)))
    _refuse_places(folder, point.campaign.folder.parents[1], config)
    return file_sha256(folder / CRATE)


def _copy_results(point: Point, record: CrateForm, folder: Path) -> None:
    """Copy what the shown stages published, each file held against its hash on the way."""
    problems = []
    for label, path, output in shown_files(record):
        source, target = artifact(point, label, path), folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target, follow_symlinks=False)
        if target.is_symlink() or file_sha256(target) != output.sha256:
            problems.append(f"{label}: {path} is not what was published.")
    if problems:
        raise StageError(f"{listing(problems, 5)} Run `tabgraphsyn verify --repair`, then launch again.")


def _with_files(record: CrateForm, folder: Path) -> CrateForm:
    names = [name for name in files_below(folder) if name not in UNLISTED]
    files = {name: OutputForm((folder / name).stat().st_size, file_sha256(folder / name)) for name in names}
    return msgspec.structs.replace(record, files=files)


def _refuse_places(folder: Path, output_dir: Path, config: dict[str, object]) -> None:
    """Look through everything that a person or program can read for folders, host and user of this machine.

    Raises:
        ConfigError: a file says one.
    """
    dataset = config.get("dataset")
    data = str(dataset.get("path") or "") if isinstance(dataset, dict) else ""
    places = own_places(output_dir, *([Path(data).parent] if Path(data).is_absolute() else []))
    problems = []
    for name in files_below(folder):
        path = folder / name
        if path.suffix not in _READ or path.stat().st_size > _MOST_READ:
            continue
        said = said_places(path.read_text(encoding="utf-8", errors="replace"), places, _names_for(name))
        if said:
            problems.append(f"{name}: it says {listing(said, 3)}, which is of this machine. Nothing was exported.")
    raise_collected(ConfigError, problems)


def _names_for(name: str) -> Sequence[str]:
    """Return which names a file may not say: in what holds values of the data a person's name is a value."""
    return () if name.startswith("bundle/") or name.endswith(".html") else own_names()
