"""A tiny catalog and its stages: real folders and processes, no libraries. Imported by workers by name."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sys
import time

from tabgraphsyn.errors import DataError, Interrupted, StageError
from tabgraphsyn.generators.kinds import Catalog, StageInput, StageKind, catalog
from tabgraphsyn.stages.context import StageContext

MODULE = "fake_stages"


def content_key(dataset: dict) -> str:
    return hashlib.sha256(json.dumps(dataset["tables"]).encode()).hexdigest()


def run(context: StageContext) -> None:
    """Do what ``config['fake'][<stage>]`` says, then write a file that depends on config and inputs."""
    _count(context)
    if context.stage == "ingest":
        _ingest(context)
        return
    settings = context.config.get("fake", {})
    for action in settings.get(context.stage, "").split("+"):
        if action:
            ACTIONS[action](context)
    read = {role: (folder / "out.txt").read_text() for role, folder in sorted(context.inputs.items())}
    text = json.dumps([context.stage, context.table, context.config.get("seed"), read])
    (context.artifacts / "out.txt").write_text(hashlib.sha256(text.encode()).hexdigest())
    if context.stage == "sample":
        (context.artifacts / "synthetic").mkdir()
        (context.artifacts / "synthetic" / "a.csv").write_text("x\n1\n")
    if context.stage == "evaluate":
        (context.artifacts / "metrics.json").write_text("{}")


def _count(context: StageContext) -> None:
    """Leave a mark per computation, to prove that nothing is computed twice."""
    marks = context.folder.parents[2] / "marks"
    marks.mkdir(exist_ok=True)
    (marks / f"{context.stage}-{context.table}-{context.signature}-{os.getpid()}-{time.time_ns()}").touch()


def _ingest(context: StageContext) -> None:
    tables = context.config["dataset"]["tables"]
    if not tables:
        raise DataError("dataset.tables: at least one table, found []. Name some.")
    (context.artifacts / "schema.json").write_text(json.dumps({"tables": [{"name": name} for name in tables]}))
    (context.artifacts / "out.txt").write_text("ingest")


def _train(context: StageContext, held_at: int | None = None) -> None:
    """Count to 20 with a checkpoint a step, as a training loop does."""
    context.checkpoints.mkdir(exist_ok=True)
    path = context.checkpoints / "step.json"
    step = json.loads(path.read_text())["step"] if path.exists() else 0
    context.tracker.rewind(step)
    while step < 20:
        if context.interrupt.requested:
            raise Interrupted(f"stopped at step {step}")
        time.sleep(0.05)
        step += 1
        context.tracker.log({"loss": 1.0 / step, "progress": step / 20}, step)
        aside = path.with_suffix(".part")
        aside.write_text(json.dumps({"step": step}))
        aside.replace(path)
        if step == held_at and _once(context, "held"):
            _hold(context, or_asked=True)


def _train_held(context: StageContext) -> None:
    """Train, and stand still in the middle of the first attempt until asked to stop, or let go."""
    _train(context, held_at=10)


def _once(context: StageContext, name: str) -> bool:
    """Return True the first time."""
    path = context.folder / f"{name}.mark"
    if path.exists():
        return False
    path.touch()
    return True


def _die_once(context: StageContext) -> None:
    if _once(context, "die"):
        os.kill(os.getpid(), signal.SIGKILL)


def _fail(context: StageContext) -> None:
    raise StageError(f"{context.stage}: made to fail")


def _fail_once(context: StageContext) -> None:
    if _once(context, "fail"):
        raise StageError(f"{context.stage}: made to fail once")


def _full_disk(context: StageContext) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(context.artifacts / "big"))


def _too_large(context: StageContext) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    with (context.artifacts / "big").open("wb") as handle:
        handle.write(b"x" * 100_000)


def _exit_zero(context: StageContext) -> None:
    os._exit(0)


def _sleep(context: StageContext) -> None:
    time.sleep(1.0)


def _sleep_long(context: StageContext) -> None:
    _once(context, "asleep")
    time.sleep(300.0)


def _gpu(context: StageContext) -> None:
    """Write which GPU this stage may see, and hold it for a moment."""
    marks = context.folder.parents[2] / "gpus"
    marks.mkdir(exist_ok=True)
    name = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    with (marks / name).open("x"):  # fails if two stages hold one GPU
        time.sleep(0.5)
    (marks / name).rename(marks / f"{name}.{time.time_ns()}")


def _hold(context: StageContext, or_asked: bool = False) -> None:
    """Wait until the test lets go, or with ``or_asked`` somebody asks to stop."""
    release = context.folder.parents[2] / "release"
    end = time.monotonic() + 120
    while not release.exists() and not (or_asked and context.interrupt.requested) and time.monotonic() < end:
        time.sleep(0.05)


def _print(context: StageContext) -> None:
    print("printed by the stage")
    print("printed to stderr", file=sys.stderr)


def _tattle(context: StageContext) -> None:
    """Say a secret in every way that a stage has, and fail with it."""
    secret = os.environ["MY_TOKEN"]
    print("printed", secret, flush=True)
    os.write(2, f"from C {secret}\n".encode())
    context.log.info("logged %s", secret)
    raise StageError(f"failed with {secret}")


ACTIONS = {
    "tattle": _tattle,
    "train": _train,
    "train_held": _train_held,
    "die_once": _die_once,
    "fail": _fail,
    "fail_once": _fail_once,
    "full_disk": _full_disk,
    "too_large": _too_large,
    "exit_zero": _exit_zero,
    "sleep": _sleep,
    "sleep_long": _sleep_long,
    "print": _print,
    "hold": _hold,
    "gpu": _gpu,
}


def fake_catalog(*, preload: tuple[str, ...] = ()) -> Catalog:
    """Return six kinds of the real shape: ingest, prepare, train per table, gnn, sample, evaluate."""
    return catalog(
        "ingest",
        StageKind("ingest", 1, MODULE, ("dataset",), place_keys=("dataset.path",)),
        StageKind("prepare", 1, MODULE, ("fake.prepare",), (StageInput("ingest"),)),
        StageKind(
            "autoencoder",
            1,
            MODULE,
            ("fake.autoencoder", "seed"),
            (StageInput("prepare"),),
            per_table=True,
            is_resumable=True,
        ),
        StageKind("gnn", 1, MODULE, ("gnn", "fake.gnn", "seed"), (StageInput("autoencoder", "all"),)),
        StageKind(
            "sample",
            1,
            MODULE,
            ("fake.sample", "seed"),
            (StageInput("prepare"), StageInput("autoencoder", "all"), StageInput("gnn")),
            publishes=("synthetic",),
        ),
        StageKind("evaluate", 1, MODULE, ("fake.evaluate",), (StageInput("sample"),), publishes=("metrics.json",)),
        preload=preload,
    )
