"""Stages for tests on a real Slurm: what each does is said by its config; results depend on config and inputs only."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time

from tabgraphsyn.errors import Interrupted, StageError
from tabgraphsyn.generators.kinds import Catalog, StageInput, StageKind, catalog
from tabgraphsyn.stages.context import StageContext

MODULE = "slurm_stages"


def content_key(dataset: dict) -> str:
    return hashlib.sha256(json.dumps(dataset["tables"]).encode()).hexdigest()


def run(context: StageContext) -> None:
    _mark(context, "started")
    if context.stage == "ingest":
        tables = [{"name": name} for name in context.config["dataset"]["tables"]]
        (context.artifacts / "schema.json").write_text(json.dumps({"tables": tables}))
        (context.artifacts / "out.txt").write_text("ingest")
        return
    state = _start(context)
    for action in context.config.get("fake", {}).get(context.stage, "").split("+"):
        name, *arguments = action.split(":")
        if name:
            state = ACTIONS[name](context, state, *arguments)
    (context.artifacts / "out.txt").write_text(state)
    if context.stage == "evaluate":
        (context.artifacts / "metrics.json").write_text("{}")
    _mark(context, "computed")


def _mark(context: StageContext, what: str) -> None:
    marks = context.folder.parents[2] / "marks"
    marks.mkdir(exist_ok=True)
    (marks / f"{what}-{context.stage}-{context.signature}-{time.time_ns()}").touch()


def _start(context: StageContext) -> str:
    """Every input must stand, whole, when a stage starts: that is what the gates are for."""
    read = {role: (folder / "out.txt").read_text() for role, folder in sorted(context.inputs.items())}
    return _next(json.dumps([context.stage, context.table, context.config.get("seed"), read]))


def _next(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _train(context: StageContext, state: str, steps: str = "20", pace_s: str = "0.05") -> str:
    """A chain of hashes with a checkpoint a step: a lost or repeated step would show in the result.

    A test that has done to it what it wanted tells it to hurry: so it may be long enough for a busy machine.
    """
    context.checkpoints.mkdir(exist_ok=True)
    path = context.checkpoints / "state.json"
    step = 0
    if path.exists():
        saved = json.loads(path.read_text())
        step, state = saved["step"], saved["state"]
    context.tracker.rewind(step)
    held: list[bytes] = []
    hurry = context.folder.parents[2] / "hurry"
    while step < int(steps):
        held += _memory(context)
        if context.interrupt.requested:
            raise Interrupted(f"stopped at step {step}")
        time.sleep(0.0 if hurry.exists() else float(pace_s))
        step, state = step + 1, _next(state)
        context.tracker.log({"loss": 1.0 / step}, step)
        aside = path.with_suffix(f".{os.getpid()}.part")
        aside.write_text(json.dumps({"step": step, "state": state}))
        aside.replace(path)
    return state


def _memory(context: StageContext) -> list[bytes]:
    """A test may tell a running stage to take more memory than its job asked for."""
    told = context.folder / "allocate"
    if not told.exists():
        return []
    told.unlink()
    return [b"x" * (700 << 20)]


def _once(context: StageContext, name: str) -> bool:
    path = context.folder / f"{name}.mark"
    if path.exists():
        return False
    path.touch()
    return True


def _kill_once(context: StageContext, state: str) -> str:
    if _once(context, "kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    return state


def _kill_always(context: StageContext, state: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return state


def _exit_zero_once(context: StageContext, state: str) -> str:
    if _once(context, "exit"):
        os._exit(0)
    return state


def _fail(context: StageContext, state: str) -> str:
    raise StageError(f"{context.stage}: made to fail")


def _wait(context: StageContext, state: str) -> str:
    """Something long that cannot resume."""
    while not context.interrupt.requested:
        time.sleep(0.05)
    raise Interrupted("stopped while it waited")


def _ranked(context: StageContext, state: str, *arguments: str) -> str:
    from ranked_stages import train_small

    train_small(context, *arguments)
    return state


def _hold(context: StageContext, state: str) -> str:
    release = context.folder.parents[2] / "release"
    end = time.monotonic() + 120
    while not release.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return state


ACTIONS = {
    "train": _train,
    "kill_once": _kill_once,
    "kill_always": _kill_always,
    "exit_zero_once": _exit_zero_once,
    "fail": _fail,
    "hold": _hold,
    "wait": _wait,
    "ranked": _ranked,
}


def slurm_catalog() -> Catalog:
    """Six kinds of the real shape."""
    prepare, encoders = StageInput("prepare"), StageInput("autoencoder", "all")
    return catalog(
        "ingest",
        StageKind("ingest", 1, MODULE, ("dataset",), place_keys=("dataset.path",)),
        StageKind("prepare", 1, MODULE, ("fake.prepare",), (StageInput("ingest"),)),
        StageKind(
            "autoencoder", 1, MODULE, ("fake.autoencoder", "seed"), (prepare,), per_table=True, is_resumable=True
        ),
        StageKind("gnn", 1, MODULE, ("gnn", "fake.gnn", "seed"), (encoders,), is_resumable=True),
        StageKind(
            "sample", 1, MODULE, ("fake.sample", "seed"), (prepare, encoders, StageInput("gnn")), publishes=("out.txt",)
        ),
        StageKind("evaluate", 1, MODULE, ("fake.evaluate",), (StageInput("sample"),), publishes=("metrics.json",)),
    )
