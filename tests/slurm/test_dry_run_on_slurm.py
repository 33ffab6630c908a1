"""A dry run says what a launch would do, as the queue, the store, the scheduler and the site's policy stand."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from cluster_kit import DevCluster, Launches, wait_until

pytestmark = pytest.mark.slurm

ONE = ("dataset=single",)


def words(text: str) -> dict[str, Counter[str]]:
    """Label -> how often each word was said of it."""
    found: dict[str, Counter[str]] = {}
    for word, label in re.findall(r"^  (\w+) +([a-z/]+) +[0-9a-f]{20}", text, re.MULTILINE):
        found.setdefault(label, Counter())[word] += 1
    return found


def written(launches: Launches) -> list[Path]:
    """What launches write, apart from what the running stage does."""
    return sorted(
        path for name in ("slurm/**/*.sh", "campaigns/**/*", "stages/*/*") for path in launches.out.glob(name)
    )


def test_done_queued_and_new_stages_are_told_apart(launches: Launches, cluster: DevCluster):
    launches.run("campaign=c", "fake.prepare=hold", *ONE)
    launches.wait_for("stages/prepare/*/attempts/1.json")
    before = written(launches)
    text = launches.run("-m", "seed=0,1", "dry_run=true", "fake.prepare=hold", *ONE)
    found = words(text)
    assert found["ingest"] == {"cached": 1} and found["prepare"] == {"join": 1}
    assert found["gnn"] == {"join": 1, "run": 1}
    job = next(each["job"] for each in launches.ledger() if "-prepare-" in each["name"])
    assert re.search(rf"join +prepare.*job {job} of \w+: running", text), text
    assert re.search(r"join +gnn.*for its inputs \(afterok:", text), text
    assert f"#SBATCH --dependency=afterok:{job}" in text
    assert "no history of 1 autoencoder, 1 gnn" in text and "joining jobs in the queue saves" in text
    assert written(launches) == before
    time.sleep(5)  # hours are shown to a thousandth, 3.6 s: prepare is held for longer than that
    (launches.out / "release").touch()
    launches.wait_done(6)
    text = launches.run("dry_run=true", "fake.prepare=hold", *ONE)
    assert set(words(text)["evaluate"]) == {"cached"} and "6 cached. Nothing" in text
    # As long as prepare was held: seconds, on a busy machine more than half a minute.
    saved = re.search(r"the cache saves (0\.\d{3}) hours of running", text)
    assert saved and 0 < float(saved[1]) < 0.2, text
    assert "scheduler calls: 1 scontrol" in text  # nothing to ask the queue for


def test_what_the_scheduler_refuses_is_blocked_with_all_behind_it(launches: Launches, cluster: DevCluster):
    text = launches.run("dry_run=true", "resources.gnn.mem_gb=4000", *ONE)
    found = words(text)
    assert found["autoencoder/a"] == {"run": 1}
    assert all(found[label] == {"blocked": 1} for label in ("gnn", "sample", "evaluate"))
    assert "a launch would be refused before anything is queued" in text
    assert "input gnn is blocked" in text and "configuration is not available" in text


def test_what_the_site_forbids_is_blocked(launches: Launches, tmp_path: Path):
    policy = tmp_path / "site.yaml"
    policy.write_text("partitions: [low]\n")
    strict = Launches(launches.folder, launches.conf, {**launches.environment, "TABGRAPHSYN_SITE": str(policy)})
    text = strict.run("dry_run=true", *ONE)
    assert words(text)["prepare"] == words(text)["gnn"] == {"blocked": 1}
    assert "this site allows 'low', found 'cpu'" in text


def test_what_failed_or_is_held_back_is_said(launches: Launches, cluster: DevCluster):
    launches.run("fake.gnn=fail", *ONE)
    wait_until(lambda: launches.done() == 3 and not cluster.queue(), 60, "the failure")
    text = launches.run("dry_run=true", "fake.gnn=fail", *ONE)
    assert re.search(r"run +gnn .*failed before: gnn: made to fail", text), text
    text = launches.run("dry_run=true", "-m", "seed=range(0,3)", "cluster.max_submit=4", *ONE)
    assert words(text)["evaluate"] == {"run": 1, "held": 2}, text
