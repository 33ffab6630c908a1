"""Which code made a result: the git commit with a hash of local changes, or the package's version."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import tabgraphsyn

_LIBRARIES = ("torch", "numpy", "pandas", "pyarrow", "sklearn", "sdmetrics", "xgboost")


def code_version() -> dict[str, str]:
    """Return ``{"package": "0.1.0", "commit": ..., "changes": ...}``; the last two in a git checkout only."""
    version = {"package": tabgraphsyn.__version__}
    checkout = Path(tabgraphsyn.__file__).resolve().parent.parent
    if not (checkout / ".git").exists():
        return version
    commit = _git(checkout, "rev-parse", "HEAD")
    if commit is None:
        return version
    changes = _git(checkout, "diff", "HEAD", "--", "tabgraphsyn", "conf")
    version["commit"] = commit.strip()
    if changes:
        version["changes"] = hashlib.sha256(changes.encode()).hexdigest()[:12]
    return version


def _git(checkout: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def library_versions() -> dict[str, str]:
    """Return the versions of python and of the numeric libraries that this process has loaded."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        module = sys.modules.get(name)
        found = getattr(module, "__version__", None) if module is not None else None
        if found is not None:
            versions[name] = str(found)
    return versions


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
