"""The frame: the stages before and after those of a generator, whatever it is.

``StageKind.version`` of these six is here, that of a generator's stages beside the generator.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import tabgraphsyn.generators
from tabgraphsyn.errors import listing
from tabgraphsyn.generators.base import SAMPLING_KEYS, SUFFIXES, Generator
from tabgraphsyn.generators.kinds import StageInput, StageKind

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_INGEST, _PREPARE, _SAMPLE = StageInput("ingest"), StageInput("prepare"), StageInput("sample")

BEFORE = (
    StageKind(
        name="ingest",
        version=9,
        module="tabgraphsyn.stages.ingest",
        config_keys=("dataset",),
        # The content says what was read, whatever it is called, wherever it lies, and however much was allowed.
        place_keys=(
            *("dataset.path", "dataset.name", "dataset.metadata"),
            *("dataset.max_columns", "dataset.max_cells", "dataset.max_value_length", "dataset.max_expansion"),
            *("dataset.max_table_gb", "dataset.max_metadata_mb"),
        ),
    ),
    StageKind(
        name="prepare",
        version=40,
        module="tabgraphsyn.stages.prepare",
        config_keys=("codec", "holdout"),
        inputs=(_INGEST,),
    ),
    StageKind(
        name="structure",
        version=15,
        module="tabgraphsyn.stages.structure",
        config_keys=("structure",),
        inputs=(_INGEST, _PREPARE),
    ),
)
"""What comes before a generator's stages."""

AFTER = (
    StageKind(
        name="sample",
        version=45,
        module="tabgraphsyn.stages.sample",
        config_keys=("sampling", "seed"),  # and what the generator says
        inputs=(_PREPARE, StageInput("structure")),  # and all that the generator trained
        publishes=("synthetic", "bundle"),
    ),
    StageKind(
        name="evaluate",
        version=15,
        module="tabgraphsyn.stages.evaluate",
        config_keys=("evaluation",),
        inputs=(_INGEST, _PREPARE, _SAMPLE),
        publishes=("metrics.json", "gate.json"),
        place_keys=("evaluation.gate.action",),
    ),
    StageKind(
        name="report",
        version=7,
        module="tabgraphsyn.stages.report",
        config_keys=("report",),
        inputs=(_INGEST, _PREPARE, _SAMPLE, StageInput("evaluate")),  # and all that the generator trained
        publishes=("report.html",),
    ),
)
"""What comes after a generator's stages."""

FRAME = frozenset(kind.name for kind in (*BEFORE, *AFTER))
"""Names of the kinds that every sweep point has."""


def kinds_with(generator: type[Generator]) -> tuple[StageKind, ...]:
    """Return the stage kinds of sweep points with a generator, inputs first."""
    trained = tuple(StageInput(kind.name, "all" if kind.per_table else "one") for kind in generator.kinds)
    sample, evaluate, report = AFTER
    sample = replace(
        sample,
        config_keys=tuple(dict.fromkeys((*sample.config_keys, *generator.sampling_keys, "generator"))),
        inputs=(*sample.inputs, *trained),
        place_keys=() if "generator" in generator.sampling_keys else ("generator",),
    )
    return (*BEFORE, *generator.kinds, sample, evaluate, replace(report, inputs=(*report.inputs, *trained)))


def declaration_problems(generator: type[Generator], allow_targets: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with what a generator's class declares."""
    where, package = f"{generator.__module__}.{generator.__qualname__}", generator.__module__.partition(".")[0]
    missing = [name for name in ("kinds", "contents", "rows") if not getattr(generator, name, None)]
    if missing:
        yield f"{where}: {listing(missing)} expected on the class. See tabgraphsyn.generators.base."
        return
    seen = {kind.name: kind for kind in BEFORE}
    for kind in generator.kinds:
        if not _NAME.match(kind.name) or kind.name in seen or kind.name in FRAME:
            yield f"{where}: kinds: other short names than {listing(sorted(FRAME))} expected, found {kind.name!r}."
        if kind.module.partition(".")[0] not in ("tabgraphsyn", package, *allow_targets):
            yield f"{where}: {kind.name}: a module of {package!r} expected, found {kind.module!r}."
        if package != "tabgraphsyn" and "generator" not in kind.config_keys:
            yield f"{where}: {kind.name}: config_keys: 'generator' expected: it says whose stage that is."
        for one in kind.inputs:
            found = seen.get(one.kind)
            is_once, is_own = one.tables == "one", one.tables == "own"
            if found is None or found.per_table is is_once or (is_own and not kind.per_table):
                yield f"{where}: {kind.name}: inputs: kinds before it, once or by table, expected, found {one}."
        seen[kind.name] = kind
    own = {kind.name for kind in generator.kinds}
    for content in generator.contents:
        if content.kind not in own or not content.name.endswith(SUFFIXES):
            yield f"{where}: contents: a {listing(SUFFIXES)} file of one of its kinds expected, found {content}."
        elif generator.kind(content.kind).per_table is not ("{table}" in content.name):
            yield f"{where}: contents: {{table}} expected in names of files for each table only: {content.name!r}."
    if strange := set(generator.sampling_keys) - set(SAMPLING_KEYS):
        yield f"{where}: sampling_keys: of {listing(SAMPLING_KEYS)} expected, found {listing(sorted(strange))}."


@cache
def own_generators() -> tuple[type[Generator], ...]:
    """Return the generators of this package: one a module beside this one."""
    found = []
    for module in pkgutil.iter_modules(tabgraphsyn.generators.__path__):
        loaded = importlib.import_module(f"{tabgraphsyn.generators.__name__}.{module.name}")
        classes = [one for one in vars(loaded).values() if isinstance(one, type) and one.__module__ == loaded.__name__]
        found += [one for one in classes if issubclass(one, Generator) and one is not Generator]
    return tuple(found)


def own_kinds(name: str) -> list[StageKind]:
    """Return what this package's code knows as a stage kind of a name, whatever the generator."""
    known = [kind for generator in own_generators() for kind in kinds_with(generator)]
    # With a generator of another package, sampling is a function of all its settings.
    known += [replace(kind, place_keys=()) for kind in known if kind.name == "sample"]
    return [kind for kind in known if kind.name == name]
