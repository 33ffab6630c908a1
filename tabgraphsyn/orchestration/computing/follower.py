"""A rank other than 0: computes its part of every training step and writes nothing.

``python -m tabgraphsyn.orchestration.computing.follower HOST PORT RANK COUNT`` is started by the worker on the same
machine; on Slurm srun starts the ranks, and ``slurm/node/element.py`` calls ``follow``.

Exit codes: 0 whatever rank 0 decided (its own code tells), 3 and 76 if this rank failed or lost the others.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabgraphsyn.errors import EXIT_DONE, EXIT_RANK_LOST, EXIT_STAGE, Interrupted, RankLost, TabGraphSynError
from tabgraphsyn.orchestration.computing import compute
from tabgraphsyn.orchestration.computing.attempt_log import attempt_log
from tabgraphsyn.orchestration.computing.ranks import (
    RankPlace,
    RankWork,
    connect,
    next_work,
    process_group,
    report_ready,
)
from tabgraphsyn.orchestration.planning.spec import load_spec
from tabgraphsyn.orchestration.stored import store
from tabgraphsyn.stages.context import StageContext
from tabgraphsyn.tracking.none import NoTracker
from tabgraphsyn.training.interrupt import InterruptFlag, SignalFlag

if TYPE_CHECKING:
    from torch.distributed import Store


@dataclass(frozen=True)
class FollowerContext(StageContext):
    """A stage context of a rank that has nothing to write: reaching for artifacts ends its part."""

    @property
    def artifacts(self) -> Path:
        """Raise: what comes now is rank 0's work."""
        from tabgraphsyn.training.ranks import RankFinished

        raise RankFinished


def follow(opened: Store, place: RankPlace) -> int:
    """Do what rank 0 orders until nothing more comes; return the exit code."""
    number = 0
    while True:
        try:
            work = next_work(opened, number)
        except RankLost as error:
            print(f"rank {place.number}: {error}", file=sys.stderr)
            return EXIT_RANK_LOST
        if work is None:
            return EXIT_DONE
        code = _take_part(opened, number, place, work)
        if code != EXIT_DONE:
            return code
        number += 1


def _take_part(opened: Store, number: int, place: RankPlace, work: RankWork) -> int:
    folder = Path(work.spec).parent.resolve()
    with SignalFlag() as flag, attempt_log(folder, work.attempt, capture=True):
        log = logging.getLogger(f"tabgraphsyn.rank{place.number}")
        log.setLevel(logging.WARNING)  # what rank 0 does too, it says
        from tabgraphsyn.training.ranks import RankFinished

        try:
            context = _context(folder, work, flag, log)
            report_ready(opened, number, place, context.resources.device)
            with process_group(opened, number, place, work):
                importlib.import_module(load_spec(folder / store.SPEC).runtime.module).run(context)
        except (RankFinished, Interrupted):
            return EXIT_DONE
        except RankLost as error:
            log.warning("rank %d leaves: %s", place.number, error)
            return EXIT_RANK_LOST
        except TabGraphSynError as error:
            log.error("rank %d: %s", place.number, error)
            return error.exit_code
        except Exception:
            log.exception("rank %d failed", place.number)
            return EXIT_STAGE
    return EXIT_DONE


def _context(folder: Path, work: RankWork, flag: InterruptFlag, log: logging.Logger) -> FollowerContext:
    spec = load_spec(folder / store.SPEC)
    compute.settle_threads(spec.runtime.threads)
    importlib.import_module(spec.runtime.module)
    compute.settle_threads(spec.runtime.threads)
    # Rank 0 has held the inputs against their hashes.
    inputs = store.checked_inputs(store.Store(folder.parents[1]), spec.inputs, 0.0)
    return FollowerContext(
        stage=spec.stage,
        table=spec.table,
        signature=folder.name,
        folder=folder,
        config=spec.config,
        inputs=inputs,
        resources=compute.resources(spec.runtime.threads, spec.runtime.device),
        tracker=NoTracker(),
        interrupt=flag,
        allow_targets=spec.runtime.allow_targets,
        log=log,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow the rank 0 that the command line names."""
    host, port, rank, count = sys.argv[1:] if arguments is None else arguments
    try:
        return follow(connect(host, int(port)), RankPlace(int(rank), int(count), int(rank)))
    except RankLost as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    from tabgraphsyn.orchestration.computing.follower import main as _main

    sys.exit(_main())
