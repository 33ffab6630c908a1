"""The store of results: one folder a stage, and what makes it true.

A stage is done when ``done.json`` exists and what it lists is there. An attempt writes to ``.artifacts-<n>/``, lists
sizes and hashes in a ``manifest.json`` inside, and publishes by renaming the folder to ``artifacts/``: one atomic step
that only one attempt can make. ``done.json`` is the copy of that manifest, written last. A kill in between leaves a
manifest from which ``recover`` finishes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import file_sha256, sync_folder, write_json
from tabgraphsyn.data.untrusted import decoded, plain_bytes
from tabgraphsyn.errors import DataError, StageError, listing
from tabgraphsyn.orchestration.stored.lease import Attempt, Lease, latest_attempt
from tabgraphsyn.orchestration.stored.packed import unpack
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, STAGE_ID, DoneForm
from tabgraphsyn.orchestration.stored.sharing import seal, user_name

ARTIFACTS = "artifacts"
CHECKPOINTS = "checkpoints"
DONE = "done.json"
MANIFEST = "manifest.json"
SPEC = "spec.json"

_STAGE_ID = re.compile(STAGE_ID)


class State(StrEnum):
    """What a stage folder says."""

    MISSING = "missing"
    RESUMABLE = "resumable"
    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Output:
    """Size and hash of one published file."""

    bytes: int
    sha256: str


class Store:
    """``<output_dir>/stages``: folders ``<kind>/<signature>``."""

    def __init__(self, root: Path, lease_timeout_s: float = 60.0) -> None:
        self.root = root
        self.lease_timeout_s = lease_timeout_s

    def folder(self, stage_id: str) -> Path:
        """Return the folder of ``kind/signature``."""
        if not is_stage_id(stage_id):
            raise StageError(f"{stage_id!r}: the id of a stage is kind/signature. Launch again.")
        return self.root / stage_id

    def artifacts(self, stage_id: str) -> Path:
        """Return the published results of ``kind/signature``."""
        return self.folder(stage_id) / ARTIFACTS

    def done(self, stage_id: str) -> dict[str, Any] | None:
        """Return the manifest of a done stage, or None; sizes of all outputs are checked."""
        return done_manifest(self.folder(stage_id))

    def state(self, stage_id: str) -> State:
        """Return what the folder of a stage says."""
        return self.state_and_attempt(stage_id)[0]

    def state_and_attempt(self, stage_id: str) -> tuple[State, Attempt | None]:
        """Return what the folder of a stage says, and its last attempt."""
        folder = self.folder(stage_id)
        attempt = latest_attempt(folder)
        if done_manifest(folder) is not None:
            return State.DONE, attempt
        if attempt is None:
            return State.MISSING, None
        if attempt.is_running(self.lease_timeout_s, self._now()):
            return State.RUNNING, attempt
        return (State.FAILED if attempt.outcome == "failed" else State.RESUMABLE), attempt

    def _now(self) -> float:
        """Return the time by the clock of the file system, which heartbeats are in."""
        return time.time() + self._clock_offset

    @cached_property
    def _clock_offset(self) -> float:
        """How far the file system's clock is ahead of this machine's, in seconds; 0 where nothing can be written."""
        try:
            with tempfile.TemporaryFile(dir=self.root) as probe:
                return os.fstat(probe.fileno()).st_mtime - time.time()
        except OSError:
            return 0.0

    def standing(self, kind: str) -> frozenset[str]:
        """Return the signatures of a kind that have a folder: one call, where a look at each would be thousands."""
        folder = self.root / kind
        return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()

    def stage_ids(self) -> Iterator[str]:
        """Yield the ids of all stage folders; a link is no stage of this store."""
        if not self.root.is_dir():
            return
        for kind in sorted(entry for entry in self.root.iterdir() if entry.is_dir() and not entry.is_symlink()):
            for folder in sorted(kind.iterdir()):
                stage_id = f"{kind.name}/{folder.name}"
                if not folder.is_symlink() and _is_stage(folder) and is_stage_id(stage_id):
                    yield stage_id


def _is_stage(folder: Path) -> bool:
    """Return whether a folder is a stage's: one whose records are packed has no file of its spec."""
    return (folder / SPEC).is_file() or (folder / DONE).is_file()


def is_stage_id(text: str) -> bool:
    """Return whether a text is ``kind/signature``, and with that two parts of a path that stay below the store."""
    return _STAGE_ID.fullmatch(text) is not None


def done_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what ``done.json`` says if it is whole and every output has its size, else None."""
    manifest = _readable(folder / DONE)
    if manifest is None or size_problems(folder, manifest):
        return None
    return manifest


def _readable(path: Path) -> dict[str, Any] | None:
    """Return a manifest, or None where there is no whole one."""
    try:
        raw = plain_bytes(path, MOST_RECORD_BYTES)
        decoded(raw, DoneForm, str(path))
    except DataError:
        return None
    manifest: dict[str, Any] = json.loads(raw)
    return manifest


def outputs_of(manifest: Mapping[str, Any]) -> dict[str, Output]:
    """Return the published files of a manifest, by path under ``artifacts/``."""
    return {path: Output(int(entry["bytes"]), str(entry["sha256"])) for path, entry in manifest["outputs"].items()}


def size_problems(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return a line for each output that is missing or has another size than the manifest says."""
    problems = []
    for path, output in outputs_of(manifest).items():
        try:
            standing = (folder / ARTIFACTS / path).lstat()
        except (OSError, ValueError):
            problems.append(f"{folder.name}/{path}: is missing.")
            continue
        if not stat.S_ISREG(standing.st_mode):
            problems.append(f"{folder.name}/{path}: a plain file published, found a link or a special file.")
            continue
        found = standing.st_size
        if found != output.bytes:
            problems.append(f"{folder.name}/{path}: {output.bytes} bytes published, {found} found.")
    return problems


def publishers(folder: Path, manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return the users that the published files of a stage belong to, by path under ``artifacts/``."""
    return {path: (folder / ARTIFACTS / path).stat().st_uid for path in outputs_of(manifest)}


def owner_problems(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return a line for each published file that is not its publisher's: one attempt writes all of a stage's files.

    In a shared store others of the group can replace a file, and its hash in ``done.json``, but not its owner.
    """
    found = publishers(folder, manifest)
    # The manifest was written by the attempt itself, and renamed together with its files.
    own = folder / ARTIFACTS / MANIFEST
    publisher = own.stat().st_uid if own.exists() else next(iter(found.values()), None)
    return [
        f"{folder.name}/{path}: belongs to {user_name(owner)}, the stage was published by {user_name(publisher)}."
        for path, owner in found.items()
        if publisher is not None and owner != publisher
    ]


def hash_problems(folder: Path, manifest: Mapping[str, Any], up_to_bytes: float = float("inf")) -> list[str]:
    """Return a line for each output of up to ``up_to_bytes`` whose content is not what was published."""
    problems = size_problems(folder, manifest) or owner_problems(folder, manifest)
    if problems:
        return problems
    for path, output in outputs_of(manifest).items():
        if output.bytes <= up_to_bytes and file_sha256(folder / ARTIFACTS / path) != output.sha256:
            problems.append(f"{folder.name}/{path}: the content is not what was published.")
    return problems


def done_file_problems(folder: Path) -> list[str] | None:
    """Return what is wrong with a published stage, every hash recomputed; None if it was never published."""
    if not (folder / DONE).exists():
        return None
    manifest = _readable(folder / DONE)
    return [f"{folder.name}: {DONE} cannot be read."] if manifest is None else hash_problems(folder, manifest)


def hashed_outputs(artifacts: Path) -> dict[str, dict[str, Any]]:
    """Return size and hash of every file under ``artifacts``, by relative path.

    Raises:
        StageError: something that is not a plain file, because its content is not in the folder.
    """
    outputs: dict[str, dict[str, Any]] = {}
    for parent, folders, names in os.walk(artifacts):
        folders.sort()
        for name in sorted([*names, *(folder for folder in folders if (Path(parent) / folder).is_symlink())]):
            path = Path(parent) / name
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                raise StageError(f"{path}: artifacts are plain files, found a link or a special file.")
            outputs[path.relative_to(artifacts).as_posix()] = {"bytes": found.st_size, "sha256": file_sha256(path)}
    return outputs


def working_artifacts(folder: Path, attempt: int) -> Path:
    """Return the folder that an attempt writes its results to before they are published."""
    return folder / f".artifacts-{attempt}"


def clear_leftovers(folder: Path, attempt: int) -> None:
    """Remove what earlier attempts wrote and did not publish, and make this attempt's empty folder."""
    for leftover in folder.glob(".artifacts-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    working_artifacts(folder, attempt).mkdir()


def clear_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a done stage: nothing reads them any more, and they are larger than its results."""
    if (folder / CHECKPOINTS).is_dir():
        shutil.rmtree(folder / CHECKPOINTS)


def publish(lease: Lease, manifest: Mapping[str, Any]) -> None:
    """Publish what an attempt wrote; afterwards the stage is done.

    Raises:
        StageError: a later attempt holds the stage, or another one published it.
    """
    working = working_artifacts(lease.folder, lease.number)
    whole = {**manifest, "attempt": lease.number, "outputs": hashed_outputs(working)}
    write_json(working / MANIFEST, whole)
    output_dir = lease.folder.parents[2]
    seal(working, output_dir)
    if not lease.is_held():
        raise StageError(f"{lease.folder}: attempt {lease.number} was overtaken by a later one and must not publish.")
    target = lease.folder / ARTIFACTS
    try:
        working.rename(target)
    except OSError as error:
        raise StageError(
            f"{lease.folder}: attempt {lease.number} found {target.name!r} published ({error})."
        ) from error
    sync_folder(lease.folder)
    _write_done(lease.folder, whole)


def _write_done(folder: Path, manifest: Mapping[str, Any]) -> None:
    write_json(folder / DONE, manifest)
    seal(folder / DONE, folder.parents[2])


def recover(folder: Path) -> bool:
    """Finish a publication that was cut off after its rename; return True if the stage is done.

    Published files that are not true to their manifest are moved away, so that the stage can run again.
    """
    if done_manifest(folder) is not None:
        return True
    artifacts = folder / ARTIFACTS
    if not artifacts.exists():
        return False
    manifest = _readable(artifacts / MANIFEST)
    if manifest is not None and not hash_problems(folder, manifest):
        _write_done(folder, manifest)
        return True
    discard(folder)
    return False


def discard(folder: Path) -> None:
    """Take back a stage's publication: the marker first, so that no reader finds it true and empty.

    What its attempts left is none of it: the next one goes on counting.
    """
    with suppress(OSError, DataError, KeyError, ValueError, TypeError, OverflowError):  # no record: it counts from one
        unpack(folder)
    (folder / DONE).unlink(missing_ok=True)
    artifacts = folder / ARTIFACTS
    if artifacts.exists():
        aside = folder / f".damaged-{uuid.uuid4().hex[:8]}"
        artifacts.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def checked_inputs(store: Store, inputs: Mapping[str, str], verify_mb: float) -> dict[str, Path]:
    """Return role -> artifacts folder, having held every input against its manifest.

    Raises:
        StageError: an input that is not done, or not what was published.
    """
    problems = []
    for role, stage_id in inputs.items():
        folder = store.folder(stage_id)
        manifest = _readable(folder / DONE)
        found = (
            [f"{folder} has no whole {DONE}."] if manifest is None else hash_problems(folder, manifest, verify_mb * 1e6)
        )
        problems += [f"input {role!r}: {text}" for text in found]
    if problems:
        advice = "Run `tabgraphsyn verify --repair`, then launch again."
        raise StageError(f"{len(problems)} inputs are not true: {listing(problems)}. {advice}")
    return {role: store.artifacts(stage_id) for role, stage_id in inputs.items()}


def write_spec(folder: Path, spec: Mapping[str, Any]) -> Path:
    """Write what a worker needs to run a stage, and return its path."""
    path = folder / SPEC
    write_json(path, spec)
    return path
