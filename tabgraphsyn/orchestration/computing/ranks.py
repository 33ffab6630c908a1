"""Several processes for one trained stage: how they find each other, start together, and notice that one is gone.

Rank 0 is the worker: it alone holds the lease, writes and publishes. It opens torch's TCPStore on a port that the
system picks, so no two launches can want the same one, and tells the others through it which stage comes next. The
connection to that store is also how they notice that rank 0 is gone; that another rank is gone shows in the next sum
of gradients.
"""

from __future__ import annotations

import json
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tabgraphsyn.errors import Interrupted, RankLost, StageError
from tabgraphsyn.training.interrupt import InterruptFlag

if TYPE_CHECKING:
    from torch.distributed import Store

MEET_S = 300.0
"""How long the others may take to come: they import torch, and a file may show late on a network file system."""
_TURN_S = 0.1
_NEXT, _READY, _END = "next", "ready", "end"


@dataclass(frozen=True)
class RankPlace:
    """One process among those that train a stage.

    Attributes:
        number: its rank.
        count: how many there are.
        local: its number on its node.
        nodes: over how many nodes they are spread.
    """

    number: int
    count: int
    local: int
    nodes: int = 1


@dataclass(frozen=True)
class RankWork:
    """What rank 0 tells the others to do next.

    Attributes:
        spec: path of the stage's spec.
        attempt: number of rank 0's attempt.
        device: that rank 0 computes on.
        timeout_s: silence after which a rank counts as lost.
    """

    spec: str
    attempt: int
    device: str
    timeout_s: float


class Team(ABC):
    """The ranks of the stages that a worker runs, as rank 0 sees them."""

    count: int = 1

    @abstractmethod
    def together(self, work: RankWork, interrupt: InterruptFlag) -> AbstractContextManager[None]:
        """Return a context in which the ranks form torch's default process group."""

    def dismiss(self) -> None:
        """Tell the other ranks that nothing more comes."""
        return


class NoTeam(Team):
    """One rank only."""

    def together(self, work: RankWork, interrupt: InterruptFlag) -> AbstractContextManager[None]:
        """Nobody to wait for."""
        return nullcontext()


class StoreTeam(Team):
    """Ranks that are connected to a store which this process serves."""

    def __init__(self, store: Store, place: RankPlace, check: Callable[[], None] = lambda: None) -> None:
        self._store, self._place, self._check = store, place, check
        self._announced = 0
        self.count = place.count

    @contextmanager
    def together(self, work: RankWork, interrupt: InterruptFlag) -> Iterator[None]:
        """Announce a stage, wait until everybody is ready, and form the group.

        Raises:
            Interrupted: this rank was asked to stop while it waited.
            RankLost: a rank did not come.
            StageError: a rank has another device.
        """
        number, self._announced = self._announced, self._announced + 1
        self._store.set(f"{_NEXT}/{number}", json.dumps(vars(work)))

        def check() -> None:
            self._check()
            if interrupt.requested:
                raise Interrupted("stopped before it began")

        others = range(1, self.count)
        devices = {_awaited(self._store, f"{_READY}/{number}/{rank}", MEET_S, check) for rank in others}
        if devices != {work.device}:
            raise StageError(
                f"ranks of one stage compute on one kind of device, found {sorted(devices | {work.device})}. Set "
                "resources.<stage>.device=cpu, or ask for GPUs on every node."
            )
        with process_group(self._store, number, self._place, work):
            yield

    def dismiss(self) -> None:
        """Tell the other ranks that nothing more comes."""
        self._store.set(f"{_NEXT}/{self._announced}", _END)


def next_work(store: Store, number: int) -> RankWork | None:
    """Wait for rank 0's next order; None when nothing more comes.

    Raises:
        RankLost: rank 0 is gone.
    """
    text = _awaited(store, f"{_NEXT}/{number}", None)
    return None if text == _END else RankWork(**json.loads(text))


def _awaited(store: Store, key: str, longest_s: float | None, check: Callable[[], None] = lambda: None) -> str:
    """Return the value of a key once it is there; asking again and again notices a closed connection."""
    end = None if longest_s is None else time.monotonic() + longest_s
    try:
        while not store.check([key]):
            check()
            if end is not None and time.monotonic() > end:
                raise RankLost(f"{key}: a rank did not come within {longest_s:.0f} s. See the log of its process.")
            time.sleep(_TURN_S)
        return store.get(key).decode()
    except RuntimeError as error:  # what the store raises when the other end is gone
        raise RankLost(f"the process of rank 0 is gone: {str(error).splitlines()[0]}") from error


def report_ready(store: Store, number: int, place: RankPlace, device: str) -> None:
    """Tell rank 0 that this rank is about to join the group."""
    store.set(f"{_READY}/{number}/{place.number}", device)


@contextmanager
def process_group(store: Store, number: int, place: RankPlace, work: RankWork) -> Iterator[None]:
    """Form torch's default process group for one stage, and dissolve it."""
    import torch
    import torch.distributed as dist

    if work.device != "cpu":
        torch.cuda.set_device(place.local % torch.cuda.device_count())
    if place.nodes == 1 and Path("/sys/class/net/lo").exists():
        # Names of hosts resolve to anything; ranks on one machine need no more than its loopback.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "gloo",
        store=dist.PrefixStore(f"group/{number}", store),
        rank=place.number,
        world_size=place.count,
        timeout=timedelta(seconds=work.timeout_s),
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def serve(place: RankPlace) -> tuple[Store, int]:
    """Open a store for ``place.count`` ranks and return it with its port; ranks on one node stay on its loopback."""
    import torch.distributed as dist

    listener = socket.socket()
    listener.bind(("127.0.0.1" if place.nodes == 1 else "", 0))
    listener.listen(max(64, place.count))
    port = listener.getsockname()[1]
    store = dist.TCPStore(
        "127.0.0.1",
        port,
        is_master=True,
        timeout=timedelta(seconds=MEET_S),
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
    return store, port


def connect(host: str, port: int) -> Store:
    """Return the store that rank 0 serves.

    Raises:
        RankLost: nobody serves there.
    """
    import torch.distributed as dist

    try:
        return dist.TCPStore(host, port, is_master=False, timeout=timedelta(seconds=MEET_S), wait_for_workers=False)
    except RuntimeError as error:
        raise RankLost(f"{host}:{port}: rank 0 does not answer: {str(error).splitlines()[0]}") from error
