"""Run a plan on this machine: a process a stage, threads and GPUs shared out, other launches' stages joined."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tabgraphsyn.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_STAGE, StageError
from tabgraphsyn.orchestration.computing.attempt_log import last_log_lines, log_path
from tabgraphsyn.orchestration.computing.compute import cpu_count
from tabgraphsyn.orchestration.local.frontier import Frontier, Progress
from tabgraphsyn.orchestration.local.processes import WorkerPool, WorkerProcess
from tabgraphsyn.orchestration.local.view import RunningStage, View
from tabgraphsyn.orchestration.planning.plan import Plan, Stage
from tabgraphsyn.orchestration.planning.spec import Runtime, save_spec
from tabgraphsyn.orchestration.reading.wording import duration
from tabgraphsyn.orchestration.stored.lease import Attempt, latest_attempt
from tabgraphsyn.orchestration.stored.store import State, Store
from tabgraphsyn.training.interrupt import SignalFlag

_TURN_S = 0.2
_LOOK_ELSEWHERE_S = 1.0
_LOG_LINES = 15


@dataclass(frozen=True)
class Limits:
    """What the stages of one launch share.

    Attributes:
        workers: stages side by side.
        threads: CPU threads in sum; a stage that wants more than all of them runs alone.
        gpus: names of GPUs to lend.
        stages_per_gpu: stages that may share one.
        grace_s: time between asking a stage to stop and killing it.
    """

    workers: int
    threads: int
    gpus: tuple[str, ...] = ()
    stages_per_gpu: int = 1
    grace_s: float = 30.0

    @staticmethod
    def of(workers: int, threads: int, gpus: tuple[str, ...], stages_per_gpu: int, grace_s: float) -> Limits:
        """Return limits with 0 replaced by the number of cores."""
        return Limits(workers or cpu_count(), threads or cpu_count(), gpus, stages_per_gpu, grace_s)


@dataclass
class _Run:
    stage: Stage
    process: WorkerProcess
    threads: int
    gpus: tuple[str, ...]
    started: float = field(default_factory=time.time)


class LocalRunner:
    """Runs a plan until every stage is settled."""

    def __init__(
        self,
        *,
        plan: Plan,
        store: Store,
        runtimes: Mapping[str, Runtime],
        limits: Limits,
        pool: WorkerPool,
        view: View,
    ) -> None:
        self._store = store
        self._runtimes = runtimes
        self._limits = limits
        self._pool = pool
        self._view = view
        self._shares = plan.shares()
        self._running: dict[str, _Run] = {}
        self._elsewhere: dict[str, float] = {}
        self._looked = 0.0
        self._free_gpus = list(limits.gpus) * limits.stages_per_gpu
        self._stop: SignalFlag | None = None
        self.frontier = Frontier(plan, [stage_id for stage_id in plan.stages if store.done(stage_id) is not None])

    def run(self) -> int:
        """Return the exit code: 0 all done, 3 a stage failed, 75 stopped and resumable."""
        with SignalFlag() as stop:
            self._stop = stop
            try:
                while not self.frontier.is_settled():
                    self._look_elsewhere()
                    self._reap()
                    if stop.requested:
                        self._stop_all(f"stopped by {stop.signal_name}")
                        break
                    self._start_ready()
                    self._view.update(self.frontier, self._shown())
                    self._pool.wait([run.process for run in self._running.values()], _TURN_S)
            except BaseException:
                self._stop_all("stopped by an error of the runner")
                raise
        return self._exit_code(stop.requested)

    def _exit_code(self, stopped: bool) -> int:
        if self.frontier.count(Progress.FAILED):
            return EXIT_STAGE
        if stopped or self.frontier.count(Progress.INTERRUPTED):
            return EXIT_INTERRUPTED
        return EXIT_DONE

    def _start_ready(self) -> None:
        for stage in list(self.frontier.ready()):
            if len(self._running) >= self._limits.workers:
                return
            state, attempt = self._store.state_and_attempt(stage.id)
            if state is State.DONE:
                self.frontier.finish(stage.id, Progress.CACHED)
            elif state is State.RUNNING:
                self._join(stage, attempt)
            elif self._fits(stage):
                self._start(stage)

    def _join(self, stage: Stage, attempt: Attempt | None) -> None:
        self.frontier.progress[stage.id] = Progress.ELSEWHERE
        self._elsewhere[stage.id] = time.time()
        owner = f"process {attempt.owner.pid} on {attempt.owner.host}" if attempt else "another launch"
        self._view.say(f"join    {self._name(stage)}: {owner} runs it")

    def _fits(self, stage: Stage) -> bool:
        used = sum(run.threads for run in self._running.values())
        if used and used + self._threads(stage) > self._limits.threads:
            return False
        return len(set(self._free_gpus)) >= self._gpus_wanted(stage)

    def _threads(self, stage: Stage) -> int:
        runtime = self._runtimes[stage.id]
        return min(runtime.threads * runtime.tasks_per_node, self._limits.threads)

    def _gpus_wanted(self, stage: Stage) -> int:
        """Return how many GPUs to lend: one a rank; a stage that wants more than there are says so itself."""
        runtime = self._runtimes[stage.id]
        return 0 if runtime.device == "cpu" else min(runtime.tasks_per_node, len(self._limits.gpus))

    def _start(self, stage: Stage) -> None:
        folder = self._store.folder(stage.id)
        spec_path = save_spec(folder, stage, self._runtimes[stage.id])
        gpus = tuple(list(dict.fromkeys(self._free_gpus))[: self._gpus_wanted(stage)])
        for gpu in gpus:
            self._free_gpus.remove(gpu)
        process = self._pool.start(spec_path, ",".join(gpus) or None)
        self._running[stage.id] = _Run(stage, process, self._threads(stage), gpus)
        self.frontier.progress[stage.id] = Progress.RUNNING
        self._view.say(f"start   {self._name(stage)}")

    def _name(self, stage: Stage) -> str:
        shared = self._shares[stage.id]
        points = f", {shared} points" if shared > 1 else ""
        return f"{stage.label} ({stage.signature[:8]}{points})"

    def _look_elsewhere(self) -> None:
        """See what became of stages that other launches run."""
        if not self._elsewhere or time.monotonic() - self._looked < _LOOK_ELSEWHERE_S:
            return
        self._looked = time.monotonic()
        for stage_id in list(self._elsewhere):
            state, attempt = self._store.state_and_attempt(stage_id)
            if state is State.RUNNING:
                continue
            stage = self.frontier.plan.stages[stage_id]
            started = self._elsewhere.pop(stage_id)
            if state is State.DONE:
                self.frontier.finish(stage_id)
                self._view.say(f"done    {self._name(stage)}: by another launch, {duration(time.time() - started)}")
            elif state is State.FAILED:
                self._fail(stage, f"failed in another launch: {attempt.error if attempt else 'no record'}")
            else:
                self.frontier.progress[stage_id] = Progress.WAITING

    def _reap(self) -> None:
        for stage_id, run in list(self._running.items()):
            code = run.process.exit_code()
            if code is None:
                continue
            del self._running[stage_id]
            self._free_gpus += run.gpus
            self._settle(run, code)

    def _settle(self, run: _Run, code: int) -> None:
        took = duration(time.time() - run.started)
        if self._store.done(run.stage.id) is not None:
            self.frontier.finish(run.stage.id)
            self._view.say(f"done    {self._name(run.stage)}: {took}")
        elif code == EXIT_INTERRUPTED or self._was_stopped_early(run, code):
            self.frontier.fail(run.stage.id, Progress.INTERRUPTED)
            self._view.say(f"stopped {self._name(run.stage)}: {took}; the same command resumes it")
        else:
            self._fail(run.stage, self._reason(run, code))

    def _was_stopped_early(self, run: _Run, code: int) -> bool:
        """Return whether this run is stopping and the worker was hit before it could take a signal as a request."""
        if self._stop is None or not self._stop.requested:
            return False
        is_signalled = code in (-signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP)
        return is_signalled or _attempt_of(self._store.folder(run.stage.id), run.started) is None

    def _reason(self, run: _Run, code: int) -> str:
        """Return why a worker ended without a done stage, in one line."""
        attempt = _attempt_of(self._store.folder(run.stage.id), run.started)
        if attempt is not None and attempt.error:
            return attempt.error
        if code < 0:
            hint = " (out of memory?)" if -code == signal.SIGKILL else ""
            return f"killed by {signal.Signals(-code).name}{hint}; the same command resumes it"
        if code == EXIT_DONE:
            return "it ended with exit code 0 and without done.json"
        return f"exit code {code} before its log was open; see start_error.json in its folder"

    def _fail(self, stage: Stage, reason: str) -> None:
        blocked = self.frontier.fail(stage.id)
        self._view.say(f"FAILED  {self._name(stage)}: {reason}")
        folder = self._store.folder(stage.id)
        try:
            attempt = latest_attempt(folder)
        except StageError:
            attempt = None
        if attempt is not None:
            path = log_path(folder, attempt.number)
            lines = last_log_lines(path, _LOG_LINES)
            self._view.say("\n".join([f"        last lines of {path}:", *(f"        | {line}" for line in lines)]))
        if blocked:
            names = sorted({self.frontier.plan.stages[stage_id].label for stage_id in blocked})
            self._view.say(f"        {len(blocked)} stages depend on it and do not run: {', '.join(names[:10])}")

    def _stop_all(self, why: str) -> None:
        """Ask every worker to stop, wait, and kill what does not."""
        if self._running:
            self._view.say(f"{why}: waiting up to {self._limits.grace_s:.0f} s for {len(self._running)} stages to save")
        for run in self._running.values():
            run.process.send(signal.SIGTERM)
        end = time.monotonic() + self._limits.grace_s
        while self._running and time.monotonic() < end:
            self._pool.wait([run.process for run in self._running.values()], _TURN_S)
            self._reap()
        for run in self._running.values():
            self._view.say(f"killed  {self._name(run.stage)}: it did not stop in {self._limits.grace_s:.0f} s")
            run.process.send(signal.SIGKILL)
            self.frontier.fail(run.stage.id, Progress.INTERRUPTED)
        self._running.clear()

    def _shown(self) -> list[RunningStage]:
        here = [
            RunningStage(run.stage.label, self._store.folder(run.stage.id), run.started)
            for run in self._running.values()
        ]
        stages = self.frontier.plan.stages
        away = [
            RunningStage(stages[stage_id].label, self._store.folder(stage_id), started, is_elsewhere=True)
            for stage_id, started in self._elsewhere.items()
        ]
        return here + away


def _attempt_of(folder: Path, started: float) -> Attempt | None:
    """Return the latest attempt if it began after ``started``: the one that this run made."""
    try:
        attempt = latest_attempt(folder)
    except StageError:
        return None
    return attempt if attempt is not None and attempt.started >= started - 1.0 else None
