"""Checkpoint folders: ``step-<n>/`` with tensor files and a ``state.json`` that vouches for them."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from tabgraphsyn.data.files import folder_written_aside, read_json, sync_folder, write_json
from tabgraphsyn.errors import StageError

KEPT = 2
FORMAT_VERSION = 1

TensorFiles = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint as read: ``tensors[file][name]`` on the CPU, and the plain ``state``."""

    folder: Path
    step: int
    tensors: TensorFiles
    state: Mapping[str, Any]


class _Damaged(Exception):
    """A checkpoint folder that is not what its state.json says."""


def save(folder: Path, step: int, tensors: TensorFiles, state: Mapping[str, Any]) -> Path:
    """Write ``folder/step-<step>`` aside, rename it, drop all but the last two, and return it."""
    target = folder / f"step-{step}"
    with folder_written_aside(target) as aside:
        hashes = {name: _write_tensors(aside / f"{name}.safetensors", content) for name, content in tensors.items()}
        write_json(aside / "state.json", {**state, "format": FORMAT_VERSION, "step": step, "sha256": hashes})
        sync_folder(aside)
    sync_folder(folder)
    for old in _step_folders(folder)[KEPT:]:
        _remove(old)
    return target


def load_latest(folder: Path, log: logging.Logger) -> Checkpoint | None:
    """Return the latest checkpoint that is whole, or None.

    An attempt that was overtaken and does not know it yet may still save: what vanishes meanwhile is not an error.
    Damaged checkpoints and what a killed writer left are logged and removed, so that they never count among the
    two that are kept.
    """
    if not folder.is_dir():
        return None
    for part in folder.glob(".*.part"):
        log.warning("%s: left by a writer that was killed; removed.", part)
        _remove(part)
    found = _step_folders(folder)
    for path in found:
        try:
            return _read(path)
        except _Damaged as damage:
            log.warning("%s: damaged checkpoint (%s); falling back to the one before.", path, damage)
            _remove(path)
    if found:
        log.warning("%s: no whole checkpoint is left; training starts anew.", folder)
    return None


def load_step(folder: Path, step: int) -> Checkpoint:
    """Return the checkpoint of a step, which another rank goes on from.

    Raises:
        StageError: it is not there, or damaged.
    """
    path = folder / f"step-{step}"
    try:
        return _read(path)
    except _Damaged as damage:
        raise StageError(
            f"{path}: rank 0 goes on from this checkpoint and this rank cannot read it ({damage}). "
            "All ranks must see the same folder."
        ) from damage


def _remove(folder: Path) -> None:
    """Remove a folder that another process may be removing or filling too."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise


def _step_folders(folder: Path) -> list[Path]:
    """Return the checkpoint folders, latest first."""
    numbered = [path for path in folder.glob("step-*") if path.name.removeprefix("step-").isdigit()]
    return sorted(numbered, key=lambda path: int(path.name.removeprefix("step-")), reverse=True)


def _write_tensors(path: Path, content: Mapping[str, Tensor]) -> str:
    raw = safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in content.items()})
    with path.open("wb") as handle:
        handle.write(raw)
        handle.flush()
        os.fsync(handle.fileno())
    return hashlib.sha256(raw).hexdigest()


def _read(path: Path) -> Checkpoint:
    try:
        state = read_json(path / "state.json")
        hashes = dict(state["sha256"])
        step = int(state["step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _Damaged(f"state.json: {error!r}") from error
    if state.get("format") != FORMAT_VERSION:
        raise _Damaged(f"state.json: format {state.get('format')!r}, this version reads {FORMAT_VERSION}")
    return Checkpoint(path, step, {name: _read_tensors(path, name, digest) for name, digest in hashes.items()}, state)


def _read_tensors(path: Path, name: str, digest: str) -> dict[str, Tensor]:
    try:
        raw = (path / f"{name}.safetensors").read_bytes()
    except OSError as error:
        raise _Damaged(f"{name}.safetensors: {error!r}") from error
    found = hashlib.sha256(raw).hexdigest()
    if found != digest:
        raise _Damaged(f"{name}.safetensors: sha256 {found[:12]}, state.json says {digest[:12]}")
    return safetensors.torch.load(raw)
