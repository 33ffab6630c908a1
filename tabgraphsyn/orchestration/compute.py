"""Which device and how many threads this process has, and how its libraries are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tabgraphsyn.errors import StageError
from tabgraphsyn.stages.context import Resources

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def cpu_count() -> int:
    """Return the cores this process may use (a scheduler may have given it fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the names of GPUs as ``CUDA_VISIBLE_DEVICES`` takes them: numbers, or ids of GPUs or MIG parts."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() and name.strip() != "-1"]
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    listed = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=30, check=False)
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.stdout.splitlines()))]


def limit_threads(threads: int) -> None:
    """Tell every numeric library how many threads to use: by variable if not yet imported, else by its own call."""
    for name in _THREAD_VARIABLES:
        os.environ[name] = str(threads)
    if "numpy" in sys.modules or "torch" in sys.modules:
        import threadpoolctl

        threadpoolctl.threadpool_limits(limits=threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].set_cpu_count(threads)


def resolve_device(wanted: str) -> str:
    """Return ``cpu`` or ``cuda``.

    Raises:
        StageError: ``cuda`` is wanted and there is none.
    """
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise StageError(
            "device: cuda is wanted and torch finds no GPU here. Set resources.<stage>.device=auto or cpu."
        )
    return "cpu"


def resources(threads: int, device: str) -> Resources:
    """Return what a stage on this machine has."""
    return Resources(device=resolve_device(device), threads=threads)
