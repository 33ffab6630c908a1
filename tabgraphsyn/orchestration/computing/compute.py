"""Which device and how many threads this process has, and how its libraries are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
    listed = subprocess.run([command, "-L"], capture_output=True, text=True, errors="replace", timeout=30, check=False)
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.stdout.splitlines()))]


def settle_threads(threads: int) -> None:
    """Let every numeric library compute on one thread, and files be read by ``threads``.

    A sum over several threads is rounded as their number has it, and results must not depend on how many cores there
    are. What a stage is given more threads for, it cuts into pieces that are the same on every machine and runs side by
    side: pieces of a sample, folds and columns of an evaluation.
    """
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"
    if "numpy" in sys.modules or "torch" in sys.modules:
        import threadpoolctl

        threadpoolctl.threadpool_limits(limits=1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].set_cpu_count(threads)


@contextmanager
def arithmetic_on_one_thread() -> Iterator[None]:
    """Compute as stages do while the block runs; this process's own settings come back afterwards."""
    import threadpoolctl
    import torch

    former = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpoolctl.threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(former)


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
