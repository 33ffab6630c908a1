"""From the artifacts of done stages to a bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tabgraphsyn
from tabgraphsyn.data.files import folder_written_aside, read_json, write_json
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.generation.bundle import FORMAT_VERSION, MANIFEST, file_hashes, manifest_digest
from tabgraphsyn.stages.context import StageContext

STRUCTURE_FILES = ("structure.json", "structure.safetensors")
GNN_FILES = ("gnn.json", "gnn.safetensors")


def write_bundle(context: StageContext, folder: Path) -> None:
    """Assemble the bundle of a sample stage's inputs in ``folder``.

    Raises:
        StageError: an input that the plan did not give.
    """
    prepared = Prepared(context.input("prepare"))
    tables = list(prepared.plan.order)
    with folder_written_aside(folder) as aside:
        for role, names in (("structure", STRUCTURE_FILES), ("gnn", GNN_FILES)):
            for name in names:
                _copy(context.input(role) / name, aside / name)
        for path in prepared.shipped():
            _copy(prepared.folder / path, aside / path)
        for table in tables:
            for kind in ("autoencoder", "diffusion"):
                for suffix in ("json", "safetensors"):
                    source = context.input(f"{kind}/{table}") / f"{kind}.{suffix}"
                    # A table of keys only has no weights.
                    if suffix == "json" or source.exists():
                        _copy(source, aside / kind / f"{table}.{suffix}")
        write_json(aside / MANIFEST, _manifest(context, tables, aside))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _manifest(context: StageContext, tables: list[str], folder: Path) -> dict[str, Any]:
    manifest = {
        "format_version": FORMAT_VERSION,
        "tables": tables,
        "sampler": dict(context.config["sampler"]),
        "sampling": dict(context.config["sampling"]),
        "components": _components(folder, tables),
        "provenance": {
            "tabgraphsyn": tabgraphsyn.__version__,
            "seed": context.config["seed"],
            # inputs[role] is <stage>/<signature>/artifacts; the signature says all without a path.
            "signatures": {role: path.parent.name for role, path in sorted(context.inputs.items())},
        },
        "files": file_hashes(folder),
    }
    # One round through json: the digest is that of what a reader finds, tuples and all.
    return {**manifest, "digest": manifest_digest(json.loads(json.dumps(manifest)))}


def _components(folder: Path, tables: list[str]) -> dict[str, Any]:
    """Return what each component was built from, by role."""
    found: dict[str, Mapping[str, Any]] = {
        "structure": read_json(folder / "structure.json")["structure"],
        "gnn": read_json(folder / "gnn.json")["gnn"],
    }
    for table in tables:
        for kind, keys in (("autoencoder", ("autoencoder",)), ("diffusion", ("denoiser", "diffusion"))):
            raw = read_json(folder / kind / f"{table}.json")
            found |= {f"{key}/{table}": raw[key] for key in keys}
    return dict(found)
