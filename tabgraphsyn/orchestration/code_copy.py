"""A copy of the package as it is at launch, that queued jobs run from: editing a checkout must not change them.

Submitted jobs start hours later and import the code by name; whatever a checkout holds by then would run, half of a
sweep with one version and half with another. A launch from a checkout therefore copies the package once per version
to ``<output_dir>/slurm/code/<hash of the sources>/``: every launch and every user of the store whose sources are the
same shares it. A package that pip installed is not edited in place, so it is not copied.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import tabgraphsyn
from tabgraphsyn.orchestration.snapshot import source_hash

SNAPSHOT = "snapshot"
_FOLDER = "code"
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def is_checkout() -> bool:
    """Return True if the package is imported from a place where people edit it."""
    package = Path(tabgraphsyn.__file__).resolve().parent
    return (package.parent / "pyproject.toml").is_file() and not (package / "conf").is_dir()


def copy_path(slurm_folder: Path) -> Path | None:
    """Return where the copy stands or would stand; None where nobody edits the package."""
    return slurm_folder / _FOLDER / source_hash() if is_checkout() else None


def code_copy(slurm_folder: Path) -> Path | None:
    """Return the folder to import the package from, copied unless it stands; None where nobody edits the package."""
    package = Path(tabgraphsyn.__file__).resolve().parent
    target = copy_path(slurm_folder)
    if target is not None and not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            shutil.copytree(package, aside / package.name, ignore=_LEFT_OUT, copy_function=shutil.copyfile)
            # Of two launches one renames; the other finds a folder of the same content.
            if not target.is_dir():
                aside.rename(target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return target
