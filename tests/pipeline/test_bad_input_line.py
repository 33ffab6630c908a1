"""Bad input at the command line: exit code 2, one message on standard error, nothing queued, nothing left behind."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny_database import METADATA, tiny_tables, write_csv, write_metadata
from user_commands import FEW_STEPS, LIGHT_EVALUATION, Ended, Shell, file_hashes

TINY = tiny_tables()
Change = Callable[[Path], Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_metadata(write_csv(TINY, tmp_path / "data"))


def command(data: Path, *overrides: str) -> list[str]:
    return ["dataset=folder", f"dataset.path={data}", f"output_dir={data.parent / 'outputs'}", *overrides]


def written(name: str, content: str | bytes) -> Change:
    return lambda data: (data / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def table(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Change:
    return lambda data: write_csv({name: change(TINY[name].copy())}, data)


def metadata(change: Callable[[dict[str, Any]], Any]) -> Change:
    def apply(data: Path) -> None:
        content = json.loads(json.dumps(METADATA))
        change(content)
        (data / "metadata.json").write_text(json.dumps(content))

    return apply


def leaves_the_folder(data: Path) -> None:
    (data.parent / "elsewhere.csv").write_bytes((data / "clerks.csv").read_bytes())
    (data / "clerks.csv").unlink()
    (data / "clerks.csv").symlink_to(data.parent / "elsewhere.csv")


def with_orphan(clerks: pd.DataFrame) -> pd.DataFrame:
    clerks.loc[9, "boss_id"] = 9999
    return clerks


WIDE = ",".join(f"c{number}" for number in range(10_000)) + "\n" + ("1," * 10_000)[:-1] + "\n"
LATIN = b"region,customer_no,segment,limit\nm\xfcd,1,firm,3\n"

FILES: dict[str, tuple[Change, list[str]]] = {
    "missing file": (lambda data: (data / "orders.csv").unlink(), ["metadata.json", "'orders'", "Add its file"]),
    "empty file": (written("clerks.csv", ""), ["clerks.csv", "is empty"]),
    "empty table": (table("clerks", lambda clerks: clerks.iloc[:0]), ["clerks", "the table is empty", "Add rows"]),
    "one row": (table("clerks", lambda clerks: clerks.iloc[:1]), ["clerks", "one row only", "at least two"]),
    "ragged lines": (
        written("clerks.csv", "clerk_id,boss_id,pay\n1,,3\n2,1\n3,1,4,5\n"),
        ["clerks.csv", "as many fields as the header, 3", "line 3 has 2", "line 4 has 4", "Mend"],
    ),
    "a quote left open": (
        written("clerks.csv", 'clerk_id,boss_id,pay\n1,,3\n2,1,"4\n3,1,5\n4,1,6\n'),
        ["clerks.csv", "opens in line 3 and never closes", "Close it"],
    ),
    "wrong encoding": (written("customers.csv", LATIN), ["customers.csv", "utf-8", "0xfc", "dataset.encoding"]),
    "binary posing as csv": (written("clerks.csv", bytes(range(256)) * 9), ["clerks.csv", "binary data", "suffix"]),
    "csv posing as parquet": (
        lambda data: (data / "clerks.csv").rename(data / "clerks.parquet"),
        ["clerks.parquet", "cannot be read as parquet", "give it the suffix"],
    ),
    "duplicate column": (written("clerks.csv", "clerk_id,pay,pay\n1,2,3\n"), ["clerks.csv", "'pay'", "more than once"]),
    "duplicate primary key": (
        table("clerks", lambda clerks: pd.concat([clerks, clerks.iloc[:3]])),
        ["clerks.clerk_id", "3 stand more than once (100, 101, 102)", "Remove"],
    ),
    "orphan": (
        table("clerks", with_orphan),
        ["clerks.boss_id", "9999", "dataset.orphans=null", "dataset.orphans=drop"],
    ),
    "all null": (
        table("customers", lambda customers: customers.assign(limit=None)),
        ["customers.limit", "no value in any row", "dataset.all_null=drop"],
    ),
    "too wide": (written("wide.csv", WIDE), ["wide.csv", "10000 columns", "the limit is 1000", "dataset.max_columns"]),
    "leaves the folder": (leaves_the_folder, ["clerks.csv", "lie inside it", "elsewhere.csv", "Copy the file"]),
    "shell characters": (written("a;b$(c) d.csv", "x\n1\n2\n"), ["'a;b$(c) d'", "letters, digits", "Rename the table"]),
    "column of metadata": (
        metadata(lambda raw: raw["tables"]["clerks"]["columns"].update(payy={"sdtype": "numerical"})),
        ["clerks.payy", "Did you mean 'pay'?", "Correct the name"],
    ),
    "table of metadata": (metadata(lambda raw: raw["tables"].pop("clerks")), ["metadata.json", "'clerks'"]),
    "metadata is no json": (written("metadata.json", '{"tables": '), ["metadata.json", "no valid json", "line 1"]),
}

OVERRIDES: dict[str, tuple[list[str], list[str]]] = {
    "missing folder": (["dataset.path=nowhere"], ["dataset.path", "'nowhere' does not exist", "Set dataset.path"]),
    "unknown keys together": (
        ["gnn.layrs=3", "dataset.pth=x", "denosier=mlp", "gnn=gim"],
        ["4 problems", "Did you mean 'layers'?", "Did you mean 'path'?", "Did you mean 'denoiser'?", "mean 'gin'?"],
    ),
    "a value left open": (["dataset.path=???"], ["dataset.path", "must be set", "Add dataset.path=<value>"]),
    "an unknown key with a plus": (["+foo=1"], ["foo", "no such key at the top level"]),
    "an unknown training key": (["+training.absorbing.stpes=1"], ["training.absorbing.stpes", "Did you mean 'steps'?"]),
    "wrong type": (["cluster.workers=many"], ["cluster.workers=many"]),
    "wrong type of a model": (["gnn=gin", "gnn.layers=two"], ["gnn.layers", "a whole number expected", "'two'"]),
    "wrong value of a model": (["denoiser.width=-8"], ["denoiser.width", "from 1 to", "-8"]),
    "wrong value of a sampler": (["sampler.steps=0"], ["sampler.steps", "from 2 to", "found 0"]),
    "no table chosen": (["dataset.tables=[]"], ["dataset.tables", "at least one name"]),
    "shell characters without quotes": (["campaign=a;b"], ["campaign=a;b", "quotes of its own", "campaign='a;b'"]),
    "wrong value": (["codec.max_discrete=-4"], ["max_discrete", "-4"]),
    "wrong value of training": (["training.absorbing.steps=-1"], ["training.absorbing.steps", "-1"]),
    "wrong value of sampling": (["sampling.scale=0"], ["sampling.scale", "0"]),
    "wrong policy": (["dataset.orphans=nul"], ["dataset.orphans", "'nul'", "Did you mean 'null'?"]),
    "campaign is no name": (["campaign='../a;b'"], ["campaign", "'../a;b'", "letters, digits"]),
    "a sweep without -m": (["gnn=gin,gat"], ["gnn", "Add -m"]),
    "no override": (["gnn"], ["'gnn'", "key=value"]),
    "an unknown option": (["--multi"], ["--multi", "no such option"]),
    "output_dir is a file": (["output_dir=/etc/hostname"], ["output_dir", "is a file"]),
    "code from elsewhere": (["gnn._target_=os.system"], ["gnn._target_", "'os.system'", "allow_targets"]),
}


def refused(ended: Ended, words: list[str], outputs: Path) -> None:
    """Hold what the user sees against the rules of a refusal."""
    assert [word for word in words if word not in ended.err] == [], ended.err
    assert "Traceback" not in ended.err and ended.out == ""
    assert len(ended.err) < 2000
    assert not outputs.exists()


@pytest.mark.parametrize("case", FILES)
def test_bad_files(data: Path, here: Callable[..., Ended], case: str):
    change, words = FILES[case]
    change(data)
    refused(here(*command(data), code=2), words, data.parent / "outputs")


@pytest.mark.parametrize("case", OVERRIDES)
def test_bad_overrides(data: Path, here: Callable[..., Ended], case: str):
    overrides, words = OVERRIDES[case]
    refused(here(*command(data), *overrides, code=2), words, data.parent / "outputs")


@pytest.mark.parametrize(("policy", "clerks"), [("null", 30), ("drop", 25)])
def test_orphans_by_policy(data: Path, here: Callable[..., Ended], policy: str, clerks: int):
    table("clerks", with_orphan)(data)
    # With `drop` the orphan's own row goes, then the clerks below that one, and theirs.
    found = here(*command(data, f"dataset.orphans={policy}", *FEW_STEPS, *LIGHT_EVALUATION, "cluster=inline"))
    assert found.counts == (10, 0)
    (path,) = (data.parent / "outputs").glob("stages/ingest/*/artifacts/tables/clerks.parquet")
    assert len(pd.read_parquet(path)) == clerks


@pytest.mark.parametrize(
    ("limit_bytes", "words"),
    [
        (100, ["output_dir"]),
        pytest.param(2500, ["nothing was kept", "output_dir"], marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_keeps_nothing(data: Path, limit_bytes: int, words: list[str]):
    """The real process with a real limit on what it may write."""
    shell = Shell(data.parent)
    done = subprocess.run(
        [sys.executable, "-m", "tabgraphsyn.launch", *command(data)],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )
    ended = Ended(done.returncode, done.stdout, done.stderr)
    assert done.returncode == 2, ended
    refused(ended, ["Free ", *words], data.parent / "outputs")


def test_a_full_disk_stops_a_verb_in_words(data: Path):
    (data / "metadata.json").unlink()
    before = file_hashes(data)
    shell = Shell(data.parent)
    done = subprocess.run(
        [sys.executable, "-m", "tabgraphsyn", "ingest", str(data), "--out", str(data.parent / "conf")],
        cwd=shell.folder,
        env={**shell.environment, "TMPDIR": str(data.parent)},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Free " in done.stderr and "Traceback" not in done.stderr
    assert file_hashes(data) == before
    assert [path.name for path in data.parent.iterdir()] == ["data"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_that_cannot_be_written_to(data: Path, here: Callable[..., Ended]):
    data.parent.chmod(0o500)
    try:
        refused(here(*command(data), code=2), ["output_dir", "cannot be written to"], data.parent / "outputs")
    finally:
        data.parent.chmod(0o700)


def test_nothing_of_a_finished_campaign_changes_by_a_refused_launch(data: Path, here: Callable[..., Ended]):
    run = (*FEW_STEPS, *LIGHT_EVALUATION, "cluster=inline", "campaign=mine")
    here(*command(data, *run))
    outputs = data.parent / "outputs"
    before = file_hashes(outputs)
    table("clerks", with_orphan)(data)
    here(*command(data, *run), code=2)
    assert file_hashes(outputs) == before
