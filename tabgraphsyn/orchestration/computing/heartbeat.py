"""What stops a stage: signals, and a later attempt that took it over, which the heartbeat of its lease finds out."""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType
from typing import Self

from tabgraphsyn.errors import Interrupted
from tabgraphsyn.orchestration.stored.lease import Lease
from tabgraphsyn.training.interrupt import SignalFlag


class StopFlag(SignalFlag):
    """A signal flag; a stage that never reads it is stopped at once by an exception."""

    def __init__(self, *, raises: bool) -> None:
        super().__init__()
        self.raises = raises
        self.lease: Lease | None = None

    @property
    def overtaken(self) -> bool:
        """True once a later attempt holds the stage: asked of the file system, not of the last heartbeat."""
        return self.lease is not None and not self.lease.is_held()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        super()._receive(number, frame)
        if self.raises:
            self.raises = False
            raise Interrupted(f"stopped by {self.signal_name}")


class Heartbeat:
    """Beats while the stage runs; asks this process to stop when a later attempt took the stage over."""

    def __init__(self, lease: Lease, interval_s: float) -> None:
        self._lease = lease
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self.is_fenced = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        log = logging.getLogger("tabgraphsyn")
        while not self._stopped.wait(self._interval_s):
            try:
                self._lease.beat()
                held = self._lease.is_held()
            except OSError as error:
                log.warning("heartbeat: %s", error)
                continue
            if not held:
                self.is_fenced = True
                log.warning("a later attempt took this stage over: stopping")
                os.kill(os.getpid(), signal.SIGTERM)
                return
