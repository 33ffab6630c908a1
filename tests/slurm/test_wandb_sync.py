"""Offline W&B runs go to the server in order and once: against a fake of the upload step, and a real offline run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabgraphsyn.orchestration.reading.wandb_sync import Uploader, find_runs


def offline(stages: Path, stage: str, stamp: str, size: int = 10) -> Path:
    folder = stages / stage / "wandb" / f"offline-run-{stamp}-{stage.split('/')[1]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run-x.wandb").write_bytes(b"x" * size)
    return folder


def uploader(tmp_path: Path, script: str, **settings: object) -> Uploader:
    path = tmp_path / "upload.sh"
    path.write_text(f'#!/bin/sh\n{script}\necho "$1" >> {tmp_path}/sent\n')
    path.chmod(0o755)
    return Uploader(tmp_path, [str(path)], **settings)  # type: ignore[arg-type]


def test_directories_of_a_run_go_in_order_and_once(tmp_path: Path):
    stages = tmp_path / "stages"
    paths = [offline(stages, "gnn/a", stamp) for stamp in ("20260102_000000", "20260101_000000", "20260103_000000")]
    offline(stages, "gnn/b", "20260101_000000")
    report = uploader(tmp_path, "").upload(find_runs(stages), 4)
    assert report == {"uploaded": 4, "known": 0, "failed": []}
    sent = [line for line in (tmp_path / "sent").read_text().splitlines() if "/gnn/a/" in line]
    assert sent == [str(paths[1]), str(paths[0]), str(paths[2])]
    assert uploader(tmp_path, "").upload(find_runs(stages), 4)["known"] == 4
    offline(stages, "gnn/a", "20260103_000000", size=20)  # the last attempt went on
    assert uploader(tmp_path, "").upload(find_runs(stages), 4)["uploaded"] == 1


def test_what_uploads_leaves_its_logs_nowhere(tmp_path: Path):
    offline(tmp_path / "stages", "gnn/a", "20260101_000000")
    script = f'test -d "$WANDB_DIR" && touch "$WANDB_DIR/debug.log" && echo "$WANDB_DIR" > {tmp_path}/where'
    assert uploader(tmp_path, script).upload(find_runs(tmp_path / "stages"), 1)["failed"] == []
    assert not Path((tmp_path / "where").read_text().strip()).exists()


def test_a_busy_server_is_asked_again_with_growing_pauses(tmp_path: Path):
    stages = tmp_path / "stages"
    offline(stages, "gnn/a", "20260101_000000")
    offline(stages, "gnn/a", "20260102_000000")
    pauses: list[float] = []
    count = f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); echo $((n+1)) > {tmp_path}/n"
    busy = f'{count}; [ "$n" -ge 3 ] || {{ echo 429 >&2; exit 1; }}'
    report = uploader(tmp_path, busy, tries=5, sleep=pauses.append).upload(find_runs(stages), 1)
    assert report["uploaded"] == 2 and pauses == [5.0, 10.0, 20.0]
    gone = uploader(tmp_path, "exit 1", tries=2, sleep=pauses.append)
    offline(stages, "gnn/a", "20260103_000000")
    assert "exit code 1" in gone.upload(find_runs(stages), 1)["failed"][0]
    ledger_lines = (tmp_path / "wandb_sync.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in ledger_lines]) == 2


def test_a_real_offline_run_is_found(tmp_path: Path):
    wandb = pytest.importorskip("wandb")
    folder = tmp_path / "stages" / "gnn" / "abc"
    (folder / "wandb").mkdir(parents=True)
    settings = wandb.Settings(console="off", silent=True)
    run = wandb.init(project="x", mode="offline", id="abc", dir=str(folder), settings=settings)
    run.log({"loss": 1.0})
    run.finish()
    (found,) = find_runs(tmp_path / "stages").values()
    assert len(found) == 1 and list(found[0].glob("*.wandb"))
