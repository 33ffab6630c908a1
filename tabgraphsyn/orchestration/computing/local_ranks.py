"""The ranks of a stage on one machine: the worker starts the others itself."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tabgraphsyn.errors import RankLost, StageError
from tabgraphsyn.orchestration.computing.ranks import RankPlace, RankWork, StoreTeam, Team, serve
from tabgraphsyn.training.interrupt import InterruptFlag

_LEAVE_S = 20.0


class LocalTeam(Team):
    """Starts the other ranks for a stage, and sees that they are gone when it ends."""

    def __init__(self, count: int) -> None:
        self.count = count

    @contextmanager
    def together(self, work: RankWork, interrupt: InterruptFlag) -> Iterator[None]:
        """Start the ranks and form the group."""
        _require_gpus(work.device, self.count)
        place = RankPlace(0, self.count, 0)
        store, port = serve(place)
        processes = [self._started(port, rank) for rank in range(1, self.count)]
        team = StoreTeam(store, place, lambda: _require_alive(processes))
        try:
            with team.together(work, interrupt):
                yield
        finally:
            team.dismiss()
            _end(processes)

    def _started(self, port: int, rank: int) -> subprocess.Popen[bytes]:
        module = "tabgraphsyn.orchestration.computing.follower"
        command = [sys.executable, "-m", module, "127.0.0.1", str(port), str(rank), str(self.count)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def _require_gpus(device: str, count: int) -> None:
    if device == "cpu":
        return
    import torch

    found = torch.cuda.device_count()
    if found < count:
        raise StageError(
            f"tasks_per_node: {count} ranks on GPUs need {count} of them, found {found}. Set cluster.gpus, "
            "resources.<stage>.tasks_per_node or resources.<stage>.device=cpu."
        )


def _require_alive(processes: list[subprocess.Popen[bytes]]) -> None:
    for rank, process in enumerate(processes, 1):
        if process.poll() is not None:
            raise RankLost(f"rank {rank} ended with exit code {process.returncode} before it was ready. See the log.")


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait for the ranks, which leave by themselves; kill one that does not."""
    end = time.monotonic() + _LEAVE_S
    for rank, process in enumerate(processes, 1):
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            logging.getLogger("tabgraphsyn").warning("rank %d did not leave in %.0f s: killed", rank, _LEAVE_S)
            process.kill()
            process.wait()
