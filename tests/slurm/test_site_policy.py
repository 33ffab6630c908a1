"""The policy of a site: defaults it sets, what it forbids, and that one which cannot be read permits nothing."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tabgraphsyn.config.site import read_site
from tabgraphsyn.errors import ConfigError

CLUSTER = {"cpu_partition": None, "gpu_partition": None, "max_running": 0, "account": None, "nice": 0}


def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(textwrap.dedent(text))
    monkeypatch.setenv("TABGRAPHSYN_SITE", str(path))


def test_a_site_sets_defaults_and_forbids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site(tmp_path, monkeypatch, "defaults: {account: shared}\npartitions: [cpu]\nmax_running: 8\npoll_s: 60\n")
    policy = read_site()
    assert policy.poll_s == 60
    assert policy.applied(CLUSTER) == {**CLUSTER, "account": "shared", "max_running": 8}
    with pytest.raises(ConfigError, match="this site allows 'cpu', found 'gpu'"):
        policy.applied({**CLUSTER, "gpu_partition": "gpu"})
    with pytest.raises(ConfigError, match="at most 8, found 9"):
        policy.applied({**CLUSTER, "max_running": 9})


@pytest.mark.parametrize("text", ["partition: [cpu]", "- 1", "defaults: {"])
def test_a_policy_that_cannot_be_read_is_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    site(tmp_path, monkeypatch, text)
    with pytest.raises(ConfigError):
        read_site()


def test_a_default_must_be_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site(tmp_path, monkeypatch, "defaults: {acount: x}")
    with pytest.raises(ConfigError, match="Did you mean 'account'"):
        read_site().applied(CLUSTER)
