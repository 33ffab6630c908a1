from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.stored import store as store_module
from tabgraphsyn.orchestration.stored.lease import Lease, Owner, acquire
from tabgraphsyn.orchestration.stored.store import (
    State,
    Store,
    checked_inputs,
    clear_leftovers,
    publish,
    recover,
    working_artifacts,
)

ID = "gnn/0123456789abcdef0123"


def elsewhere() -> Owner:
    return dataclasses.replace(Owner.current(), host="elsewhere", boot="another")


def written(store: Store, owner: Owner | None = None, timeout_s: float = 60) -> Lease:
    folder = store.folder(ID)
    lease = acquire(folder, owner or Owner.current(), timeout_s)
    assert lease is not None
    clear_leftovers(folder, lease.number)
    working = working_artifacts(folder, lease.number)
    (working / "sub").mkdir()
    (working / "a.txt").write_text(f"attempt {lease.number}")
    (working / "sub" / "b.txt").write_text("b" * 1000)
    return lease


def published(store: Store) -> Path:
    lease = written(store)
    publish(lease, {"stage": "gnn"})
    lease.end("done", 0)
    return store.folder(ID)


def test_states_of_a_stage(tmp_path: Path):
    store = Store(tmp_path / "stages", lease_timeout_s=60)
    assert store.state(ID) is State.MISSING
    lease = written(store)
    assert store.state(ID) is State.RUNNING
    lease.end("failed", 3, "why")
    assert store.state(ID) is State.FAILED
    lease = written(store)
    lease.end("interrupted", 75)
    assert store.state(ID) is State.RESUMABLE
    lease = written(store)
    publish(lease, {"stage": "gnn"})
    assert store.state(ID) is State.DONE
    manifest = store.done(ID)
    assert manifest is not None
    assert set(manifest["outputs"]) == {"a.txt", "sub/b.txt"}
    assert not list(store.folder(ID).glob(".artifacts-*"))


def test_an_overtaken_attempt_cannot_publish(tmp_path: Path):
    store = Store(tmp_path / "stages")
    old = written(store, elsewhere(), timeout_s=0)
    new = acquire(store.folder(ID), Owner.current(), -1)
    assert new is not None
    with pytest.raises(StageError, match="attempt 1 was overtaken"):
        publish(old, {})
    assert store.state(ID) is not State.DONE


def test_two_attempts_cannot_both_publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Even if the older one passed the check of the fence a moment before: the rename decides."""
    store = Store(tmp_path / "stages")
    folder = store.folder(ID)
    old = written(store, elsewhere(), timeout_s=0)
    new = acquire(folder, Owner.current(), -1)
    assert new is not None
    working_artifacts(folder, 2).mkdir()
    (working_artifacts(folder, 2) / "a.txt").write_text("attempt 2")
    publish(new, {})
    monkeypatch.setattr(Lease, "is_held", lambda self: True)
    with pytest.raises(StageError, match="found 'artifacts' published"):
        publish(old, {})
    assert (store.artifacts(ID) / "a.txt").read_text() == "attempt 2"
    assert store.state(ID) is State.DONE


@pytest.mark.parametrize("instruction", ["rename", "write_json:done.json"])
def test_a_kill_during_publication_never_leaves_a_false_done(tmp_path: Path, monkeypatch, instruction: str):
    store = Store(tmp_path / "stages")
    lease = written(store)
    real_write = store_module.write_json

    def killed_write(path: Path, value: object) -> None:
        if instruction == f"write_json:{path.name}":
            raise KeyboardInterrupt
        real_write(path, value)

    def killed_rename(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "write_json", killed_write)
        if instruction == "rename":
            patch.setattr(Path, "rename", killed_rename)
        with pytest.raises(KeyboardInterrupt):
            publish(lease, {"stage": "gnn"})
    assert store.done(ID) is None
    # After the rename everything is there: recovery needs no new computation.
    assert recover(store.folder(ID)) is (instruction != "rename")
    assert (store.done(ID) is not None) is (instruction != "rename")


def test_a_damaged_publication_is_not_recovered(tmp_path: Path):
    folder = published(Store(tmp_path / "stages"))
    (folder / "done.json").unlink()
    (folder / "artifacts" / "sub" / "b.txt").write_text("c" * 1000)
    assert recover(folder) is False
    assert not (folder / "artifacts").exists()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_corruption_of_done_json_reads_as_done(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    folder = published(Store(tmp_path_factory.mktemp("s") / "stages"))
    store = Store(folder.parents[1])
    path = folder / "done.json"
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 3))
    tail = data.draw(st.binary(max_size=20))
    path.write_bytes(whole[:cut] + tail)
    manifest = store.done(ID)
    if manifest is not None:  # only if the text still says the same of the outputs
        assert manifest["outputs"] == json.loads(whole)["outputs"]
    # What stands in artifacts/ is true, so the stage need not run again.
    assert recover(folder)
    assert store.state(ID) is State.DONE


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "no done.json"])
def test_inputs_are_held_against_their_manifest(tmp_path: Path, damage: str):
    store = Store(tmp_path / "stages")
    folder = published(store)
    assert checked_inputs(store, {"gnn": ID}, 64) == {"gnn": folder / "artifacts"}
    path = folder / "artifacts" / "sub" / "b.txt"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_text("b" * 999)
    elif damage == "changed":
        path.write_text("b" * 999 + "c")
    else:
        (folder / "done.json").unlink()
    with pytest.raises(StageError, match=r"input 'gnn'.*tabgraphsyn verify --repair"):
        checked_inputs(store, {"gnn": ID}, 64)


def test_large_inputs_are_checked_by_size_only(tmp_path: Path):
    store = Store(tmp_path / "stages")
    folder = published(store)
    path = folder / "artifacts" / "sub" / "b.txt"
    path.write_text("b" * 999 + "c")
    assert checked_inputs(store, {"gnn": ID}, 1e-6)
    path.write_text("b" * 999)
    with pytest.raises(StageError):
        checked_inputs(store, {"gnn": ID}, 1e-6)


def test_links_are_not_artifacts(tmp_path: Path):
    store = Store(tmp_path / "stages")
    lease = written(store)
    (working_artifacts(lease.folder, 1) / "link").symlink_to("/etc/hostname")
    with pytest.raises(StageError, match="artifacts are plain files"):
        publish(lease, {})
    assert store.state(ID) is not State.DONE


def test_stage_folders_can_move_with_their_store(tmp_path: Path):
    folder = published(Store(tmp_path / "stages"))
    assert folder.exists()
    shutil.move(tmp_path / "stages", tmp_path / "moved")
    assert Store(tmp_path / "moved").state(ID) is State.DONE
