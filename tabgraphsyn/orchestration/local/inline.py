"""Run a plan in the calling process, one stage after the other: for a debugger."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tabgraphsyn.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_STAGE
from tabgraphsyn.orchestration.computing.worker import run_stage
from tabgraphsyn.orchestration.local.frontier import Frontier, Progress
from tabgraphsyn.orchestration.local.view import View
from tabgraphsyn.orchestration.planning.plan import Plan, Stage
from tabgraphsyn.orchestration.planning.spec import Runtime, save_spec
from tabgraphsyn.orchestration.reading.wording import duration
from tabgraphsyn.orchestration.stored.lease import latest_attempt
from tabgraphsyn.orchestration.stored.store import Store


def run_inline(plan: Plan, store: Store, runtimes: Mapping[str, Runtime], view: View) -> tuple[int, Frontier]:
    """Run every stage that is not done; return the exit code and what became of the stages."""
    frontier = Frontier(plan, [stage_id for stage_id in plan.stages if store.done(stage_id) is not None])
    while stage := next(iter(frontier.ready()), None):
        code = _run_one(stage, store, runtimes[stage.id], frontier, view)
        if code == EXIT_INTERRUPTED:
            return EXIT_INTERRUPTED, frontier
    return (EXIT_STAGE if frontier.count(Progress.FAILED) else EXIT_DONE), frontier


def _run_one(stage: Stage, store: Store, runtime: Runtime, frontier: Frontier, view: View) -> int:
    started = time.time()
    view.say(f"start   {stage.label} ({stage.signature[:8]})")
    code = run_stage(save_spec(store.folder(stage.id), stage, runtime))
    if store.done(stage.id) is not None:
        frontier.finish(stage.id)
        view.say(f"done    {stage.label} ({stage.signature[:8]}): {duration(time.time() - started)}")
        return EXIT_DONE
    if code == EXIT_INTERRUPTED:
        frontier.fail(stage.id, Progress.INTERRUPTED)
        view.say(f"stopped {stage.label} ({stage.signature[:8]}); the same command resumes it")
        return code
    attempt = latest_attempt(store.folder(stage.id))
    frontier.fail(stage.id)
    view.say(f"FAILED  {stage.label} ({stage.signature[:8]}): {attempt.error if attempt else f'exit code {code}'}")
    return code
