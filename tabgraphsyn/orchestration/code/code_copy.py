"""A copy of the package as it is at launch, that queued jobs run from: editing a checkout must not change them.

Submitted jobs start hours later and import the code by name; whatever a checkout holds by then would run, half of a
sweep with one version and half with another. A launch from a checkout therefore copies the package and its yaml files
once per version to ``<output_dir>/slurm/code/<hash of all files>/``. A package that pip installed is not edited in
place, so it is not copied. A job that launches (the next trial of a study) runs from such a copy; so do its own jobs.

Whoever may write there could make somebody else run other code, so a copy belongs to the user whose jobs run it, nobody
else may write to it, and it is held against its hash at every launch and by every job before it is imported.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from functools import cache
from pathlib import Path

import tabgraphsyn
from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.code.tree_digest import tree_digest
from tabgraphsyn.orchestration.stored.sharing import is_shared

SNAPSHOT = "snapshot"
_FOLDER = "code"
_DIGITS = 16
_FOLDERS = ("tabgraphsyn", "conf")  # as they lie in a checkout: config_dir() finds the second beside the first
_LEFT_OUT = ("__pycache__", "*.pyc", ".*")


def is_checkout() -> bool:
    """Return True if the package is imported from a place where people edit it."""
    return (_root() / "pyproject.toml").is_file() and not (_package() / "conf").is_dir()


def copy_path(slurm_folder: Path) -> Path | None:
    """Return where this user's copy stands or would stand; None where nobody edits the package."""
    if _root().parent == (slurm_folder / _FOLDER).resolve():
        return slurm_folder / _FOLDER / _root().name
    if not is_checkout():
        return None
    path = slurm_folder / _FOLDER / _digest()[:_DIGITS]
    # What another user copied is as good, but it is theirs to change.
    return path if _is_own(path) else path.with_name(f"{path.name}-{os.geteuid()}")


def code_copy(slurm_folder: Path) -> Path | None:
    """Return the folder to import the package from, copied unless it stands; None where nobody edits the package.

    A copy that is not what its name says is made anew.

    Raises:
        StageError: the checkout changed while it was copied, or what stands in the way is another user's.
    """
    target = copy_path(slurm_folder)
    if target is None:
        return None
    if not target.is_dir() or not _is_true(target):
        _make(target, slurm_folder)
    return target


def copy_digest() -> str:
    """Return the hash of all that lies in a true copy: one file more, and python would import it too."""
    return tree_digest(str(_root()), only=_FOLDERS, left_out=_LEFT_OUT)


def held_digest(copy: Path) -> str:
    """Return the hash of all that lies in a copy, which an earlier launch may have made.

    Raises:
        StageError: it is not what its name says.
    """
    try:
        found = tree_digest(str(copy))
    except (OSError, ValueError) as error:
        found = str(error)
    if found[:_DIGITS] != copy.name[:_DIGITS]:
        raise StageError(f"{copy}: this copy of the code was changed since it was made. Launch the campaign again.")
    return found


def _is_true(copy: Path) -> bool:
    try:
        return tree_digest(str(copy)) == _digest()
    except (OSError, ValueError):
        return False


def _make(target: Path, slurm_folder: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        _copy(aside, shared=is_shared(slurm_folder))
        if not _is_true(aside):
            raise StageError(f"{_root()}: the code changed while it was copied. Launch again.")
        _put(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _copy(folder: Path, *, shared: bool) -> None:
    """Copy the code; nobody may change the files, and only their owner the folders, whatever the umask."""
    leave = shutil.ignore_patterns(*_LEFT_OUT)
    for name in _FOLDERS:
        shutil.copytree(_root() / name, folder / name, ignore=leave, copy_function=shutil.copyfile)
    group = stat.S_IRGRP if shared else 0
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(stat.S_IRWXU | group | (stat.S_IXGRP if shared else 0))
        for name in names:
            (Path(parent) / name).chmod(stat.S_IRUSR | group)


def _put(aside: Path, target: Path) -> None:
    """Rename a copy into place. Of two launches one does; the other finds a folder of the same content."""
    if target.is_dir() and not _is_true(target):
        try:
            shutil.rmtree(target.rename(target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.damaged")))
        except OSError as error:
            raise StageError(
                f"{target}: this copy of the code was changed, and it cannot be replaced ({error}). Remove it."
            ) from error
    if not target.is_dir():
        aside.rename(target)


def _is_own(path: Path) -> bool:
    return not path.exists() or path.stat().st_uid in (os.geteuid(), 0)


def _package() -> Path:
    return Path(tabgraphsyn.__file__).resolve().parent


def _root() -> Path:
    return _package().parent


@cache
def _digest() -> str:
    """Return the hash of the code that this process runs: of what it was when it was first asked."""
    return copy_digest()
