"""Secrets that are planted where users keep them are in nothing that a launch leaves, nor in what it would upload."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_database import tiny_tables, write_csv
from user_commands import Shell

KEY, PASSWORD, TOKEN = "pl4ntedkey" * 4, "pl4nted-pass", "pl4nted-token"
FEW = (
    "dataset=folder", "dataset.path=data", "training=quick", "training.absorbing.steps=6",
    "evaluation=quick", "report=quick", "cluster=inline", "cluster.threads=1", "tracking=wandb",
)  # fmt: skip


@pytest.mark.slow
def test_nothing_that_a_launch_leaves_holds_a_planted_secret(tmp_path: Path):
    pytest.importorskip("wandb")
    write_csv({"customers": tiny_tables()["customers"]}, tmp_path / "data")
    shell = Shell(tmp_path, {"WANDB_API_KEY": KEY, "MY_PASSWORD": PASSWORD})
    shell.launch(*FEW, f"cluster.setup=['export TOKEN={TOKEN}']", "output_dir=out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    planted = (KEY, PASSWORD, TOKEN)
    found = [path for path in files if any(secret.encode() in path.read_bytes() for secret in planted)]
    assert not found
