"""What the json files of a bundle may hold, one form a file; those of codecs are read off their classes.

A stage that writes another key adds a line here. A bundle is read by these forms and by nothing else, so what they do
not name is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field

from tabgraphsyn.data.codec.forms import TableCodecForm
from tabgraphsyn.data.declared import any_of, form_of
from tabgraphsyn.data.dependencies import Dependency
from tabgraphsyn.data.file_order import FileKey
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.known.coarse import CoarseMarginals
from tabgraphsyn.data.known.panel import Panel
from tabgraphsyn.data.known.timeline import Timeline
from tabgraphsyn.data.known.traits import Trait
from tabgraphsyn.data.schema import Column, Relation
from tabgraphsyn.data.untrusted import Count, Form, Name, Number, Scalar, Share, Size, Spread, Text
from tabgraphsyn.generation.key_values import AnyMaker
from tabgraphsyn.generation.structure.base import KeyPlan
from tabgraphsyn.generation.structure.presence import Habit, Happening

MOST_TABLES = 10_000
Signature = Annotated[str, Meta(pattern=r"^[\w.-]{1,200}$")]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Setting = Scalar | Annotated[list[Scalar], Meta(max_length=1_000)] | dict[str, Scalar | list[Scalar]]
Component = Annotated[dict[str, Setting], Meta(min_length=1, max_length=200)]
"""``_target_`` and keyword arguments; a nested component is one level down."""
Rows = dict[Name, Count]
Dim = Annotated[int, Meta(ge=0, le=2**20)]
# Read off the classes whose json stands in a bundle.
ColumnForm: Any = form_of(Column)
RelationForm: Any = form_of(Relation)
DependencyForm: Any = form_of(Dependency)
KeyPlanForm: Any = form_of(KeyPlan)
HappeningForm: Any = form_of(Happening)
HabitForm: Any = form_of(Habit)
FileKeyForm: Any = form_of(FileKey)
MakerForm: Any = any_of(*get_args(AnyMaker))
PanelForm: Any = form_of(Panel)
TimelineForm: Any = form_of(Timeline)
TraitForm: Any = form_of(Trait)
CoarseForm: Any = form_of(CoarseMarginals)


class ProvenanceForm(Form):
    """Where a bundle comes from."""

    tabgraphsyn: Text
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    signatures: dict[Name, Signature]


class VersionForm(Struct):
    """The one key of ``bundle.json`` that every version of it has."""

    format_version: Size


class ManifestForm(Form):
    """``bundle.json``."""

    format_version: Literal[5]
    tables: Annotated[list[Name], Meta(min_length=1, max_length=MOST_TABLES)]
    sampling: Component
    components: dict[Name, Component]
    provenance: ProvenanceForm
    files: dict[Name, Hash]
    digest: Hash
    generator: Component
    sampler: Component | None = None


class TableForm(Form):
    """``TableSchema``."""

    name: Name
    primary_key: list[Name]
    columns: Annotated[list[ColumnForm], Meta(min_length=1, max_length=100_000)]
    alternate_keys: list[Name] = field(default_factory=list)
    reference: bool | None = None


class SchemaForm(Form):
    """``schema.json``."""

    tables: Annotated[list[TableForm], Meta(min_length=1, max_length=MOST_TABLES)]
    relations: list[RelationForm]


class PlanForm(Form):
    """``plan.json``."""

    order: list[Name]
    driver: dict[Name, Name | None]
    reference_tables: list[Name]
    real_rows: Rows
    training_rows: Rows
    published: dict[Name, Text] = field(default_factory=dict)
    kept_back: dict[Name, Text] = field(default_factory=dict)
    coarse: list[Name] = field(default_factory=list)
    min_entities: Count = 5
    file_order: dict[Name, list[FileKeyForm]] = field(default_factory=dict)


class SeriesForm(Form):
    """``Series`` without its places."""

    relation: Name
    periods: Size
    cycles: list[Size]


class StandingForm(Form):
    """``Standing`` without its counts."""

    relation: Name
    phases: Size
    is_by_period: bool
    filled: Share


class StructureStateForm(Form):
    """State of a structure model; ``series``, ``hidden`` and ``timed`` are of the skeleton, all others of
    ``DegreesStructure``.
    """

    plan: KeyPlanForm
    rows: Rows
    censored: dict[Name, Share] | None = None
    fields: dict[Name, list[Name]] | None = None
    series: dict[Name, SeriesForm] | None = None
    standing: dict[Name, StandingForm] | None = None
    happenings: dict[Name, HappeningForm] | None = None
    along: dict[Name, Name] | None = None
    habits: list[HabitForm] | None = None
    hidden: Rows | None = None
    timed: list[Name] | None = None


class KeysForm(Form):
    """``KeySpec``."""

    types: dict[Name, dict[Name, ArrowType]]
    makers: list[tuple[Name, Name, MakerForm]]


class StructureForm(Form):
    """``structure.json``."""

    structure: Component
    state: StructureStateForm
    keys: KeysForm


class TrainingForm(Form):
    """What a training says of itself."""

    steps: Count
    best_step: Count | None
    best_validation: float | None
    rows: Count
    best_on: Name | None = None


class KnownColumnForm(Form):
    """``KnownColumn``; its keys and values are a parquet file."""

    column: Name
    relations: Annotated[list[Name], Meta(min_length=1)]
    mean: Number
    std: Spread


class KnownForm(Form):
    """``known/<table>.json``."""

    table: Name
    relations: list[Name]
    level_of: list[list[Size]]
    columns: list[KnownColumnForm]


RulePart = Scalar | dict[Name, Scalar | dict[Name, Scalar]]


RuleForm = dict[Name, RulePart | Annotated[list[RulePart], Meta(max_length=1_000)]]


class RulesForm(Form):
    """``known/<table>.rules.json``; ``data/rules/store.py`` then reads each rule by its kind."""

    rules: Annotated[list[RuleForm], Meta(max_length=10_000)]
    lookups: list[tuple[Count, Annotated[list[tuple[list[Text], Text | None]], Meta(max_length=20_000)]]]
    families: Annotated[list[RuleForm], Meta(max_length=10_000)]


FORMS = {
    "schema.json": SchemaForm,
    "plan.json": PlanForm,
    "dependencies.json": list[DependencyForm],
    "structure.json": StructureForm,
}
"""The json files that every bundle has, whatever its generator."""

TABLE_FORMS = {"codec": TableCodecForm}
"""Folder -> form of its ``<table>.json``."""

KNOWN_FORMS = {
    ".json": KnownForm,
    ".panels.json": list[PanelForm],
    ".timeline.json": Annotated[list[TimelineForm], Meta(min_length=1, max_length=1)],
    ".coarse.json": CoarseForm,
    ".rules.json": RulesForm,
    ".traits.json": list[TraitForm],
    ".compositions.json": list[tuple[Name, Name, Annotated[str, Meta(max_length=4096)]]],
}
"""Ending of a file in ``known/`` -> its form."""
