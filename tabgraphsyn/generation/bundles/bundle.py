"""The model bundle: all that sampling needs, none of the real rows, every file with its hash.

A bundle may come from a stranger, so ``Bundle.open`` holds all of it against what a bundle is before anything is built:
plain files and no others, their hashes, the form of every json (``forms``), names as a launch would take them,
components with the arguments and ranges of their constructors. ``checks`` says what must agree between files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tabgraphsyn.config.catalog import generator_class
from tabgraphsyn.config.closed import PACKAGE
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.data.untrusted import builtins, decoded, files_below, opened, plain_bytes
from tabgraphsyn.errors import ConfigError, DataError, raise_collected
from tabgraphsyn.generation.bundles.checks import content_problems, file_problems
from tabgraphsyn.generation.bundles.forms import FORMS, KNOWN_FORMS, TABLE_FORMS, ManifestForm, VersionForm
from tabgraphsyn.generators.base import Generator, named

FORMAT_VERSION = 5
MANIFEST = "bundle.json"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        folder: where it lies.
        manifest: what ``bundle.json`` holds.
        generator: what it names.
    """

    folder: Path
    manifest: Mapping[str, Any]
    generator: type[Generator]

    @staticmethod
    def open(folder: Path, allow_targets: Sequence[str] = ()) -> Bundle:
        """Return the bundle after checking all of it but the weights, which are checked as they are read.

        Args:
            folder: of the bundle, or of the sweep point that holds it.
            allow_targets: packages besides tabgraphsyn whose components it may name.

        Raises:
            DataError: no bundle, another format version, a file too many, missing, changed or no plain file, or
                content that no bundle has.
        """
        folder = _found(folder)
        manifest = _read_manifest(folder / MANIFEST)
        generator = _generator(folder, manifest, allow_targets)
        _check_files(folder, manifest, generator)
        forms = _read_forms(folder, manifest, generator)
        raise_collected(DataError, content_problems(folder, manifest, forms, allow_targets, generator)[:10])
        return Bundle(folder, builtins(manifest), generator)

    @cached_property
    def prepared(self) -> Prepared:
        """Schema, plan, codecs and what keys say, as far as sampling needs them."""
        return Prepared(self.folder)

    @property
    def tables(self) -> Sequence[str]:
        """Tables in generation order."""
        tables: Sequence[str] = self.manifest["tables"]
        return tables


def _found(folder: Path) -> Path:
    inside = folder / "bundle"
    if not os.path.lexists(folder / MANIFEST) and os.path.lexists(inside / MANIFEST):
        return inside
    if not os.path.lexists(folder / MANIFEST):
        raise DataError(
            f"{folder}: a bundle has a {MANIFEST}, found none. Give the folder of a finished sweep point, or "
            "'bundle' in it."
        )
    return folder


def _read_manifest(path: Path) -> ManifestForm:
    raw = plain_bytes(path)
    version = decoded(raw, VersionForm, str(path)).format_version
    if version != FORMAT_VERSION:
        raise DataError(
            f"{path}: format_version {FORMAT_VERSION} expected, found {version}. "
            "Sample with the version of tabgraphsyn that wrote the bundle, or launch its config again with this one."
        )
    manifest = decoded(raw, ManifestForm, str(path))
    if manifest.digest != manifest_digest(json.loads(raw)):
        raise DataError(f"{path}: its content is not what its digest says. Copy the bundle again.")
    return manifest


def _generator(folder: Path, manifest: ManifestForm, allow_targets: Sequence[str]) -> type[Generator]:
    """Return the generator that a bundle names; code of a package that this user did not allow is not even imported."""
    target = str(manifest.generator.get("_target_"))
    package = target.partition(".")[0]
    if package not in (PACKAGE, *allow_targets):
        raise DataError(
            f"{folder}: a generator of {package!r} made this bundle, and its code would run here: {target}. If you "
            f"trust that package and have it installed: --allow-target {package}."
        )
    try:
        chosen = {"generator": builtins(manifest.generator), "allow_targets": allow_targets}
        return generator_class({**builtins(manifest.components), **chosen})
    except ConfigError as error:
        raise DataError(f"{folder}: {error}") from error


def _check_files(folder: Path, manifest: ManifestForm, generator: type[Generator]) -> None:
    """Hold what lies in the folder against the list of files, and each file against its hash."""
    problems = file_problems(manifest, {*files_below(folder)} - {MANIFEST}, generator)
    raise_collected(DataError, [f"{folder}: {text}" for text in problems[:20]])
    changed = [name for name, digest in manifest.files.items() if sha256(folder / name) != digest]
    text = f"its content is not what {MANIFEST} says. Copy the bundle again."
    raise_collected(DataError, [f"{folder / name}: {text}" for name in changed[:20]])


def _read_forms(folder: Path, manifest: ManifestForm, generator: type[Generator]) -> dict[str, Any]:
    files = generator.files(tuple(manifest.tables))
    own = {name: content.form for name, content in files.items() if content.is_json and name in manifest.files}
    forms: dict[str, Any] = {**FORMS, **{name: named(form) if form else dict[str, Any] for name, form in own.items()}}
    for table in manifest.tables:
        forms |= {f"{kind}/{table}.json": form for kind, form in TABLE_FORMS.items()}
        known = {f"known/{table}{ending}": form for ending, form in KNOWN_FORMS.items()}
        forms |= {name: form for name, form in known.items() if name in manifest.files}
    return {name: decoded(plain_bytes(folder / name), form, str(folder / name)) for name, form in forms.items()}


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Return the hash of what ``bundle.json`` says, its own ``digest`` left out; with the files' hashes, of all."""
    said = {key: value for key, value in manifest.items() if key != "digest"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return the hash of a plain file's content."""
    with opened(path) as handle, open(handle, "rb", closefd=False) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def file_hashes(folder: Path) -> dict[str, str]:
    """Return relative path -> hash of every file in a folder, sorted."""
    return {name: sha256(folder / name) for name in files_below(folder)}
