"""The contract of a generator: what stands between ``structure`` and ``sample`` in the DAG.

A generator is one class that only declares. ``model=<name>`` (or ``generator=<name>``) chooses it in yaml, and nothing
else knows it by name:

- ``kinds``: its stages, inputs first, one a table or one for all. They may read ``ingest``, ``prepare`` and each other;
  ``sample`` and ``report`` read all of them. A stage is a module with ``run(context: StageContext)`` that writes to
  ``context.artifacts``.
- ``contents``: which of their files a bundle holds, and the form of each json.
- ``rows``: the class that makes rows from an opened bundle, a ``generation.row_maker.RowMaker``.
- ``variants``: which generator stands in its place where a config names a component that it can do without.
- its constructor: the settings that stand below ``generator`` in a config. It is checked like any component's and never
  called where a launch is planned, so the module of a generator imports nothing heavy. Its stages read
  ``context.config["generator"]``, its rows ``making.settings``.

Names of other modules are strings, so that a login node plans a launch without torch. See ``latent_diffusion`` for one
with a stage for each table, and docs/architecture.md, "A generator".
"""

from __future__ import annotations

import importlib
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tabgraphsyn.generators.kinds import StageKind

SUFFIXES = (".json", ".safetensors")
SAMPLING_KEYS = ("generator", "sampler", "gnn")
FIRST_GENERATOR = {"_target_": "tabgraphsyn.generators.latent_diffusion.LatentDiffusion"}
"""What configs that do not name theirs were made with."""


@dataclass(frozen=True)
class Section:
    """Settings of one training below ``training`` in a config.

    Attributes:
        key: dotted, ``training.gnn``.
        target: dotted name of the class that takes them, a ``training.config.LoopConfig``.
        component: key of the component that is trained; nothing reads the section where its class says
            ``is_trained = False``.
    """

    key: str
    target: str
    component: str | None = None


@dataclass(frozen=True)
class Content:
    """A file of a bundle.

    Attributes:
        kind: of the stage that writes it.
        artifact: its name there, ``.json`` or ``.safetensors``.
        name: its name in a bundle; ``{table}`` stands for the table where the kind has a stage for each.
        form: dotted name of the ``msgspec`` type that a json must be of; any json without one.
        components: keys of the json that hold a component: what a launch would say of it is said of a bundle too.
        is_required: every bundle has it, for every table.
    """

    kind: str
    artifact: str
    name: str
    form: str = ""
    components: tuple[str, ...] = ()
    is_required: bool = True

    @property
    def is_json(self) -> bool:
        """Whether it is json, else tensors."""
        return self.name.endswith(".json")


def named(dotted: str) -> Any:
    """Return what a dotted name in the declaration of a generator stands for; its module is imported now."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


class Generator(ABC):
    """See the module. Everything but the settings is declared by the class.

    Attributes:
        kinds: its stages, inputs first.
        contents: what a bundle holds of them.
        rows: dotted name of the ``RowMaker``.
        sampling_keys: top-level keys of the config that sampling depends on, ``sampling`` and ``seed`` aside; of
            ``SAMPLING_KEYS``.
        sections: the sections of ``training`` that its stages read.
        runtime: dotted key of a component below ``generator`` -> arguments that only the stage knows.
        checks: dotted name of a function ``(manifest, forms, schema) -> Iterator[str]`` that says what does not agree
            between the files of a bundle; ``forms`` holds the decoded json files by name.
        variants: group -> dotted name of the generator in its place where that group names a component other than the
            null object (whose class says ``is_trained = False``). It takes the same settings and has that component
            among ``sampling_keys``.
        idle: setting of its own that nothing reads -> the setting and the value that make it so.
    """

    kinds: ClassVar[tuple[StageKind, ...]]
    contents: ClassVar[tuple[Content, ...]]
    rows: ClassVar[str]
    sampling_keys: ClassVar[tuple[str, ...]] = ("generator",)
    sections: ClassVar[tuple[Section, ...]] = ()
    runtime: ClassVar[Mapping[str, frozenset[str]]] = {}
    checks: ClassVar[str] = ""
    variants: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @classmethod
    def kind(cls, name: str) -> StageKind:
        """Return the kind of a name."""
        return next(kind for kind in cls.kinds if kind.name == name)

    @classmethod
    def files(cls, tables: tuple[str, ...]) -> dict[str, Content]:
        """Return name in a bundle -> content, of all that a bundle of these tables may hold."""
        found = {}
        for content in cls.contents:
            for table in tables if cls.kind(content.kind).per_table else ("",):
                found[content.name.format(table=table) if table else content.name] = content
        return found

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the dotted names by which sampling finds code: rows, forms, checks."""
        return tuple(filter(None, (cls.rows, cls.checks, *(content.form for content in cls.contents))))

    @classmethod
    def reads(cls, key: str) -> bool:
        """Return whether one of its stages, or sampling, reads a key of the config or something below it."""
        keys = {*cls.sampling_keys, *cls.variants, *(name for kind in cls.kinds for name in kind.config_keys)}
        return any(name == key or name.startswith(f"{key}.") or key.startswith(f"{name}.") for name in keys)
