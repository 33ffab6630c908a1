"""What ``tabgraphsyn ingest`` writes: metadata, profile and a dataset yaml to edit."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.errors import ConfigError


@dataclass(frozen=True)
class Written:
    """What ``tabgraphsyn ingest`` wrote.

    Attributes:
        name: of the dataset, for ``launch dataset=<name>``.
        metadata: the SDV metadata, written or found.
        yaml: the dataset yaml.
        orphans: how many foreign keys hold values without a match.
        profile: the content of ``profile.json``.
    """

    name: str
    metadata: Path
    yaml: Path
    orphans: int
    profile: Mapping[str, Any]


def parsed_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return what ``--set KEY=VALUE`` says; a key with a dot is a mapping by table.

    >>> parsed_settings(["header=false", "dataset.skip_rows.orders=2"])
    {'header': False, 'skip_rows': {'orders': 2}}

    Raises:
        ConfigError: a setting without a key or a value.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, sign, text = setting.removeprefix("dataset.").partition("=")
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            value = text
        option, _, table = key.partition(".")
        if not sign or not option:
            raise ConfigError(f"--set: KEY=VALUE expected, found {setting!r}.")
        if not table:
            found[option] = value
        elif isinstance(found.setdefault(option, {}), dict):
            found[option][table] = value
    return found


def write_dataset(
    source: Path, name: str | None, out: Path | None, options: Mapping[str, Any], *, overwrite: bool = False
) -> Written:
    """Profile ``source``, write its metadata, profile and dataset yaml, and return what was written.

    A ``metadata.json`` that stands beside the data is used and kept, unless ``overwrite``. Without a policy in
    ``options`` orphans are counted; the yaml then says ``orphans: null``, for the user to change.

    Raises:
        ConfigError: a name that cannot be used, or files that exist already.
        DataError: the tables break a rule.
    """
    from tabgraphsyn.data.files import vanishing_folder, write_json, write_text
    from tabgraphsyn.data.ingest.ingestion import ingest_database
    from tabgraphsyn.data.options import DatasetOptions, default_metadata_path

    path = source.expanduser().absolute()
    dataset, target, metadata, existing = checked_places(source, name, out, overwrite=overwrite)
    beside = default_metadata_path(path)
    checked = DatasetOptions.from_mapping(
        {**options, "path": str(path), "name": dataset, "orphans": options.get("orphans") or "null"}
    )
    with vanishing_folder() as folder:
        profile = ingest_database(checked, folder / "ingest", use_metadata=not overwrite)
        if existing is None:
            write_text(metadata, (folder / "ingest" / "metadata.json").read_text(encoding="utf-8"))
        proposed = _proposals(profile["rows_kept"])
        profile["notes"] = [*profile["notes"], *(line.removeprefix("#   ") for line in proposed)]
    # A folder with metadata may well be read-only: what is written goes beside what was written.
    beside_yaml = target.with_name(f"{target.stem}.profile.json")
    write_json(beside_yaml if existing else metadata.with_name(metadata.name.replace("metadata", "profile")), profile)
    orphans = sum("have no match in" in note for note in profile["notes"])
    policy = options.get("orphans") or ("null" if orphans else "error")
    given = {**options, "orphans": policy, "metadata": None if metadata == beside else str(metadata)}
    write_text(target, _yaml_text(dataset, path, given) + "".join(f"{line}\n" for line in proposed))
    return Written(dataset, metadata, target, orphans, profile)


def checked_places(
    source: Path, name: str | None, out: Path | None, *, overwrite: bool
) -> tuple[str, Path, Path, Path | None]:
    """Return the dataset's name, its yaml, its metadata, and the metadata that stand there and are used.

    Raises:
        ConfigError: a name that cannot be used, or files that exist already.
    """
    from tabgraphsyn.data.options import default_metadata_path

    path = source.expanduser().absolute()
    dataset = _dataset_name(name, path)
    target = _yaml_folder() / f"{dataset}.yaml"
    beside = default_metadata_path(path)
    existing = beside if beside.is_file() and not overwrite else None
    metadata = existing or _metadata_target(beside, out, target)
    taken = [file for file in (target, metadata) if file.exists() and file != existing and not overwrite]
    if taken:
        raise ConfigError(f"{taken[0]}: exists already. Choose another --name or --out, or replace it: --overwrite.")
    return dataset, target, metadata, existing


def large_mb(source: Path, site: str | None) -> float:
    """Return the size of the data in MB if a job is to read them, else 0.

    Raises:
        ConfigError, DataError: there are none.
    """
    from tabgraphsyn.orchestration.launching.submit import ingest_job_mb
    from tabgraphsyn.stages.ingest import data_mb
    from tabgraphsyn.verbs.site_cluster import site_config

    size = data_mb({"path": str(source.expanduser().absolute())})
    cluster = site_config(site)["cluster"] if site else {"executor": "slurm"}  # composing a config takes its time
    return size if size > ingest_job_mb(cluster) else 0.0


def check_heads(source: Path, options: Mapping[str, Any]) -> None:
    """Check what needs no rows: files, heads, metadata.

    Raises:
        ConfigError, DataError: what is wrong with them.
    """
    from tabgraphsyn.stages.ingest import table_names

    table_names({**options, "path": str(source.expanduser().absolute()), "orphans": options.get("orphans") or "null"})


def _proposals(rows_kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line of yaml comment per table that others refer to: whether its real rows are published, and why."""
    return [
        f"#   {one['table']}: {'published' if one['published'] else 'made anew'}: {one['reason']}"
        + ("" if one["declared"] else f" ({_other_way(one['table'], one['published'])})")
        for one in rows_kept
    ]


def _other_way(table: str, is_published: bool) -> str:
    effect = "makes its rows anew" if is_published else "publishes its real rows"
    return f"reference: {{{table}: {str(not is_published).lower()}}} {effect}"


def _dataset_name(name: str | None, path: Path) -> str:
    if name is None:
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", path.name.split(".")[0]).strip("_") or "data"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise ConfigError(
            f"--name: letters, digits, '_' and '-' (it becomes a file name and an override), found {name!r}."
        )
    return name


def _yaml_folder() -> Path:
    """Return the folder in which ``dataset=<name>`` is looked for: the checkout's, or the user's own."""
    from tabgraphsyn.config.top_level import config_dir, user_config_dir

    checkout = Path.cwd() / "conf"
    in_checkout = checkout.is_dir() and checkout.resolve() == config_dir().resolve()
    if in_checkout and not os.environ.get("TABGRAPHSYN_CONF"):
        return checkout / "dataset"
    return user_config_dir() / "dataset"


def _metadata_target(beside: Path, out: Path | None, target: Path) -> Path:
    if out is not None:
        return out.expanduser().absolute() / "metadata.json"
    if os.access(beside.parent, os.W_OK):
        return beside
    return target.with_name(f"{target.stem}.metadata.json")


def _yaml_text(name: str, path: Path, given: Mapping[str, Any]) -> str:
    from tabgraphsyn.data.options import BY_TABLE_KEYS, LIMIT_KEYS

    further = [key for key in (*LIMIT_KEYS, *BY_TABLE_KEYS) if key in given and key != "max_columns"]
    lines = {
        "name": (name, ""),
        "path": (str(path), ""),
        "metadata": (given["metadata"], "null: metadata.json beside the tables"),
        "orphans": (given["orphans"], "a foreign key without a match: error | null | drop (the row goes)"),
        "all_null": (given["all_null"], "a column without any value: error | drop | keep"),
        "tables": (given.get("tables"), "null: all of them, or a list of names"),
        "limit": (
            given.get("limit"),
            "or {table: customers, rows: 1000}: those rows and everything that belongs to them",
        ),
        "max_columns": (given["max_columns"], "a wider table is refused"),
        **{key: (given[key], "") for key in further},
        "delimiter": (given["delimiter"], "of CSV files; null: found from the first lines"),
        "encoding": (given["encoding"], "of CSV files; null: UTF-8, or UTF-16 with a byte order mark"),
        "formats": (
            given.get("formats"),
            "where values leave it open: {<table>.<column>: '%d/%m/%Y' | '1.234,56' | text}",
        ),
        "keys": (given.get("keys"), "foreign keys left open: {<table>.<column>: <parent>.<column>, or null for none}"),
        "null_values": (
            given.get("null_values"),
            "what CSV and Excel cells write for a missing value; null: what pandas takes for one",
        ),
        "reference": (given.get("reference"), "tables whose real rows are published: [airlines]; see below"),
        "rules": (
            given.get("rules"),
            "what holds in every row, beside what is found: [{kind: order, table: t, columns: [a, b]}]",
        ),
    }
    text = f"# Written by `tabgraphsyn ingest`; edit it, then: python -m tabgraphsyn.launch dataset={name}\n"
    for key, (value, comment) in lines.items():
        text += f"{key}: {_yaml_value(value)}" + (f"  # {comment}" if comment else "") + "\n"
    return text


def _yaml_value(value: Any) -> str:
    """Return a value as yaml; json is yaml, but ``${`` would be an interpolation."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "\\\\${") if isinstance(value, str) else text
