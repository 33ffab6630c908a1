"""Two users, one store, the project's own stages, from launch to report: whatever their umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_database import tiny_tables, write_csv
from two_users import User, two_users

FEW = (
    "dataset=folder", "training=quick", "training.absorbing.steps=4", "evaluation=quick",
    "~evaluation.metrics.c2st", "~evaluation.metrics.c2st_agg", "report=quick", "cluster=inline", "cluster.threads=1",
)  # fmt: skip
NEEDED = "torch, pandas, pyarrow, sklearn, hydra, safetensors, psutil"


@pytest.fixture
def users() -> Iterator[tuple[Path, User, User]]:
    with two_users(modules=NEEDED) as found:
        tables = tiny_tables()
        write_csv({"customers": tables["customers"]}, found[0] / "data")
        yield found


def launch(user: User, place: Path, umask: int, *overrides: str, code: int = 0) -> str:
    command = ("-m", "tabgraphsyn.launch", f"dataset.path={place / 'data'}", f"output_dir={place / 'shared' / 'out'}")
    return user.run(*command, *FEW, *overrides, umask=umask, code=code)


def forge(place: Path, user: User) -> Path:
    """Replace a published file by another one of the same size, as a member of the group can."""
    (path,) = (place / "shared" / "out" / "stages" / "prepare").glob("*/artifacts/plan.json")
    code = (
        "import os, pathlib, sys; path = pathlib.Path(sys.argv[1]); text = path.read_bytes(); path.unlink();"
        "path.write_bytes(text)"
    )
    user.run("-c", code, str(path))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("umasks", [(0o077, 0o022), (0o022, 0o077)], ids=["077-022", "022-077"])
def test_what_one_user_made_the_other_goes_on_with(users: tuple[Path, User, User], umasks: tuple[int, int]):
    place, first, second = users
    out = place / "shared" / "out"
    assert "(7 computed, 0 cached)" in launch(first, place, umasks[0], "campaign=one")
    text = launch(second, place, umasks[1], "campaign=two", "sampling.scale=2")
    assert "(3 computed, 4 cached)" in text, text
    assert f"trusted: stages that others published are used as they are: 4 by {first.name}" in text
    for path in out.rglob("*"):
        found = path.stat()
        assert found.st_gid == first.group and not found.st_mode & stat.S_IRWXO, path
        assert found.st_mode & stat.S_IRGRP and (path.is_file() or found.st_mode & stat.S_IWGRP), path
        if "artifacts" in path.parts and path.is_file():
            assert stat.S_IMODE(found.st_mode) == 0o440, "nobody edits what somebody else published"
    verified = second.run("-m", "tabgraphsyn", "verify", "--output-dir", str(out), umask=umasks[1])
    assert "10 published stages checked, 0 damaged" in verified
    assert f"published by {first.name} 7, {second.name} 3: trust them" in verified
    forged = forge(place, second)
    assert "belongs to" in first.run("-m", "tabgraphsyn", "verify", "--output-dir", str(out), code=3)
    text = launch(first, place, umasks[0], "campaign=three", "seed=7", code=3)
    assert f"{forged.name}: belongs to {second.name}, the stage was published by {first.name}" in text


@pytest.mark.skipif(os.name != "posix", reason="rights are those of POSIX")
def test_a_store_of_ones_own_is_nobody_elses(tmp_path: Path):
    """Real rows are no one else's business, whatever the umask; what stands outside the store keeps its rights."""
    from user_commands import Shell

    shell = Shell(tmp_path)
    write_csv({"customers": tiny_tables()["customers"]}, tmp_path / "data")
    former = os.umask(0)
    try:
        shell.launch(f"dataset.path={tmp_path / 'data'}", f"output_dir={tmp_path / 'mine' / 'out'}", *FEW)
    finally:
        os.umask(former)
    for path in (tmp_path / "mine" / "out", *(tmp_path / "mine" / "out").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
