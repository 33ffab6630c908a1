"""Which code made a result: the git commit with a hash of local changes, or the package's version."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import tabgraphsyn

_SOURCES = frozenset({".py", ".j2", ".js", ".css", ".html"})
_VECTORS = ("sve", "asimd", "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
_LIBRARIES = ("torch", "numpy", "pandas", "pyarrow", "sklearn", "sdmetrics", "xgboost")


def code_version() -> dict[str, str]:
    """Return ``{"package": "0.1.0", "source": ..., "commit": ..., "changes": ...}``.

    ``source`` is the hash of the package's own files; ``commit`` and ``changes`` (hash of what differs from it) are
    there in a git checkout only.
    """
    version = {"package": tabgraphsyn.__version__, "source": source_hash()}
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


@cache
def source_hash() -> str:
    """Return the hash of the package's code: names and contents of its python files and templates."""
    package = Path(tabgraphsyn.__file__).resolve().parent
    digest = hashlib.sha256()
    paths = (Path(parent) / name for parent, _, names in os.walk(package) for name in names)
    for path in sorted(path for path in paths if path.suffix in _SOURCES):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def running_code(planned: Mapping[str, str]) -> dict[str, str]:
    """Return the version that this process runs, given the one that the plan was made with.

    Where they differ, what was planned stands under ``planned``: a stage that was queued while its code was edited.
    """
    if planned.get("source") in (None, source_hash()):
        return dict(planned)
    return {**code_version(), "planned": str(planned["source"])}


def _git(checkout: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def machine_class() -> dict[str, str]:
    """Return what decides how arithmetic rounds on this machine, and names neither the machine nor its user.

    Matrix libraries choose their kernels by vendor and vector instructions: equal ones give equal bits.
    """
    found = {"system": platform.system(), "architecture": platform.machine(), "vendor": "", "vectors": ""}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set(said.get("flags", said.get("Features", "")).split())
    found["vendor"] = said.get("vendor_id", said.get("CPU implementer", ""))
    found["vectors"] = " ".join(name for name in _VECTORS if name in flags)
    return found


def accelerator() -> str | None:
    """Return the name of the GPU that this process computed on, or None."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return str(torch.cuda.get_device_name())


def library_versions() -> dict[str, str]:
    """Return the versions of python and of the numeric libraries that this process has loaded."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        module = sys.modules.get(name)
        found = getattr(module, "__version__", None) if module is not None else None
        if found is not None:
            versions[name] = str(found)
    return versions
