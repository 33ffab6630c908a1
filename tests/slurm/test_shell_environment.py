"""The user's shell decides nothing: neither its variables nor the job that it runs in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from cluster_kit import HERE, DevCluster, Launches, wait_until

from tabgraphsyn.orchestration.code.tree_digest import tree_digest
from tabgraphsyn.orchestration.slurm.bootstrap import bootstrap_path, start_command, write_bootstrap
from tabgraphsyn.orchestration.slurm.element_id import ElementId
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler, directives
from tabgraphsyn.orchestration.slurm.shell_environment import cleaned

ONE = ("dataset=single",)
HOSTILE = {
    "SQUEUE_STATES": "RUNNING", "SQUEUE_USERS": "nobody", "SQUEUE_PARTITION": "high", "SQUEUE_NAMES": "other",
    "SQUEUE_FORMAT": "%i", "SQUEUE_ACCOUNT": "other", "SBATCH_PARTITION": "high", "SBATCH_TIMELIMIT": "1",
    "SBATCH_NO_REQUEUE": "1", "SBATCH_SIGNAL": "B:USR1@10", "SBATCH_OUTPUT": "/nonexistent/log", "SBATCH_GRES": "gpu:2",
    "SBATCH_JOB_NAME": "mine", "SBATCH_ARRAY_INX": "0-3", "SBATCH_EXPORT": "NONE", "SBATCH_DEPENDENCY": "afterok:1",
    "SLURM_MEM_PER_CPU": "100", "SRUN_EXPORT_ENV": "NONE", "SLURM_EXPORT_ENV": "NONE", "SCANCEL_STATE": "PENDING",
    "SACCT_FORMAT": "User", "SLURM_TIME_FORMAT": "relative",
}  # fmt: skip


def test_only_the_cluster_and_who_asks_are_kept():
    given = {**HOSTILE, "SLURM_CONF": "/c", "SLURM_JWT": "t", "HOME": "/h", "SLURM_CLUSTERS": "other"}
    assert cleaned(given) == {"SLURM_CONF": "/c", "SLURM_JWT": "t", "HOME": "/h"}
    assert "SLURM_CLUSTERS" in cleaned(given, {"SLURM_CLUSTERS"})


def test_gpus_of_the_job_around_a_launch_are_not_those_of_its_jobs():
    given = {"CUDA_VISIBLE_DEVICES": "0", "SLURM_JOB_ID": "7"}
    assert cleaned(given) == {} and cleaned({"CUDA_VISIBLE_DEVICES": "0"}) == {"CUDA_VISIBLE_DEVICES": "0"}


def test_a_policy_lets_variables_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    policy = tmp_path / "site.yaml"
    policy.write_text("environment: [SLURM_CLUSTERS]\n")
    monkeypatch.setenv("TABGRAPHSYN_SITE", str(policy))
    monkeypatch.setenv("SLURM_CLUSTERS", "b")
    monkeypatch.setenv("SQUEUE_STATES", "R")
    assert Scheduler().call("sh", "-c", 'echo "$SLURM_CLUSTERS$SQUEUE_STATES"').stdout.strip() == "b"
    policy.write_text("nonsense: [\n")
    assert Scheduler().call("sh", "-c", 'echo "$SLURM_CLUSTERS$SQUEUE_STATES"').stdout.strip() == ""


def test_what_a_script_says_stands_on_the_command_line(tmp_path: Path):
    script = tmp_path / "a b.sh"
    script.write_text("#!/bin/bash\n\n#SBATCH --comment='two words'\n#SBATCH --requeue\n#  SBATCH no\nsrun x\n")
    assert directives(str(script)) == ["--comment=two words", "--requeue"]


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "None"),
        ({"SLURM_JOB_ID": "7"}, "7"),
        ({"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "11"}, "7_11"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0"}, "7_0"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "3"}, "9"),
    ],
)
def test_an_element_is_named_by_its_array_and_index(variables: Mapping[str, str], name: str):
    assert str(ElementId.current(variables)) == name


def test_the_record_of_an_element_is_found_among_its_siblings():
    """The last element of an array is shown with all of them; a pending rest of an array is no element."""
    shown = [
        {"JobId": "7", "ArrayJobId": "7", "ArrayTaskId": "3", "JobState": "RUNNING"},
        {"JobId": "7", "ArrayJobId": "7", "ArrayTaskId": "4-9%2", "JobState": "PENDING"},
        {"JobId": "8", "ArrayJobId": "7", "ArrayTaskId": "0", "JobState": "PENDING", "Restarts": "1"},
    ]
    assert ElementId("7", "7", 3).record(shown)["JobState"] == "RUNNING"
    assert ElementId("7", "7", 5).record(shown) == {} and ElementId("7").record(shown) == {}
    assert ElementId("7").record([{"JobId": "7", "JobState": "RUNNING"}])["JobState"] == "RUNNING"


@pytest.mark.parametrize("name", ["plain", "co:lon", "sp ace"])
def test_a_job_finds_the_code_of_its_launch_without_pythonpath(tmp_path: Path, name: str):
    code, own = tmp_path / name, tmp_path / "own"
    launch = tmp_path / "launch"
    launch.mkdir()
    for folder, text in ((code, "snapshot"), (own, "live")):
        package = folder / "tabgraphsyn" / "orchestration" / "slurm" / "node"
        package.mkdir(parents=True)
        for each in (package, *list(package.parents)[:3]):
            (each / "__init__.py").touch()
        (package / "element.py").write_text(
            f"def main():\n    import extra\n    print('{text}', extra.X)\n    return 5\n"
        )
    (own / "extra.py").write_text("X = 1\n")
    (launch / "extra.py").write_text("X = 'of the launch folder'\n")
    (launch / "array-0.list").write_text("{}")
    write_bootstrap(launch, (str(code), tree_digest(str(code))), [str(own)])
    command = [sys.executable, *start_command(launch, launch / "array-0.list")]
    for variables in ({}, {"PYTHONPATH": str(own)}, {"PYTHONSAFEPATH": "1"}):
        done = subprocess.run(command, env=variables, cwd=launch, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (5, "snapshot 1"), done.stderr
    # Whoever may write to the store may write these; a job runs nothing of what is not what its launch wrote.
    for path, message in (
        (code / "tabgraphsyn" / "__init__.py", "somebody changed it"),
        (launch / "array-0.list", "not what the launch wrote"),
        (bootstrap_path(launch), "not what the launch wrote"),
    ):
        text = path.read_text()
        path.write_text(f"{text}\nprint('run as somebody else')\n")
        done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
        assert done.returncode == 3 and not done.stdout and message in done.stderr, (path, done)
        path.write_text(text)
    (code / "hashlib.py").write_text("print('run as somebody else')\n")
    done = subprocess.run(command, env={}, cwd=code, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and not done.stdout, done


@pytest.mark.slurm
def test_variables_of_the_shell_change_no_job_and_no_answer(launches: Launches, cluster: DevCluster):
    hostile = Launches(launches.folder, launches.conf, {**launches.environment, **HOSTILE})
    hostile.run("campaign=c", "fake.prepare=hold", *ONE)
    hostile.wait_for("stages/prepare/*/attempts/1.json")
    for submission in launches.ledger():
        text = cluster.call("scontrol", "show", "job", "-o", submission["job"])
        found = dict(word.split("=", 1) for word in text.split() if "=" in word)
        assert (found["Partition"], found["Requeue"], found["TimeLimit"]) == ("cpu", "1", "01:00:00"), text
        assert found["JobName"] == submission["name"] and "ArrayJobId" not in found and "gpu" not in found["TRES"]
    words = {stage["label"]: stage["state"] for stage in hostile.states("c").values()}
    assert words["prepare"] == "running" and words["evaluate"] == "waiting", words
    assert "0 submitted" in hostile.verb("repair", "c")
    (launches.out / "release").touch()
    launches.wait_done(6)
    again = Launches(launches.folder, launches.conf, {**launches.environment, **HOSTILE})
    again.run("campaign=d", "fake.prepare=hold", "fake.gnn=hold", *ONE, "seed=5")
    assert "cancelled" in again.verb("cancel", "d")
    wait_until(lambda: not cluster.queue(), 30, "queue empty")


@pytest.mark.slurm
@pytest.mark.parametrize("place", ["array task", "mem per cpu", "salloc", "requeued"])
def test_a_launch_from_inside_a_job_is_like_one_from_a_clean_shell(
    launches: Launches, cluster: DevCluster, tmp_path: Path, place: str
):
    arguments = {
        "array task": ("--array=3", "--mem=300"), "mem per cpu": ("--mem-per-cpu=200",), "salloc": ("--mem=300",),
        "requeued": ("--mem=300", "--requeue"),
    }[place]  # fmt: skip
    launch = f"{sys.executable} {HERE / 'slurm_launch.py'} output_dir={launches.out} campaign=c dataset=single"
    step = "srun --overlap --ntasks=1 " if place == "array task" else ""
    lines = ["#!/bin/bash", f"export FAKE_CONF={launches.conf}"]
    if place == "requeued":
        lines += ['[ -z "$SLURM_RESTART_COUNT" ] && { scontrol requeue $SLURM_JOB_ID; sleep 60; }']
    lines += [f"{step}{launch} > {tmp_path}/said 2>&1; echo $? > {tmp_path}/code"]
    script = tmp_path / "job.sh"
    script.write_text("\n".join(lines) + "\n")
    if place == "salloc":
        script.chmod(0o755)
        cluster.call("salloc", "-n1", *arguments, str(script))
    else:
        cluster.call("sbatch", "-o", str(tmp_path / "log"), "-t", "5", *arguments, str(script))
    wait_until((tmp_path / "code").exists, 60, "the launch")
    assert (tmp_path / "code").read_text().strip() == "0", (tmp_path / "said").read_text()
    launches.wait_done(6)
    assert launches.requeues() == []
    owners = [json.loads(path.read_text())["owner"] for path in launches.out.glob("stages/gnn/*/attempts/*.json")]
    assert [each["restart"] for each in owners] == [0]


@pytest.mark.slurm
def test_jobs_start_although_nothing_is_exported(launches: Launches, tmp_path: Path):
    """--export=NONE reaches srun too; a colon in a folder splits PYTHONPATH. test_code_copy holds whose code runs."""
    odd = Launches(tmp_path / "a:b", launches.conf, launches.environment)
    odd.run("campaign=c", "+cluster.sbatch.export=NONE", *ONE)
    odd.wait_done(6)
