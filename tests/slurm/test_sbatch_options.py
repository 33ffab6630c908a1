"""An sbatch argument of the user's replaces ours whichever way it is spelt; the DAG's own cannot be replaced."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from tabgraphsyn.config.sbatch import job_name_of, problems
from tabgraphsyn.config.site import Site
from tabgraphsyn.config.top_level import ClusterConfig
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.slurm import script
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Request, Unit

UNIT = Unit("gnn", None, Request(2, 4.0, 60), ("gnn/a",), frozenset())


def cluster(**settings: Any) -> dict[str, Any]:
    return {**dataclasses.asdict(ClusterConfig()), "cpu_partition": "cpu", **settings}


@pytest.fixture(autouse=True)
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("srun") is None:
        (tmp_path / "srun").write_text("#!/bin/sh\n")
        (tmp_path / "srun").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def options(tmp_path: Path, **sbatch: Any) -> dict[str, str]:
    """Options of the batch script of an array of two."""
    settings = cluster(sbatch=sbatch)
    array = JobArray(0, "gnn", UNIT.request, {0: UNIT, 1: UNIT})
    text = script.batch_script(array, "name", tmp_path, tmp_path / "a.list", "afterok:7", settings)
    head = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH --")]
    names = [line.partition("=")[0] for line in head]
    assert len(names) == len(set(names)), "an option stands there twice, and the later one wins in silence"
    assert text.index("#SBATCH") < text.index("srun")
    step = next(line for line in text.splitlines() if line.startswith("srun"))
    return {**{line.partition("=")[0]: line.partition("=")[2] for line in head}, "step": step}


def test_without_the_users_own_ours_stand(tmp_path: Path):
    found = options(tmp_path)
    assert (found["mem"], found["cpus-per-task"], found["partition"]) == ("4096MB", "2", "cpu")
    assert found["array"] == "0-1%2" and found["dependency"] == "afterok:7" and "requeue" in found


@pytest.mark.parametrize("name", ["cpus-per-task", "cpus_per_task", "c"])
def test_any_spelling_replaces_ours(tmp_path: Path, name: str):
    found = options(tmp_path, **{name: 6})
    assert found["cpus-per-task"] == "6" and "--cpus-per-task=6" in found["step"]


def test_memory_per_cpu_takes_the_place_of_memory(tmp_path: Path):
    for name in ("mem-per-cpu", "mem_per_cpu"):
        found = options(tmp_path, **{name: "2G"})
        assert found["mem-per-cpu"] == "2G" and "mem" not in found
    assert "gres" not in options(tmp_path, **{"gpus-per-node": "a100:1"})


def test_null_takes_ours_away(tmp_path: Path):
    found = options(tmp_path, mem=None, time=None, requeue=False)
    assert not {"mem", "time", "requeue"} & set(found) and "no-requeue" in found


def test_words_with_spaces_are_quoted_and_flags_have_no_value(tmp_path: Path):
    found = options(tmp_path, comment="two words", exclusive=True, **{"no-requeue": True})
    assert found["comment"] == "'two words'" and found["exclusive"] == "" and "requeue" not in found


@pytest.mark.parametrize("name", ["dependency", "d", "array", "output", "o", "signal", "kill_on_invalid_dep", "nodes"])
def test_what_the_dag_stands_on_is_refused_with_a_message(name: str):
    (found,) = problems(cluster(sbatch={name: "x"}))
    assert found.startswith(f"cluster.sbatch.{name}: cannot be set: ") and found.endswith(".")


def test_two_spellings_of_one_option_are_a_mistake():
    (found,) = problems(cluster(sbatch={"job_name": "a", "job-name": "b"}))
    assert "the same option as" in found


@pytest.mark.parametrize("key", ["account", "qos", "constraint", "cpu_partition"])
def test_a_value_cannot_begin_another_line_of_the_script(key: str):
    (found,) = problems(cluster(**{key: "a\ntouch x #"}))
    assert found.startswith(f"cluster.{key}: one line")


def test_job_names_go_by_a_pattern_and_stay_apart():
    assert job_name_of(cluster(), "flights-0a1b", "evaluate+report", "01234567") == (
        "tgs-flights-0a1b-evaluate_report-01234567"
    )
    assert ":" not in job_name_of(cluster(), "a:b", "c", "k")
    assert job_name_of(cluster(job_name="mine"), "c", "s", "k") == "mine-k"
    assert job_name_of(cluster(sbatch={"job-name": "{stage}/{key}"}), "c", "s", "k") == "s/k"
    (found,) = problems(cluster(job_name="{campain}-{key}"))
    assert "'{campain}'" in found


def test_a_site_checks_what_is_asked_in_the_end():
    site = Site(partitions=("cpu", "gpu"), max_running=4)
    assert not site.problems(cluster(cpu_partition="cpu,gpu"))
    for settings in (cluster(sbatch={"partition": "high"}), cluster(sbatch={"p": "cpu,high"})):
        with pytest.raises(ConfigError, match=r"cluster\.sbatch\.partition: this site allows .* found 'high'"):
            site.applied(settings)
    assert not site.problems(cluster(cpu_partition="high", sbatch={"partition": "cpu"}))
