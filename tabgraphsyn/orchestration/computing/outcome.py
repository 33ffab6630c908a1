"""How an attempt ended: what ``done.json`` says of how it was computed; the exit code and the line for a user."""

from __future__ import annotations

import errno
import resource
import sys
import time
from pathlib import Path
from typing import Any

from tabgraphsyn.errors import EXIT_INTERRUPTED, EXIT_STAGE, Interrupted, RankLost, TabGraphSynError
from tabgraphsyn.orchestration.code.snapshot import accelerator, library_versions, machine_class, running_code
from tabgraphsyn.orchestration.code.stage_code import STAGE, stage_code
from tabgraphsyn.orchestration.planning.spec import Spec
from tabgraphsyn.stages.context import StageContext


def manifest(spec: Spec, folder: Path, context: StageContext, started: float, cpu: float) -> dict[str, Any]:
    """Return what ``done.json`` says of a stage beside its files.

    Args:
        spec: of the stage.
        folder: of the stage.
        context: what it ran in.
        started: when, in seconds since 1970.
        cpu: seconds of the processor that this process had taken by then.
    """
    return {
        "stage": spec.stage,
        "table": spec.table,
        "signature": folder.name,
        "version": spec.version,
        "inputs": dict(spec.inputs),
        "started": round(started, 3),
        "elapsed_s": round(time.time() - started, 3),
        "cpu_s": round(time.process_time() - cpu, 3),
        "peak_memory_mb": round(_peak_memory_mb(), 1),
        "device": context.resources.device,
        "threads": context.resources.threads,
        "code": {**running_code(spec.runtime.code), STAGE: stage_code(spec.runtime.module, spec.config)},
        "libraries": library_versions(),
        "machine": {**machine_class(), **({} if (gpu := accelerator()) is None else {"accelerator": gpu})},
    }


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def ending(error: BaseException, is_fenced: bool) -> tuple[int, str, str]:
    """Return exit code, outcome and the line a user reads; ``is_fenced``: a later attempt took the stage over."""
    if is_fenced:
        return EXIT_INTERRUPTED, "fenced", "a later attempt took the stage over"
    if isinstance(error, Interrupted | KeyboardInterrupt):
        return EXIT_INTERRUPTED, "interrupted", str(error) or "stopped by the keyboard"
    if isinstance(error, RankLost):
        return error.exit_code, "interrupted", str(error)
    if isinstance(error, TabGraphSynError):
        return error.exit_code, "failed", str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        where = f" while writing {error.filename!r}" if error.filename else ""
        return EXIT_STAGE, "failed", f"disk: {error.strerror}{where}. Free space, then launch again."
    if isinstance(error, MemoryError):
        return (
            EXIT_STAGE,
            "failed",
            "memory: this stage needs more than there is. Run fewer workers or smaller batches.",
        )
    text = str(error).strip() or "no message"
    return EXIT_STAGE, "failed", f"{type(error).__name__}: {text}"
