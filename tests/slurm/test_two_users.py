"""Two users, one store: a setgid folder of their group. Needs root, because only root can be two others."""

from __future__ import annotations

import json
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cluster_kit import HERE, DevCluster, Launches, wait_until, write_conf
from two_users import two_users

ONE = ("dataset=single",)


@dataclass
class UserLaunches(Launches):
    """Launches of one of the users, with the umask that most people have."""

    user: pwd.struct_passwd | None = None
    group: int = 0
    python: str = sys.executable
    shared: Path = field(default_factory=Path)

    @property
    def out(self) -> Path:
        return self.shared / "out"

    def popen(self, *command: str) -> subprocess.Popen[str]:
        assert self.user is not None
        return subprocess.Popen(
            [self.python, *command],
            env={**self.environment, "FAKE_CONF": str(self.conf)}, cwd=self.folder, umask=0o022,
            user=self.user.pw_uid, group=self.group, extra_groups=[self.group],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self.popen(str(HERE / "slurm_launch.py"), f"output_dir={self.out}", *arguments)

    def verb(self, *arguments: str, code: int = 0) -> str:
        process = self.popen("-m", "tabgraphsyn", *arguments, "--output-dir", str(self.out))
        text, _ = process.communicate(timeout=280)
        assert process.returncode == code, text
        return text


@pytest.fixture
def users(request: pytest.FixtureRequest) -> Iterator[tuple[UserLaunches, UserLaunches]]:
    """Two users with a group in common, and a folder of that group."""
    with two_users(HERE) as (place, *both):
        conf = write_conf(place / "conf")
        found = []
        for user in both:
            environment = dict(user.environment)
            if "slurm" in request.keywords:
                cluster: DevCluster = request.getfixturevalue("cluster")
                environment["SLURM_CONF"] = cluster.environment["SLURM_CONF"]
            made = UserLaunches(user.home, conf, environment, (), user.entry, user.group, user.python, place / "shared")
            found.append(made)
        yield found[0], found[1]


def owners(paths: Iterator[Path]) -> set[str]:
    return {path.owner() for path in paths}


@pytest.mark.slow
def test_what_one_user_made_the_other_uses_and_goes_on(users: tuple[UserLaunches, UserLaunches]):
    first, second = users
    first.run("campaign=one", *ONE, "cluster=here")
    text = second.run("campaign=two", *ONE, "cluster=here", "-m", "seed=0,1")
    assert "6 cached" in text, text
    first.run("campaign=two", *ONE, "cluster=here", "-m", "seed=0,1,2")  # writes to what the other one made
    assert set(first.marks("computed").values()) == {1}
    for path in (first.out / "stages").rglob("*"):
        mode = path.stat().st_mode
        is_published = path.is_file() and ("artifacts" in path.parts or path.name == "done.json")
        assert mode & (stat.S_IRGRP if is_published else stat.S_IWGRP), path
        assert path.stat().st_gid == first.group, path
    usage = json.loads(first.verb("usage", "--json"))
    assert {entry["user"] for entry in usage} == {str(first.user.pw_name), str(second.user.pw_name)}  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_stage_that_one_user_left_unfinished_is_taken_over(users: tuple[UserLaunches, UserLaunches]):
    """Leases, checkpoints and left-over files of another user are not in the way."""
    first, second = users
    first.run("campaign=one", *ONE, "cluster=here", "fake.gnn=train:10:0+kill_once+train:20:0", code=3)
    second.run("campaign=two", *ONE, "cluster=here", "fake.gnn=train:10:0+kill_once+train:20:0")
    assert owners((first.out / "stages" / "gnn").glob("*/attempts/*.json")) == {
        str(each.user.pw_name) for each in users if each.user
    }


@pytest.mark.slurm
def test_a_second_user_joins_the_first_ones_jobs(users: tuple[UserLaunches, UserLaunches], cluster: DevCluster):
    """Also queued ones: the second user's jobs wait for the first one's, nothing is computed twice."""
    first, second = users
    first.run("campaign=one", "fake.prepare=hold", *ONE)
    first.wait_for("stages/prepare/*/attempts/1.json")
    text = second.run("campaign=two", "fake.prepare=hold", "-m", "seed=0,1", *ONE)
    assert "5 joined to jobs in the queue" in text, text
    cancelled = json.loads(second.verb("cancel", "one", "--json"))
    assert not cancelled["cancelled"]
    (first.out / "release").touch()
    second.wait_done(10)
    wait_until(lambda: not cluster.queue(), 30, "queue empty")
    assert set(first.marks("computed").values()) == {1}
    assert len(list(first.out.glob("campaigns/two/*/metrics.json"))) == 2, "shown by the first user's jobs too"
    assert {each["user"] for each in first.ledger()} == {each.user.pw_name for each in users if each.user}
    logs = first.out.glob("slurm/launches/*/*_log.out")
    assert all(path.stat().st_mode & stat.S_IWGRP for path in logs)
    third = second.run("campaign=two", "fake.prepare=hold", "-m", "seed=0,1", *ONE)
    assert "0 submitted" in third


@pytest.mark.slurm
def test_another_users_jobs_are_not_reported_as_cancelled(users: tuple[UserLaunches, UserLaunches]):
    first, second = users
    first.run("campaign=one", "fake.prepare=hold", *ONE)
    first.wait_for("stages/prepare/*/attempts/1.json")
    text = second.verb("cancel", "one")
    assert "cancelled 0 elements" in text and "5 elements run on, of another user" in text, text
    assert "cancelled 5 elements" in first.verb("cancel", "one")
