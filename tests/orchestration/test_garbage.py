"""gc says what each rule would free and rm removes one campaign; neither touches what others need."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from test_status_rows import write_campaign

from tabgraphsyn.verbs import cli


def verb(capsys: pytest.CaptureFixture[str], output_dir: Path, *arguments: str, code: int = 0) -> str:
    found = cli.main([*arguments, "--output-dir", str(output_dir)])
    captured = capsys.readouterr()
    assert found == code, captured.out + captured.err
    return captured.out + captured.err


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Campaign c of two seeds, done; every stage has packed records, and one a checkpoint and a left-over."""
    write_campaign(tmp_path, 2, done=True)
    for done in tmp_path.glob("stages/*/*/done.json"):
        (done.parent / "attempts" / "1.json").unlink()
    gnn = tmp_path / "stages" / "gnn" / "gin00000"
    for name, size in (("checkpoints", 3_000_000), (".artifacts-1", 1000)):
        (gnn / name).mkdir()
        (gnn / name / "x").write_bytes(b"0" * size)
    return tmp_path


def stages(store: Path) -> set[str]:
    return {str(path.parent.relative_to(store / "stages")) for path in store.glob("stages/*/*/done.json")}


def listed(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> list[tuple[str, str]]:
    found = json.loads(verb(capsys, store, "gc", "--json", *arguments))
    return sorted((each["rule"], str(Path(each["path"]).relative_to(store))) for each in found)


def add_campaign(store: Path, name: str, keep: str) -> None:
    """Another campaign of those points of c whose name holds ``keep``."""
    record = json.loads((store / "campaigns" / "c" / "campaign.json").read_text())
    record["points"] = {point: each for point, each in record["points"].items() if keep in point}
    (store / "campaigns" / name).mkdir()
    (store / "campaigns" / name / "campaign.json").write_text(json.dumps(record))


def test_each_rule_says_what_it_would_free(store: Path, capsys: pytest.CaptureFixture[str]):
    text = verb(capsys, store, "gc")
    assert "checkpoints      1 folders       1 files        3.0 MB" in text
    assert "leftovers        1 folders" in text and "unused           0 folders" in text
    assert "nothing was deleted" in text
    assert listed(capsys, store, "--rule", "checkpoints") == [("checkpoints", "stages/gnn/gin00000/checkpoints")]
    assert listed(capsys, store, "--larger-than", "1") == [("checkpoints", "stages/gnn/gin00000/checkpoints")]
    assert listed(capsys, store, "--older-than", "1") == []
    assert listed(capsys, store, "--point", "*seed=1") == []
    assert len(listed(capsys, store, "--campaign", "c", "--point", "seed=0")) == 2
    verb(capsys, store, "gc", "--yes")
    assert listed(capsys, store) == [] and len(stages(store)) == 7
    assert "Did you mean 'unused'" in verb(capsys, store, "gc", "--rule", "unusde", code=2)


def test_age_is_that_of_the_last_change(store: Path, capsys: pytest.CaptureFixture[str]):
    long_ago = time.time() - 40 * 86_400
    folder = store / "stages" / "gnn" / "gin00000"
    for path in (*folder.iterdir(), folder):
        os.utime(path, (long_ago, long_ago))
    assert len(listed(capsys, store, "--older-than", "30")) == 2
    assert listed(capsys, store, "--older-than", "50") == []


def test_without_campaigns_nothing_is_unused(store: Path, capsys: pytest.CaptureFixture[str]):
    shutil.rmtree(store / "campaigns")
    assert "none is called unused" in verb(capsys, store, "gc", "--yes")
    assert len(stages(store)) == 7


def test_links_are_not_followed(
    store: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
):
    other = tmp_path_factory.mktemp("other")
    (other / "sub").mkdir()
    (other / "sub" / "spec.json").write_text("{}")
    (store / "stages" / "evil").symlink_to(other)
    (store / "stages" / "gnn" / "evil").symlink_to(other / "sub")
    verb(capsys, store, "gc", "--rule", "unused", "--yes")
    assert (other / "sub" / "spec.json").exists()


def test_rm_takes_what_nobody_else_needs(store: Path, capsys: pytest.CaptureFixture[str]):
    add_campaign(store, "other", "seed=1")
    text = verb(capsys, store, "rm", "c", code=2)
    assert "nothing was removed" in text and len(stages(store)) == 7
    text = verb(capsys, store, "rm", "c", "--yes")
    assert "2 points, 3 stages" in text and "4 stages stay, other campaigns refer to them" in text
    assert stages(store) == {"prepare/p", "autoencoder/00001", "gnn/gin00001", "sample/gin00001"}
    assert [path.name for path in (store / "campaigns").iterdir()] == ["other"]
    assert listed(capsys, store) == []


def test_rm_leaves_what_another_user_made(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.getuid", lambda: (store / "campaigns" / "c").stat().st_uid or 4711)
    if os.getuid() == 4711:  # run by root: all folders are root's, and this user is not
        assert "another user's campaign" in verb(capsys, store, "rm", "c", "--yes", code=2)
        os.chown(store / "campaigns" / "c", 4711, -1)
        os.chown(store / "stages" / "gnn" / "gin00000", 4711, -1)
        assert "6 stages stay, other users made them" in verb(capsys, store, "rm", "c", "--yes")
        assert len(stages(store)) == 6


@pytest.mark.parametrize("name", ["../c", "c/..", ".", ".."])
def test_rm_takes_a_name_and_no_path(store: Path, capsys: pytest.CaptureFixture[str], name: str):
    assert "not a path" in verb(capsys, store, "rm", name, "--yes", code=2)


def test_rm_refuses_while_it_runs(store: Path, capsys: pytest.CaptureFixture[str]):
    from tabgraphsyn.orchestration.campaign.running import announced

    with announced(store / "campaigns" / "c"):
        assert "tabgraphsyn cancel c" in verb(capsys, store, "rm", "c", "--yes", code=3)
    assert len(stages(store)) == 7
