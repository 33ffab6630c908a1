"""From the artifacts of done stages to a bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import tabgraphsyn
from tabgraphsyn.config.catalog import generator_class
from tabgraphsyn.data.files import folder_written_aside, read_json, write_json
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.errors import StageError
from tabgraphsyn.generation.bundles.bundle import FORMAT_VERSION, MANIFEST, file_hashes, manifest_digest
from tabgraphsyn.generation.bundles.checks import components
from tabgraphsyn.generators.base import Generator
from tabgraphsyn.stages.context import StageContext

STRUCTURE_FILES = ("structure.json", "structure.safetensors")


def write_bundle(context: StageContext, folder: Path) -> None:
    """Assemble the bundle of a sample stage's inputs in ``folder``.

    Raises:
        StageError: an input that the plan did not give, or a file that its stage did not write.
    """
    prepared = Prepared(context.input("prepare"))
    generator = generator_class({**context.config, "allow_targets": context.allow_targets})
    tables = tuple(prepared.plan.order)
    with folder_written_aside(folder) as aside:
        for name in STRUCTURE_FILES:
            _copy(context.input("structure") / name, aside / name)
        for path in prepared.shipped():
            _copy(prepared.folder / path, aside / path)
        _copy_trained(context, generator, tables, aside)
        write_json(aside / MANIFEST, _manifest(context, generator, tables, aside))


def _copy_trained(context: StageContext, generator: type[Generator], tables: tuple[str, ...], folder: Path) -> None:
    """Copy what the generator declares of its stages, each to its name in a bundle."""
    for content in generator.contents:
        for table in tables if generator.kind(content.kind).per_table else (None,):
            source = context.input(content.kind if table is None else f"{content.kind}/{table}") / content.artifact
            if source.exists():
                _copy(source, folder / (content.name if table is None else content.name.format(table=table)))
            elif content.is_required:
                raise StageError(f"{source}: {generator.__name__} ships it, and its stage did not write it.")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _manifest(
    context: StageContext, generator: type[Generator], tables: tuple[str, ...], folder: Path
) -> dict[str, Any]:
    read = {path.name: read_json(path) for path in folder.glob("*.json")}
    read |= {name: read_json(folder / name) for name in generator.files(tables) if (folder / name).suffix == ".json"}
    manifest = {
        "format_version": FORMAT_VERSION,
        "tables": list(tables),
        "generator": dict(context.config["generator"]),
        **({"sampler": dict(context.config["sampler"])} if "sampler" in generator.sampling_keys else {}),
        "sampling": dict(context.config["sampling"]),
        "components": components(generator, read, tables),
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
