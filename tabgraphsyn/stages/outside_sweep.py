"""Evaluation protocols outside a sweep point: composed from the same yaml, for the verbs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.data.files import write_json
from tabgraphsyn.data.given import given_words, read_given
from tabgraphsyn.data.metadata import read_metadata
from tabgraphsyn.data.rules.declared import metadata_rules
from tabgraphsyn.data.rules.rule import Rule
from tabgraphsyn.data.schema import Database
from tabgraphsyn.errors import ConfigError, DataError, listing, nearest, raise_collected
from tabgraphsyn.evaluation.base import Metric
from tabgraphsyn.evaluation.run import Part, run_metrics
from tabgraphsyn.evaluation.sides.data import EvaluationData
from tabgraphsyn.evaluation.sides.other_generators import found_rules, random_halves, read_database, with_holdout
from tabgraphsyn.stages.build import build
from tabgraphsyn.stages.evaluate import built_gate, built_metrics


def protocol_names() -> list[str]:
    """Return the names of the protocols in ``conf/evaluation``."""
    return sorted(path.stem for path in (config_dir() / "evaluation").glob("*.yaml"))


def composed_protocol(name: str, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the resolved config of one protocol.

    Raises:
        ConfigError: no such protocol, or an override that does not apply.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    known = protocol_names()
    if name not in known:
        raise ConfigError(f"protocol: one of {listing(known)} expected, found {name!r}.{nearest(name, known)}")
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        try:
            config = compose(f"evaluation/{name}", list(overrides))
            return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)["evaluation"]  # type: ignore[index,call-overload,return-value]
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(f"{error} An override starts with 'evaluation.', as in a launch.") from error


def all_metrics() -> dict[str, Metric]:
    """Return every metric of ``conf/evaluation/metric``, privacy metrics first."""
    files = sorted((config_dir() / "evaluation" / "metric").glob("*.yaml"))
    metrics = {path.stem: build(yaml.safe_load(path.read_text(encoding="utf-8")), Metric) for path in files}
    return dict(sorted(metrics.items(), key=lambda item: (not item[1].is_privacy, item[0])))


def evaluate_folders(
    *,
    real: Path,
    synthetic: Path,
    metadata: Path,
    out: Path,
    holdout: Path | None = None,
    protocol: str = "default",
    overrides: tuple[str, ...] = (),
    threads: int = 1,
    begins: Callable[[Part], None] = lambda _: None,
) -> dict[str, Any]:
    """Score any generator's tables and write ``out/metrics.json``; return its content.

    Args:
        real: tables that the generator was trained on.
        synthetic: tables that it made. What does not fit the metadata is scored as the failure it is.
        metadata: SDV metadata of both.
        out: folder for ``metrics.json``.
        holdout: real tables that the generator did not see; without them copying cannot be judged, and the
            real-against-real line compares two random halves.
        protocol: name of a yaml in ``conf/evaluation``.
        overrides: Hydra overrides, ``evaluation.seed=1``.
        threads: CPU threads.
        begins: told of each part of the work as it begins.

    Raises:
        ConfigError: no such protocol.
        DataError: real tables that do not fit the metadata, or files that cannot be read.
        StageError: a metric failed.
    """
    log = logging.getLogger("tabgraphsyn")
    config = composed_protocol(protocol, overrides)
    schema = read_metadata(metadata, real.name.split(".")[0])
    begins(Part(0, 0, "reading tables"))
    with tempfile.TemporaryDirectory(prefix="tabgraphsyn-") as scratch:
        parts = [("real", real), ("synthetic", synthetic), *([("holdout", holdout)] if holdout else [])]
        for name, _ in parts:
            (Path(scratch) / name).mkdir()
        read = {name: read_database(path, schema, Path(scratch) / name) for name, path in parts}
        problems = [f"{name}: {text}" for name in ("real", "holdout") if name in read for text in read[name].problems]
        problems += [
            f"real: {name}: no rows." for name in schema.table_names if read["real"].database[name].num_rows == 0
        ]
        raise_collected(DataError, problems)
        for text in read["synthetic"].problems:
            log.warning("synthetic: %s", text)
        database, masks = read["real"].database, None
        if holdout is not None:
            database, masks = with_holdout(database, read["holdout"].database)
        stated, unread = metadata_rules(metadata, schema)
        for text in unread:
            log.warning("%s", text)
        made = read["synthetic"].database
        rows = {name: made[name].num_rows for name in schema.table_names}
        given = read_given(synthetic, rows)
        for text in given_words(given, rows):
            log.warning("synthetic: %s", text)
        data = unsplit_data(database, made, config, threads, masks, stated, given)
        scored = scored_data(data, config, begins=begins)
    scored["problems"] = [*read["synthetic"].problems, *given_words(given, rows)]
    write_json(out / "metrics.json", scored)
    return scored


def unsplit_data(
    real: Database,
    synthetic: Database,
    config: Mapping[str, Any],
    threads: int,
    is_holdout: Mapping[str, np.ndarray] | None = None,
    declared: Sequence[Rule] = (),
    given: Mapping[str, np.ndarray] | None = None,
) -> EvaluationData:
    """Return what metrics look at where no prepare stage has split the rows.

    Args:
        real: all real rows.
        synthetic: what a generator made.
        config: composed protocol.
        threads: CPU threads.
        is_holdout: per table which real rows the generator did not see; None where nobody says.
        declared: rules that somebody stated.
        given: per table the synthetic rows that a user gave, (n,) int64.
    """
    published = {one.name: "declared, reference: true" for one in real.schema.tables if one.reference}
    plan: dict[str, Any] = {"reference_tables": list(published), "published": published}
    masks = is_holdout
    if masks is None:
        masks, plan["reference_tables"] = random_halves(real, int(config["seed"]))
    return EvaluationData(
        real=real,
        synthetic=synthetic,
        is_holdout=masks,
        plan=plan,
        rules=found_rules(real, masks, declared),
        wanted=tuple(config["comparisons"]),
        seed=int(config["seed"]),
        threads=threads,
        trained_without_holdout=is_holdout is not None,
        given=given or {},
    )


def scored_data(
    data: EvaluationData, config: Mapping[str, Any], *, begins: Callable[[Part], None] = lambda _: None
) -> dict[str, Any]:
    """Return the content of ``metrics.json`` under a composed protocol, with what its gate is to do."""
    metrics, gate = built_metrics(config["metrics"]), built_gate(config)
    scored = run_metrics(metrics, data, logging.getLogger("tabgraphsyn"), gate=gate, begins=begins)
    scored["gate"]["action"] = gate.action if gate is not None else "off"
    return scored


def described_table(scored: Mapping[str, Any]) -> list[tuple[str, str, dict[str, float]]]:
    """Return (metric title, where, value per comparison) of the scores of databases and tables, in their order."""
    titles = {metric["name"]: metric["title"] for metric in scored["metrics"]}
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for score in scored["scores"]:
        if score["level"] in ("database", "table"):
            rows.setdefault((titles[score["metric"]], score["where"]), {})[score["comparison"]] = score["value"]
    return [(title, where, values) for (title, where), values in rows.items()]
