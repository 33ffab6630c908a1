"""doctor ends with 3 where something will fail, and proves a site's yaml; with stand-ins for Slurm's commands."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from tabgraphsyn.config.checks import place_problems
from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.slurm import node_test
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.verbs import cli


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "bin"
    found.mkdir()
    monkeypatch.setenv("PATH", f"{found}:/usr/bin:/bin")
    monkeypatch.setenv("TABGRAPHSYN_CONF", str(tmp_path / "conf"))
    monkeypatch.delenv("TABGRAPHSYN_SITE", raising=False)
    for name in ("sbatch", "srun", "squeue", "scancel", "scontrol", "sacct"):
        fake(found, name, "exit 0")
    return found


def fake(bin_: Path, name: str, body: str) -> None:
    (bin_ / name).write_text(f"#!/bin/sh\n{body}\n")
    (bin_ / name).chmod(0o755)


def write_site(tmp_path: Path, text: str) -> None:
    (tmp_path / "conf" / "cluster").mkdir(parents=True)
    (tmp_path / "conf" / "cluster" / "mine.yaml").write_text(f"defaults: [slurm]\n{text}")


def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, str]]]:
    code = cli.main(["doctor", "--json", "--output-dir", str(tmp_path / "out"), *arguments])
    captured = capsys.readouterr()
    return code, json.loads(captured.out) if captured.out else [{"found": captured.err}]


RUNS = """
for path; do :; done
eval "$(sed -n '/^srun/s/srun --export=ALL//p' "$path" | sed "s|^|$(sed -n '/^export/p' "$path" | tr '\\n' ';')|")"
echo 7
"""


def test_a_controller_that_does_not_answer_fails(tmp_path: Path, bin_: Path, capsys: pytest.CaptureFixture[str]):
    fake(bin_, "scontrol", "echo 'Slurmctld(primary) at ctl is DOWN'; exit 1")
    code, found = doctor(tmp_path, capsys)
    assert code == 3
    (failed,) = [each for each in found if each["level"] == "fails"]
    assert failed["what"] == "Slurm" and "ctl is DOWN" in failed["found"]


def test_a_sites_settings_reach_its_test_job(tmp_path: Path, bin_: Path, capsys: pytest.CaptureFixture[str]):
    write_site(
        tmp_path,
        "account: proj\nqos: short\ncpu_partition: cpu\nsetup: ['export FROM_SETUP=1']\n"
        f"python: {sys.executable}\nsbatch: {{mem-per-cpu: 1G}}\n",
    )
    fake(bin_, "sbatch", f'cp "$2" {tmp_path}/seen.sh{RUNS}')
    fake(bin_, "scontrol", "[ \"$1\" = requeue ] && { echo 'Access denied' >&2; exit 1; }; echo ClusterName=c")
    code, found = doctor(tmp_path, capsys, "--test", "--site", "mine")
    script = (tmp_path / "seen.sh").read_text()
    for line in ("--account=proj", "--qos=short", "--partition=cpu", "--mem-per-cpu=1G", "export FROM_SETUP=1"):
        assert line in script
    texts = {each["what"]: each for each in found}
    assert code == 0 and sys.executable in texts["test job (cpu)"]["found"], found
    assert "every setting is known" in texts["site"]["found"]


def test_what_the_site_names_and_the_node_lacks_fails_and_says_what(
    tmp_path: Path, bin_: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(node_test, "_ASK_EVERY_S", 0.5)
    write_site(tmp_path, "container: [apptainer, exec, /images/gone.sif]\n")
    fake(bin_, "sbatch", 'echo "/images/gone.sif: no such file" > "$(dirname "$2")/log"; echo 7')
    fake(bin_, "scontrol", "echo ClusterName=c")
    code, found = doctor(tmp_path, capsys, "--test", "--site", "mine")
    (failed,) = [each for each in found if each["level"] == "fails"]
    assert code == 3 and "gone.sif: no such file" in failed["found"] and "container" in failed["advice"]


def test_a_refused_account_fails(tmp_path: Path, bin_: Path, capsys: pytest.CaptureFixture[str]):
    write_site(tmp_path, "account: nobody\n")
    fake(bin_, "sbatch", "echo 'Invalid account or account/partition combination specified' >&2; exit 1")
    fake(bin_, "scontrol", "echo ClusterName=c")
    code, found = doctor(tmp_path, capsys, "--test", "--site", "mine")
    assert code == 3 and any("Invalid account" in each["found"] for each in found if each["level"] == "fails")


@pytest.mark.parametrize(
    ("text", "said"),
    [("acount: x\n", "acount"), ("max_running: -1\n", "max_running"), ("sbatch: {array: 1}\n", "cannot be set")],
)
def test_a_mistake_in_a_sites_yaml_is_the_users(
    tmp_path: Path, bin_: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
):
    write_site(tmp_path, text)
    code, found = doctor(tmp_path, capsys, "--site", "mine")
    assert code == 2 and said in found[0]["found"]


@pytest.mark.parametrize("name", ["100%", "a%j", "back\\slash"])
def test_folders_that_slurm_reads_as_patterns_are_refused_before_the_queue(tmp_path: Path, name: str):
    (problem,) = place_problems(tmp_path / name, on_slurm=True)
    assert "which Slurm takes for a pattern" in problem
    assert not place_problems(tmp_path / name)


def test_without_hard_links_a_launch_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(SubmissionError, match="without hard links"), ledger.submission_lock(tmp_path):
        pass


def test_a_wait_for_a_lock_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(ledger, "_SAY_AFTER_S", 0.1)
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger.submission_lock(tmp_path):
            taken.set()
            release.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(20)
    threading.Timer(0.6, release.set).start()
    with ledger.submission_lock(tmp_path):
        pass
    holder.join()
    said = capsys.readouterr().err
    assert f"whose process {os.getpid()} on " in said and said.count("waiting for") == 1
