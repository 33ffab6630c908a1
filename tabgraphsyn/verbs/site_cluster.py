"""The settings of a site's yaml, for verbs that submit a job of their own."""

from __future__ import annotations

from typing import Any

from tabgraphsyn.config.site import read_site
from tabgraphsyn.errors import ConfigError, raise_collected


def site_config(site: str | None) -> dict[str, Any]:
    """Return the config of a launch with ``cluster=<site>``, its cluster checked as a launch checks it.

    Args:
        site: name of a yaml in ``conf/cluster``; None for what a launch takes by itself, if that is Slurm.

    Raises:
        ConfigError: there is no such site, or a setting of it is wrong.
    """
    from tabgraphsyn.config.checks import cluster_problems
    from tabgraphsyn.config.composition import compose_points

    composed = compose_points([f"cluster={site}"] if site else [], multirun=False)
    raise_collected(ConfigError, composed.problems)
    config = dict(composed.points[0].config)
    if config["cluster"]["executor"] != "slurm" and site is None:
        return site_config("slurm")
    raise_collected(ConfigError, list(cluster_problems(config["cluster"])))
    if config["cluster"]["executor"] != "slurm":
        raise ConfigError(f"--site: cluster={site} runs on this machine. A site's yaml begins with defaults: [slurm].")
    return {**config, "cluster": read_site().applied(config["cluster"])}
