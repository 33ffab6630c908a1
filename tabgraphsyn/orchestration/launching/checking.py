"""From a command line to sweep points of which everything was checked that can be, before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tabgraphsyn.errors import ConfigError, raise_collected

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from tabgraphsyn.orchestration.campaign.naming import Point


def checked_points(
    overrides: Sequence[str | Override],
    multirun: bool,
    *,
    has_components: bool,
    whole: Mapping[str, Any] | None = None,
) -> list[Point]:
    """Compose, and raise everything that is wrong at once.

    Args:
        overrides: as a command line has them.
        multirun: they may sweep.
        has_components: check what components' constructors say too; a test's own catalog has none.
        whole: all values of a point, on which the overrides are set.

    Raises:
        ConfigError: all that is wrong.
    """
    from pathlib import Path

    from tabgraphsyn.config.checks import config_problems, place_problems
    from tabgraphsyn.config.composition import compose_points
    from tabgraphsyn.config.site import read_site
    from tabgraphsyn.config.top_level import COMPONENT_GROUPS
    from tabgraphsyn.config.unread import unread_problems
    from tabgraphsyn.config.values import value_problems
    from tabgraphsyn.orchestration.campaign.naming import Point

    composed = compose_points(overrides, multirun=multirun, readable=read_site().readable_variables, whole=whole)
    problems = list(composed.problems)
    groups = (*COMPONENT_GROUPS, "tracking")
    checked: set[tuple[int, ...]] = set()
    for point in composed.points:
        # Points of one composition share the very objects of all that the sweep does not set: those are checked once.
        parts = tuple(id(value) for value in point.config.values() if isinstance(value, dict | list))
        is_new = has_components and parts not in checked
        checked.add(parts)
        problems += config_problems(point.config, point.missing, groups, point.added, has_components=is_new)
        problems += value_problems(point.config, problems) if is_new else []
        problems += _secret_settings(point.config) if is_new else []
    if has_components:
        problems += unread_problems((point.overrides, point.config) for point in composed.points)
    if composed.points:
        config = composed.points[0].config
        on_slurm = config["cluster"]["executor"] == "slurm"
        problems += place_problems(Path(config["output_dir"]).expanduser().resolve(), on_slurm=on_slurm)
    raise_collected(ConfigError, list(dict.fromkeys(problems)))
    if not composed.points:
        raise ConfigError("-m: the sweep is empty. Give each swept key at least one value.")
    return [Point(point.name, point.overrides, point.config) for point in composed.points]


def _secret_settings(config: dict[str, Any]) -> list[str]:
    """Return a line for each setting that holds a secret: all but the cluster's enter records that others read."""
    from tabgraphsyn.redaction import secrets_in

    return [
        f"{key}: holds the value of the secret variable {variable}, and settings are recorded. Take it out."
        for key, variable in secrets_in({name: value for name, value in config.items() if name != "cluster"})
    ]
