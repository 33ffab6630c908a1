"""``croissant.json``: the synthetic tables as Croissant 1.1, a record set a table, keys and references, minimal RAI.

What gate and scores say fills the fields of responsible use; what nobody said is named as missing, not left empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tabgraphsyn.exports.contents import Contents, TableForm, moment

_CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "arrayShape": "cr:arrayShape", "citeAs": "cr:citeAs",
    "column": "cr:column", "conformsTo": "dct:conformsTo", "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/", "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases", "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty", "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract", "field": "cr:field", "fileObject": "cr:fileObject", "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes", "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5",
    "parentField": "cr:parentField", "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/", "recordSet": "cr:recordSet", "references": "cr:references",
    "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace", "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform", "value": "cr:value",
}  # fmt: skip
_TYPES = {"numerical": "sc:Float", "boolean": "sc:Boolean", "datetime": "sc:DateTime"}
_MEDIA = {"csv": "text/csv", "parquet": "application/x-parquet"}
NOT_STATED = "Not stated by whoever exported this. Ask them."


def croissant(contents: Contents) -> str:
    """Return the text of ``croissant.json``."""
    files = dict(contents.table_files())
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": contents.title,
        "description": f"Synthetic relational tables after {contents.record.dataset}, made by TabGraphSyn.",
        "license": contents.record.license or "https://schema.org/license#not-stated",
        "url": "https://schema.org/url#not-stated",
        "version": "1.0.0",
        "datePublished": moment(contents.ended),
        "citeAs": "See CITATION.cff beside this file.",
        "isLiveDataset": False,
        **_responsible_use(contents),
        "distribution": [_file(contents, path) for path in files.values()],
        "recordSet": [
            _record_set(contents, table, files[table.name]) for table in contents.schema.tables if table.name in files
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _responsible_use(contents: Contents) -> dict[str, Any]:
    """Return the fields of responsible use, from what was measured."""
    gate = contents.metrics.gate
    published = ", ".join(contents.published) or "none"
    scores = "; ".join(f"{score.metric} ({score.where}) {score.value:.3f}" for score in contents.headline()[:12])
    return {
        "rai:dataCollection": (
            "Sampled from a model that was trained on real tables (VAE or data space, graph network, diffusion); how "
            "the real ones were collected is not known here."
        ),
        "rai:dataLimitations": [
            f"Fidelity as measured: {scores}. README.md and report.html hold every score with its interval.",
            "What no score looks at may differ from the real tables in any way.",
        ],
        "rai:dataBiases": [
            "Biases of the real tables are learned with everything else; none was looked for or taken out.",
            "Values and shapes held by few entities are rarer or missing here.",
        ],
        "rai:personalSensitiveInformation": [
            f"Privacy gate: {gate.get('verdict', 'not judged')}: {gate.get('text', '')}",
            f"Tables whose real rows were published on purpose: {published}.",
        ],
        "rai:dataUseCases": [
            f"Intended use: {NOT_STATED} Fit for trying methods and software on tables of this shape."
        ],
        "rai:dataSocialImpact": f"Social impact: {NOT_STATED}",
        "rai:hasSyntheticData": True,
    }


def _file(contents: Contents, path: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{contents.record.files[path].bytes} B",
        "encodingFormat": _MEDIA[path.rpartition(".")[2]],
        "sha256": contents.record.files[path].sha256,
    }


def _record_set(contents: Contents, table: TableForm, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": f"Synthetic table {table.name}.",
    }
    if table.primary_key:
        found["key"] = [{"@id": _field_id(table.name, column)} for column in table.primary_key]
    return {**found, "field": list(_fields(contents, table, path))}


def _fields(contents: Contents, table: TableForm, path: str) -> Iterator[dict[str, Any]]:
    parents = {
        child: _field_id(relation.parent_table, parent)
        for relation in contents.schema.relations
        if relation.child_table == table.name
        for child, parent in zip(relation.child_columns, relation.parent_columns, strict=False)
    }
    for column in table.columns:
        found: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": _field_id(table.name, column.name),
            "name": f"{table.name}/{column.name}",
            "description": f"{column.sdtype} column of {table.name}",
            "dataType": _TYPES.get(column.sdtype, "sc:Text"),
            "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
        }
        if column.name in parents:
            found["references"] = {"field": {"@id": parents[column.name]}}
        yield found


def _field_id(table: str, column: str) -> str:
    return f"{table}/{column}"
