"""What the json files of a bundle may hold, one form a file; those of codecs are read off their classes.

A stage that writes another key adds a line here. A bundle is read by these forms and by nothing else, so what they do
not name is refused.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from tabgraphsyn.data.codec.forms import TableCodecForm
from tabgraphsyn.data.codec.levels import Levels
from tabgraphsyn.data.codec.pattern import Pattern
from tabgraphsyn.data.declared import any_of, form_of
from tabgraphsyn.data.formats import FORMATS
from tabgraphsyn.data.formats.arrow_types import ArrowType
from tabgraphsyn.data.schema import SemanticType
from tabgraphsyn.data.untrusted import Count, Form, Int64, Name, Number, Scalar, Share, Size, Spread, Text
from tabgraphsyn.generators.base import FIRST_GENERATOR

MOST_TABLES = 10_000
Signature = Annotated[str, Meta(pattern=r"^[\w.-]{1,200}$")]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Setting = Scalar | Annotated[list[Scalar], Meta(max_length=1_000)] | dict[str, Scalar | list[Scalar]]
Component = Annotated[dict[str, Setting], Meta(min_length=1, max_length=200)]
"""``_target_`` and keyword arguments; a nested component is one level down."""
Rows = dict[Name, Count]
Dim = Annotated[int, Meta(ge=0, le=2**20)]
FormatForm: Any = any_of(*FORMATS.values())
PatternForm: Any = form_of(Pattern)
LevelsForm: Any = form_of(Levels)
_WIDE = re.compile(r"%[-_0^#]*\d")


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

    format_version: Literal[1, 2, 3]
    tables: Annotated[list[Name], Meta(min_length=1, max_length=MOST_TABLES)]
    sampling: Component
    components: dict[Name, Component]
    provenance: ProvenanceForm
    files: dict[Name, Hash]
    digest: Hash | None = None
    sampler: Component | None = None
    generator: Component = field(default_factory=lambda: dict(FIRST_GENERATOR))


class ColumnForm(Form):
    """``Column``."""

    name: Name
    sdtype: SemanticType
    computer_representation: Literal["Int64", "Float"] | None = None
    datetime_format: Annotated[str, Meta(max_length=200)] | None = None
    regex_format: Text | None = None
    pii: bool = False
    format: FormatForm | None = None

    def __post_init__(self) -> None:
        if self.datetime_format and _WIDE.search(self.datetime_format):
            raise ValueError("a datetime_format without widths")


class TableForm(Form):
    """``TableSchema``."""

    name: Name
    primary_key: list[Name]
    columns: Annotated[list[ColumnForm], Meta(min_length=1, max_length=100_000)]
    alternate_keys: list[Name] = field(default_factory=list)
    reference: bool | None = None


class RelationForm(Form):
    """``Relation``."""

    child_table: Name
    child_columns: list[Name]
    parent_table: Name
    parent_columns: list[Name]


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


class DependencyForm(Form):
    """One entry of ``dependencies.json``."""

    table: Name
    determinant: Annotated[list[Name], Meta(min_length=1)]
    dependent: Name
    strength: Share
    support_rows: Count
    kept: bool


class KeyPlanForm(Form):
    """``KeyPlan``."""

    tables: list[Name]
    links: list[tuple[Name, Name, Name, list[Name]]]
    driver: dict[Name, Name | None]
    reference: list[Name]
    real_rows: Rows
    unique: list[tuple[Name, list[Name]]]
    equalities: list[tuple[Name, list[Name], list[Name], bool]]
    acyclic: list[Name]
    never_null: list[Name]


class StructureStateForm(Form):
    """State of a structure model; ``censored`` and ``fields`` are those of ``DegreesStructure``."""

    plan: KeyPlanForm
    rows: Rows
    censored: dict[Name, Share] | None = None
    fields: dict[Name, list[Name]] | None = None


class GridForm(Form, tag="grid", tag_field="kind"):
    """``GridMaker``."""

    type: ArrowType
    start: Int64
    step: Int64
    size: Count
    is_ranked: bool


class PatternMakerForm(Form, tag="pattern", tag_field="kind"):
    """``PatternMaker``."""

    type: ArrowType
    pattern: PatternForm
    size: Count


class LevelMakerForm(Form, tag="levels", tag_field="kind"):
    """``LevelMaker``."""

    levels: LevelsForm
    size: Count
    is_ranked: bool


class KeysForm(Form):
    """``KeySpec``."""

    types: dict[Name, dict[Name, ArrowType]]
    makers: list[tuple[Name, Name, GridForm | PatternMakerForm | LevelMakerForm]]


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
    tuples: list[list[Count]]
    columns: list[KnownColumnForm]


class InheritedForm(Form):
    """One entry of ``known/<table>.inherited.json``."""

    column: Name
    relation: Name
    parent_column: Name


class CoarseForm(Form):
    """``known/<table>.coarse.json``."""

    shares: list[list[Share]]
    middle: list[Number]
    width: list[Annotated[float, Meta(ge=0, le=1e308)]]


RulePart = Scalar | dict[Name, Scalar | dict[Name, Scalar]]


RuleForm = dict[Name, RulePart | Annotated[list[RulePart], Meta(max_length=1_000)]]


class RulesForm(Form):
    """``known/<table>.rules.json``; ``data/rules/store.py`` then reads each rule by its kind."""

    rules: Annotated[list[RuleForm], Meta(max_length=10_000)]
    lookups: list[tuple[Count, Annotated[list[tuple[list[Text], Text | None]], Meta(max_length=20_000)]]]
    families: Annotated[list[RuleForm], Meta(max_length=10_000)]


class PanelForm(Form):
    """One entry of ``known/<table>.panels.json``."""

    column: Name
    relation: Name
    start: Int64
    step: Annotated[int, Meta(ge=1, le=2**62)]
    periods: Size


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
    ".inherited.json": list[InheritedForm],
    ".panels.json": list[PanelForm],
    ".coarse.json": CoarseForm,
    ".rules.json": RulesForm,
    ".compositions.json": list[tuple[Name, Name, Annotated[str, Meta(max_length=4096)]]],
}
"""Ending of a file in ``known/`` -> its form."""
