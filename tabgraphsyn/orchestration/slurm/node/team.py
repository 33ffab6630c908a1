"""The ranks of a job's tasks: srun starts them, and they find each other through a file beside the job's list.

Rank and number come from what srun sets for each task. The file names the job, its restart and its step, so what an
earlier run left behind is never taken for this one's.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabgraphsyn.data.files import read_json, write_json
from tabgraphsyn.errors import EXIT_RANK_LOST, RankLost
from tabgraphsyn.orchestration.computing.ranks import MEET_S, RankPlace, StoreTeam, Team, connect, serve

_TURN_S = 0.2


def seat_of_task() -> RankPlace:
    """Return which of its job's tasks this process is."""
    number, count, local, nodes = (
        int(os.environ.get(name) or default)
        for name, default in (("SLURM_PROCID", 0), ("SLURM_NTASKS", 1), ("SLURM_LOCALID", 0), ("SLURM_NNODES", 1))
    )
    return RankPlace(number, count, local, nodes)


def address_path(list_file: Path) -> Path:
    """Return where rank 0 of this step says how to reach it."""
    parts = [os.environ.get(name) or "0" for name in ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SLURM_STEP_ID")]
    return list_file.with_name(f".ranks-{'-'.join(parts)}.json")


@contextmanager
def gathered(list_file: Path, place: RankPlace) -> Iterator[Team | None]:
    """Yield the team of rank 0, or None for a job of one task; at the end the others are told to leave."""
    if place.count == 1:
        yield None
        return
    store, port = serve(place)
    path = address_path(list_file)
    write_json(path, {"host": "127.0.0.1" if place.nodes == 1 else socket.gethostname(), "port": port})
    team = StoreTeam(store, place)
    try:
        yield team
    finally:
        team.dismiss()
        path.unlink(missing_ok=True)


def follow_first(list_file: Path, place: RankPlace) -> int:
    """Do what rank 0 orders; return the exit code of a task that is not rank 0."""
    from tabgraphsyn.orchestration.computing.follower import follow

    path = address_path(list_file)
    end = time.monotonic() + MEET_S
    while not path.exists():
        if time.monotonic() > end:
            print(f"rank {place.number}: rank 0 did not say in {MEET_S:.0f} s where it is ({path})", file=sys.stderr)
            return EXIT_RANK_LOST
        time.sleep(_TURN_S)
    try:
        address = read_json(path)
        return follow(connect(address["host"], address["port"]), place)
    except RankLost as error:
        print(f"rank {place.number}: {error}", file=sys.stderr)
        return EXIT_RANK_LOST
