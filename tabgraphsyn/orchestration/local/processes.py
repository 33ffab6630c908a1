"""Worker processes of the local runner: started fresh, or forked from a process that imported the libraries once.

Importing torch costs two to four seconds a process; a fork costs some hundredths of a second. The fork server imports
and never computes, so no thread pool and no GPU context exists when it forks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType
from typing import Any

from tabgraphsyn.errors import EXIT_STAGE
from tabgraphsyn.orchestration.computing.captured_output import redirect_output
from tabgraphsyn.orchestration.stored.trust import VARIABLE


class WorkerProcess(ABC):
    """One running worker."""

    pid: int

    @abstractmethod
    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it is gone."""
        if self.exit_code() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class WorkerPool(ABC):
    """Starts workers."""

    @abstractmethod
    def start(self, spec_path: Path, gpu: str | None) -> WorkerProcess:
        """Start a worker; ``gpu`` is the one it may see, or None."""

    @abstractmethod
    def wait(self, workers: Sequence[WorkerProcess], timeout_s: float) -> None:
        """Return when a worker ended, or after ``timeout_s``."""

    def warm_up(self) -> None:  # noqa: B027 - most pools have nothing to prepare
        """Prepare beside whatever the caller does next."""


class _FreshWorker(WorkerProcess):
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def exit_code(self) -> int | None:
        return self._process.poll()


class FreshPool(WorkerPool):
    """A new interpreter per worker."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def start(self, spec_path: Path, gpu: str | None) -> WorkerProcess:
        """Start ``python -m tabgraphsyn.orchestration.computing.worker``."""
        self._output.parent.mkdir(parents=True, exist_ok=True)
        with self._output.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "tabgraphsyn.orchestration.computing.worker", str(spec_path), "--capture"],
                env={**os.environ, **_gpu_environment(gpu)},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        return _FreshWorker(process)

    def wait(self, workers: Sequence[WorkerProcess], timeout_s: float) -> None:
        """Look every few hundredths of a second."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and all(worker.exit_code() is None for worker in workers):
            time.sleep(0.03)


class _ForkedWorker(WorkerProcess):
    def __init__(self, process: Any) -> None:
        self.process = process
        self.pid = process.pid

    def exit_code(self) -> int | None:
        return self.process.exitcode


class ForkPool(WorkerPool):
    """Workers forked from a server that imported ``preload`` once."""

    def __init__(self, output: Path, preload: Sequence[str]) -> None:
        self._output = output
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*preload, "tabgraphsyn.orchestration.computing.worker"])

    def warm_up(self) -> None:
        """Start importing now, beside whatever the caller does next.

        Ctrl-C reaches all processes of a terminal: the server, whose import it would break off, and with it the whole
        launch, holds it back for good; workers let it through.
        """
        from multiprocessing import forkserver, resource_tracker

        resource_tracker.ensure_running()  # first: where it starts, it lets Ctrl-C through again
        former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, former)

    def start(self, spec_path: Path, gpu: str | None) -> WorkerProcess:
        """Fork a worker."""
        arguments = (str(spec_path), str(self._output), {**_trusted_packages(), **_gpu_environment(gpu)})
        process = self._context.Process(target=_forked, args=arguments, name=spec_path.parent.name)
        self.warm_up()
        with _no_main_module():
            process.start()
        return _ForkedWorker(process)

    def wait(self, workers: Sequence[WorkerProcess], timeout_s: float) -> None:
        """Wait for the workers' sentinels."""
        if not workers:
            time.sleep(timeout_s)
            return
        connection.wait([worker.process.sentinel for worker in workers if isinstance(worker, _ForkedWorker)], timeout_s)


def _forked(spec_path: str, output: str, environment: dict[str, str]) -> None:
    from tabgraphsyn.orchestration.computing.worker import guarded_run

    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the server holds it back
    redirect_output(Path(output))
    os.environ.update(environment)
    code = EXIT_STAGE
    try:
        code = guarded_run(Path(spec_path), capture=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep a worker started meanwhile from running the program's file again: one that calls ``fit`` would recurse."""
    former = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = former


def _trusted_packages() -> dict[str, str]:
    """Return what the server, which may be older than this run, does not know of the environment."""
    return {VARIABLE: os.environ.get(VARIABLE, "")}


def _gpu_environment(gpu: str | None) -> dict[str, str]:
    return {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}


def worker_pool(output: Path, preload: Sequence[str]) -> WorkerPool:
    """Return a pool that forks from a server with ``preload`` imported, or starts fresh ones where it is empty."""
    if preload and "forkserver" in multiprocessing.get_all_start_methods():
        return ForkPool(output, preload)
    return FreshPool(output)
