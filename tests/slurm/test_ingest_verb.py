"""``tabgraphsyn ingest`` of large data on a login node: a job reads them, what it says and its exit code come back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cluster_kit import DevCluster

from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.slurm import step_job

CLUSTER = {
    "cpu_partition": "cpu",
    "qos": None,
    "account": "a1",
    "constraint": None,
    "setup": ["module load x"],
    "container": ["apptainer", "exec", "i.sif"],
    "python": "/usr/bin/python",
    "sbatch": {"mem-per-cpu": "2G", "requeue": False, "p": "fast"},
}


def test_the_step_has_the_sites_settings():
    command = step_job.step_command("n", ["ingest", "a b"], CLUSTER, mem_gb=4, minutes=60)
    at = command.index("bash")
    assert command[0] == "srun" and command[at:] == [
        *("bash", "-c", 'module load x\nexec "$@"', "bash", "apptainer", "exec", "i.sif"),
        *("/usr/bin/python", "-m", "tabgraphsyn", "ingest", "a b"),
    ]
    assert {"--account=a1", "--partition=fast", "--mem-per-cpu=2G", "--time=60"} <= set(command[:at])
    assert not any(word.startswith(("--mem=", "--requeue")) for word in command[:at])


def test_a_login_node_has_srun_and_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "srun").touch(0o755)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert step_job.is_login_node()
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert not step_job.is_login_node()


@pytest.mark.parametrize(("code", "said"), [(253, "out of memory"), (1, "what srun says")])
def test_what_is_not_the_verbs_own_code_is_an_error(code: int, said: str):
    with pytest.raises(SubmissionError, match=said):
        step_job.run_step(["sh", "-c", f"exit {code}"])
    assert step_job.run_step(["sh", "-c", "exit 2"]) == 2


@pytest.mark.slurm
def test_a_job_reads_what_is_large(tmp_path: Path, cluster: DevCluster):
    data, policy = tmp_path / "shops", tmp_path / "site.yaml"
    data.mkdir()
    policy.write_text("ingest_job_mb: 0\n")
    (data / "shops.csv").write_text("shop_id,size\n" + "".join(f"{n},{n * 3}\n" for n in range(50)))
    environment = {
        **cluster.environment,
        "TABGRAPHSYN_SITE": str(policy),
        "TABGRAPHSYN_CONF": str(tmp_path / "conf"),
        "SBATCH_PARTITION": "nowhere",
        "SLURM_PARTITION": "nowhere",
    }

    def ingest(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tabgraphsyn", "ingest", str(data), "--site", "devcluster", *more]
        return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)

    def jobs() -> int:
        return (
            (cluster.folder / "log" / "slurmctld.log").read_text().count("sched: _slurm_rpc_allocate_resources JobId=")
        )

    before = jobs()
    done = ingest()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "read by a job of" in done.stderr and "dataset=shops" in done.stdout
    assert (tmp_path / "conf" / "dataset" / "shops.yaml").is_file() and jobs() == before + 1
    assert ingest().returncode == 2 and jobs() == before + 1, "what stands already is said without a job"
    (data / "shops.csv").write_text("shop_id,shop_id\n1,2\n")
    bad = ingest("--overwrite")
    assert bad.returncode == 2 and "stands more than once" in bad.stderr and jobs() == before + 1
    (data / "shops.csv").write_text("shop_id,size,none\n" + "".join(f"{n},{n},\n" for n in range(50)))
    there, here = ingest("--overwrite"), ingest("--overwrite", "--here")
    assert there.returncode == here.returncode == 2 and jobs() == before + 2
    assert here.stderr.strip() in there.stderr and "shops.none" in here.stderr
    assert [path.name for path in (tmp_path / "conf" / "dataset").iterdir()] == ["shops.yaml"]
