"""W&B is a sink: whatever its server does, a stage ends as without it, and what it logged is not lost."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_worker import spec_for

from tabgraphsyn.orchestration.computing.worker import run_stage
from tabgraphsyn.orchestration.reading.wandb_sync import find_runs, finish_runs
from tabgraphsyn.orchestration.stored.store import Store
from tabgraphsyn.tracking import wandb as wandb_tracking
from tabgraphsyn.tracking.base import RunIdentity, Trackers
from tabgraphsyn.tracking.jsonl import JsonlTracker
from tabgraphsyn.tracking.wandb import FOLDER, LEDGER, RUN, Mirror, WandbTracker, forget_mirrored

pytest.importorskip("wandb")

ANSWER = {
    "data": {
        "viewer": {"id": "x", "entity": "me"},
        "serverInfo": {},
        "model": None,
        "upsertBucket": {
            "bucket": {
                "id": "b",
                "name": "abc",
                "displayName": "gnn",
                "project": {"name": "p", "entity": {"name": "me"}},
            },
            "inserted": True,
        },
    }
}


@contextmanager
def server(behaviour: str) -> Iterator[tuple[str, list[str]]]:
    """A stand-in for W&B's server: ``refuses`` (no port), ``hangs``, a status, or ``takes`` all it is sent."""
    seen: list[str] = []
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(f"{self.path} {self.rfile.read(int(self.headers.get('content-length') or 0))!r}")
            if behaviour == "hangs":
                release.wait(60)
            if behaviour.isdigit():
                self.send_error(int(behaviour))
                return
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(ANSWER).encode())

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if behaviour == "refuses":
        yield f"http://127.0.0.1:{port}", seen
        return
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{found.server_port}", seen
    finally:
        release.set()
        found.shutdown()
        found.server_close()


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def trackers(folder: Path, mode: str = "offline") -> tuple[Trackers, WandbTracker]:
    folder.mkdir(parents=True, exist_ok=True)
    run = RunIdentity("abc", "gnn", "campaign/point", folder, {"seed": 1})
    wandb = WandbTracker(run=run, project="test", mode=mode)
    return Trackers([JsonlTracker(folder / "metrics.jsonl"), wandb]), wandb


def logged(folder: Path) -> list[list[int]]:
    """Steps in the offline directories of a stage, oldest first: fields of the protobuf records as they stand there."""
    found = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        steps = re.finditer(rb"\x12\x0bglobal_step\x82\x01([\x01-\x09])", path.read_bytes())
        # A file that grows may end within a number.
        found.append(sorted({int(step.string[step.end() : step.end() + step[1][0]] or b"-1") for step in steps}))
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_offline_a_stage_that_logs_leaves_one_file_and_its_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # What is asked here is what is left, not how soon: that has tests of its own.
    monkeypatch.setattr("tabgraphsyn.tracking.wandb.CLOSE_S", 60.0)
    folder, passing = tmp_path / "stages" / "gnn" / "abc", tmp_path / "passing"
    passing.mkdir()
    monkeypatch.setenv("TMPDIR", str(passing))
    both, _ = trackers(folder)
    for step in range(5):
        both.log({"loss": 1.0, "bad": float("nan")}, step)
    both.close()
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    assert files[0] == "metrics.jsonl" and files[2] == "wandb/run.json" and len(files) == 3
    assert files[1].startswith("wandb/offline-run-") and files[1].endswith("/run-abc.wandb")
    assert logged(folder) == [[0, 1, 2, 3, 4]]
    assert list(find_runs(tmp_path / "stages")) == ["gnn/abc"]
    assert not (tmp_path / "home").exists() and not list(passing.iterdir())
    again, _ = trackers(folder)  # resumed from a checkpoint at step 3
    again.rewind(3)
    for step in (4, 5):
        again.log({"loss": 1.0}, step)
    again.close()
    assert logged(folder) == [[0, 1, 2, 3, 4], [5]]
    forget_mirrored(folder)
    assert not (folder / FOLDER / RUN).exists()


def test_a_stage_that_logs_nothing_has_no_run(tmp_path: Path):
    both, _ = trackers(tmp_path)
    both.close()
    assert not any(tmp_path.glob("wandb"))


@pytest.mark.parametrize("behaviour", ["refuses", "hangs", "401", pytest.param("500", marks=pytest.mark.slow)])
def test_a_server_that_does_not_take_it_costs_a_stage_a_few_seconds_at_most(
    tmp_path: Path, behaviour: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    assert wandb_tracking.CLOSE_S + wandb_tracking._KILL_S <= 5
    monkeypatch.setattr(wandb_tracking, "CLOSE_S", 1.0)
    folder = tmp_path / "stages" / "gnn" / "abc"
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with server(behaviour) as (address, _):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        both, _ = trackers(folder, "online")
        for step in range(50):
            both.log({"loss": 1.0}, step)
        until(lambda: logged(folder) == [list(range(50))])  # the end may come at once; what is logged is not lost
        started = time.monotonic()
        both.close()
        assert time.monotonic() - started < 20  # not what a server that hangs for ever would take
    said = [record.message for record in caplog.records if "W&B" in record.message]
    assert len(said) == 1 and "tabgraphsyn sync" in said[0]
    assert not (tmp_path / LEDGER).exists()
    assert logged(folder) == [list(range(50))]


def test_without_a_key_a_stage_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    both, _ = trackers(tmp_path / "stages" / "gnn" / "abc", "online")
    both.log({"loss": 1.0}, 0)
    both.close()
    # It asks for an API key; on a machine that is slow right now it was not even there in time.
    assert "`tabgraphsyn sync` uploads it later" in caplog.text


@pytest.mark.slow
def test_online_the_run_is_uploaded_meanwhile_and_not_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "stages" / "gnn" / "abc"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with server("takes") as (address, seen):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        both, _ = trackers(folder, "online")
        both.log({"loss": 0.125}, 0)
        until(lambda: any("0.125" in text for text in seen))  # it is uploaded while the stage runs
        monkeypatch.setattr("tabgraphsyn.tracking.wandb.CLOSE_S", 60.0)
        both.close()
    (line,) = (tmp_path / LEDGER).read_text().splitlines()
    (directory,) = folder.glob("wandb/offline-run-*")
    assert json.loads(line)["folder"] == str(directory)
    assert not any((tmp_path / "here").iterdir())


def test_what_a_killed_mirror_had_no_time_for_is_made_up_by_sync(tmp_path: Path):
    folder = tmp_path / "stages" / "gnn" / "abc"
    both, wandb = trackers(folder)
    both.log({"loss": 1.0}, 0)
    assert wandb._process is not None
    os.killpg(wandb._process.pid, signal.SIGKILL)
    both.log({"loss": 2.0}, 1)
    both.close()
    found = Mirror.read(folder)
    assert found is not None and not found.is_complete
    assert finish_runs(Store(tmp_path / "stages")) == 1
    assert logged(folder)[-1] == [0, 1]
    assert finish_runs(Store(tmp_path / "stages")) == 0


def test_results_are_those_without_it_and_a_done_stage_keeps_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    hashes = []
    with server("refuses") as (address, _):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        for name, target in (("none", "none.NoTracker"), ("wandb", "wandb.WandbTracker")):
            tracking = {"_target_": f"tabgraphsyn.tracking.{target}", **({"mode": "online"} if name == "wandb" else {})}
            spec = spec_for(tmp_path / name, "train", "autoencoder", tracking=tracking)
            assert run_stage(spec) == 0
            hashes.append(json.loads((spec.parent / "done.json").read_text())["outputs"])
            files = [p for p in spec.parent.rglob("*") if p.is_file() and "artifacts" not in p.parts]
            # On a slow machine the mirror may have been ended before it was through; what is left then is for sync.
            left = Mirror.read(spec.parent)
            assert len(files) <= 7 if left is None else not left.is_complete, files
            assert not (spec.parent / "checkpoints").exists()
    assert hashes[0] == hashes[1]


def test_only_one_file_imports_wandb():
    root = Path(__file__).resolve().parents[2] / "tabgraphsyn"
    found = [path.name for path in root.rglob("*.py") if "import wandb\n" in path.read_text()]
    assert found == ["wandb_mirror.py"]
