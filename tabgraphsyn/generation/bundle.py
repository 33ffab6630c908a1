"""The model bundle: all that sampling needs, none of the real rows, every file with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import read_json
from tabgraphsyn.data.prepared import Prepared
from tabgraphsyn.errors import DataError, listing, raise_collected

FORMAT_VERSION = 1
MANIFEST = "bundle.json"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        folder: where it lies.
        manifest: what ``bundle.json`` holds.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @staticmethod
    def open(folder: Path) -> Bundle:
        """Return the bundle after checking that every file is there and is what was written.

        Args:
            folder: of the bundle, or of the sweep point that holds it.

        Raises:
            DataError: no bundle, another format version, a missing or a changed file.
        """
        inside = folder / "bundle"
        if not (folder / MANIFEST).is_file() and (inside / MANIFEST).is_file():
            folder = inside
        path = folder / MANIFEST
        if not path.is_file():
            raise DataError(
                f"{folder}: a bundle has a {MANIFEST}, found none. Give the folder of a finished sweep point, or "
                "'bundle' in it."
            )
        manifest = _read_manifest(path)
        problems = []
        for name, digest in manifest["files"].items():
            file = folder / name
            if not file.is_file():
                problems.append(f"{file}: listed in {MANIFEST}, but missing. Copy the whole bundle again.")
            elif sha256(file) != digest:
                problems.append(f"{file}: its content is not what {MANIFEST} says. Copy the bundle again.")
        raise_collected(DataError, problems)
        return Bundle(folder, manifest)

    @cached_property
    def prepared(self) -> Prepared:
        """Schema, plan, codecs and what keys say, as far as sampling needs them."""
        return Prepared(self.folder)

    @property
    def tables(self) -> Sequence[str]:
        """Tables in generation order."""
        tables: Sequence[str] = self.manifest["tables"]
        return tables


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: json expected, found {error}. Copy the bundle again.") from error
    needed = ("format_version", "tables", "files", "sampler", "sampling")
    missing = [key for key in needed if not isinstance(manifest, dict) or key not in manifest]
    if missing:
        raise DataError(f"{path}: no {listing(missing)} in it. Copy the bundle again.")
    if manifest["format_version"] != FORMAT_VERSION:
        raise DataError(
            f"{path}: format_version {FORMAT_VERSION} expected, found {manifest['format_version']!r}. "
            "Sample with the version of tabgraphsyn that wrote the bundle."
        )
    outside = [name for name in manifest["files"] if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise DataError(f"{path}: files of a bundle lie inside it, found {listing(outside)}. Do not use this bundle.")
    return dict(manifest)


def sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def file_hashes(folder: Path) -> dict[str, str]:
    """Return relative path -> hash of every file in a folder, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}
