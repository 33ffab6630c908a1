"""A partition gives less than when jobs were submitted: what asks for less now takes their place."""

from __future__ import annotations

import pytest
from cluster_kit import DevCluster, Launches, wait_until

from tabgraphsyn.generators.kinds import StageKind
from tabgraphsyn.orchestration.planning.plan import Plan, Stage
from tabgraphsyn.orchestration.slurm.arrays import Ref
from tabgraphsyn.orchestration.slurm.identity import user_name
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob
from tabgraphsyn.orchestration.slurm.standing import QueuedStage, standing_of


def queued(job: str, reason: str) -> QueuedStage:
    return QueuedStage(Ref(job, None, False), QueuedJob(job, "PENDING", reason, user_name()))


@pytest.mark.parametrize("reason", ["PartitionTimeLimit", "PartitionNodeLimit", "PartitionTimeLimit (x)"])
def test_what_is_replaced_goes_and_what_waits_for_it_waits_for_the_new_one(reason: str):
    kind = StageKind(name="k", version=1, module="m", config_keys=())
    first, second = Stage(kind, None, "a", {}, {}), Stage(kind, None, "b", {}, {"k": "k/a"})
    plan = Plan({"k/a": first, "k/b": second}, {})
    jobs = {"k/a": queued("7", reason), "k/b": queued("8", "Dependency")}
    assert jobs["k/a"].job.is_too_large and not jobs["k/b"].job.is_too_large
    kept = standing_of(plan, set(), jobs, can_update=True)
    assert set(kept.alive) == {"k/a", "k/b"} and not kept.stuck and not kept.rearmed
    now = standing_of(plan, set(), jobs, can_update=True, replaced={"7"})
    assert now.stuck == ["7"] and set(now.alive) == {"k/b"} and set(now.rearmed) == {"8"}


@pytest.mark.slurm
def test_a_launch_that_asks_for_less_replaces_what_would_never_start(launches: Launches, cluster: DevCluster):
    stages = ("fake.prepare=hold", "dataset=single")
    launches.run(*stages, "resources.autoencoder.timeout_min=300")
    (waiting,) = [each["job"] for each in launches.ledger() if "autoencoder" in str(each["elements"])]
    cluster.call("scontrol", "update", "partition=cpu", "MaxTime=60")
    try:
        launches.out.joinpath("release").touch()
        wait_until(lambda: "PartitionTimeLimit" in cluster.call("squeue", "-h", "-o", "%i %r"), 120, "limit")
        said = launches.verb("repair", code=None)
        assert waiting in cluster.call("squeue", "-h", "-o", "%i"), f"the same request is as good as before: {said}"
        others = [f"resources.{kind}.timeout_min=10" for kind in ("gnn", "sample", "evaluate")]
        said = launches.run(*stages, "resources.autoencoder.timeout_min=20", *others)
        assert "could never have started" in said, said
        launches.wait_done(6, timeout_s=180)
        wait_until(lambda: not cluster.queue(), 120, "queue empty")
    finally:
        cluster.call("scontrol", "update", "partition=cpu", "MaxTime=UNLIMITED")
