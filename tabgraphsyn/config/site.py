"""What a site's administrators set for all users: defaults, and what a launch refuses.

Advice, not enforcement: the file is read by this program alone, and its users can name another one. What must hold
whoever submits belongs in slurm.conf and the accounting database.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.config.sbatch import partitions_of
from tabgraphsyn.errors import ConfigError, listing, nearest

SITE_VARIABLE = "TABGRAPHSYN_SITE"
SITE_FILE = Path("/etc/tabgraphsyn/site.yaml")


@dataclass(frozen=True)
class Site:
    """A site's policy.

    Attributes:
        defaults: ``cluster`` settings that hold where the launch leaves them at null or 0.
        partitions: the only ones that may be used; empty for all.
        max_running: most elements of one campaign that may run at once; 0 for no limit.
        poll_s: least time between two questions to the scheduler while watching.
        ingest_job_mb: larger data are read by a job, never by a launch on the login node; None leaves it to the launch.
        environment: variables of the user's shell that Slurm's commands get although they steer them.
        readable_variables: variables that yaml files may read with ``${oc.env:NAME}``; none by default.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    max_running: int = 0
    poll_s: float = 30.0
    ingest_job_mb: float | None = None
    environment: tuple[str, ...] = ()
    readable_variables: tuple[str, ...] = ()

    def problems(self, cluster: Mapping[str, Any]) -> list[str]:
        """Return what a launch's settings break."""
        found = []
        for key, chosen in partitions_of(cluster):
            if self.partitions and chosen not in self.partitions:
                allowed = listing(self.partitions)
                found.append(f"cluster.{key}: this site allows {allowed}, found {chosen!r}.")
        if self.max_running and cluster["max_running"] > self.max_running:
            found.append(
                f"cluster.max_running: this site allows at most {self.max_running}, found {cluster['max_running']!r}."
            )
        return found

    def applied(self, cluster: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings with the site's defaults where the launch set nothing.

        Raises:
            ConfigError: the launch asks for what the site forbids, or the site names a setting that does not exist.
        """
        unknown = [key for key in self.defaults if key not in cluster]
        if unknown:
            raise ConfigError(
                f"site defaults: no such cluster setting {unknown[0]!r}.{nearest(unknown[0], cluster)} "
                f"There are {listing(sorted(cluster), 40)}."
            )
        merged = {**cluster, **{key: value for key, value in self.defaults.items() if not cluster[key]}}
        if self.max_running and not merged["max_running"]:
            merged["max_running"] = self.max_running
        problems = self.problems(merged)
        if problems:
            raise ConfigError("\n".join(problems))
        return merged


def read_site() -> Site:
    """Return the policy that ``TABGRAPHSYN_SITE`` or ``/etc/tabgraphsyn/site.yaml`` holds; an empty one without.

    Raises:
        ConfigError: it cannot be read.
    """
    chosen = os.environ.get(SITE_VARIABLE)
    path = Path(chosen) if chosen else SITE_FILE
    if not path.is_file():
        if chosen:
            raise ConfigError(f"{SITE_VARIABLE}: there is no file {chosen!r}. Correct or unset it.")
        return Site()
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        known = [each.name for each in fields(Site)]
        unknown = [key for key in raw if key not in known]
        if unknown:
            raise ConfigError(f"{path}: no such setting {unknown[0]!r}.{nearest(unknown[0], known)} There are {known}.")
        lists = {key: tuple(raw.get(key, ())) for key in ("partitions", "environment", "readable_variables")}
        return Site(**{**raw, **lists})
    except (OSError, yaml.YAMLError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a site policy ({error}).") from error
