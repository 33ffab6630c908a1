"""``ro-crate-metadata.json``: RO-Crate 1.1 with the process, workflow and provenance run profiles 0.5.

One ``CreateAction`` a stage, tied by a ``ControlAction`` to its ``HowToStep``; config values as ``PropertyValue`` of a
``FormalParameter``. Written as plain json, https://w3id.org/ro/wfrun/provenance/0.5.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from tabgraphsyn.exports.contents import Contents, leaves, moment
from tabgraphsyn.exports.record import BUNDLE, CRATE, ROCRATE, SHOWN_KINDS, TABLES, StageForm

WORKFLOW = "workflow/stages.json"
NO_LICENSE = (
    "No licence is stated: the rights in the synthetic tables follow from those in the real ones. Ask their owner."
)

_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_MEDIA = {
    ".csv": "text/csv", ".json": "application/json", ".yaml": "application/yaml", ".html": "text/html",
    ".md": "text/markdown", ".parquet": "application/vnd.apache.parquet", ".txt": "text/plain",
    ".cff": "application/yaml", ".safetensors": "application/octet-stream",
}  # fmt: skip
_ENGINE, _LANGUAGE, _RUN, _DATA, _LICENSE = "#tabgraphsyn", "#stage-graph", "#run", "#real-data", "#no-licence-stated"
_Entity = dict[str, Any]


def ro_crate(contents: Contents, outcomes: Iterable[tuple[str, Mapping[str, Any]]] = ()) -> str:
    """Return the text of ``ro-crate-metadata.json``.

    Args:
        contents: of the crate.
        outcomes: path and content of what reproductions found, in order.
    """
    outcomes = list(outcomes)
    graph = [
        *_heads(contents, [path for path, _ in outcomes]),
        *_profiles(),
        *_workflow(contents),
        *_parameters(contents),
        *_files(contents),
        *_runs(contents),
        *(entity for number, (path, found) in enumerate(outcomes, 1) for entity in _outcome(number, path, found)),
    ]
    context = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
    return json.dumps({"@context": context, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


def _ref(name: str) -> dict[str, str]:
    return {"@id": name}


def _refs(names: Iterable[str]) -> list[dict[str, str]]:
    return [_ref(name) for name in names]


def file_id(path: str) -> str:
    """Return the id of a file: its path as a relative IRI.

    >>> file_id("synthetic/a b.csv")
    'synthetic/a%20b.csv'
    """
    return quote(path, safe="/")


def _heads(contents: Contents, outcomes: list[str]) -> Iterator[_Entity]:
    parts = [file_id(path) for path in (*contents.record.files, CRATE, *outcomes)]
    runs = [_RUN, *(f"#outcome-{number}" for number in range(1, len(outcomes) + 1))]
    yield {
        "@id": ROCRATE,
        "@type": "CreativeWork",
        "about": _ref("./"),
        "conformsTo": _refs(["https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"]),
    }
    license_id = contents.record.license or _LICENSE
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": contents.title,
        "description": (
            f"Synthetic relational tables after {contents.record.dataset}, the model that made them, their scores and "
            "what is needed to check and compute them again. README.md says how."
        ),
        "datePublished": moment(contents.ended),
        "license": _ref(license_id),
        "conformsTo": _refs(_PROFILES),
        "hasPart": _refs([*parts, f"{TABLES}/", f"{BUNDLE}/"]),
        "mainEntity": _ref(file_id(WORKFLOW)),
        "mentions": _refs([*runs, "#engine-run"]),
    }
    yield {
        "@id": license_id,
        "@type": "CreativeWork",
        "name": license_id if contents.record.license else "No licence stated",
        "description": license_id if contents.record.license else NO_LICENSE,
    }
    for name, what in ((TABLES, "The synthetic tables"), (BUNDLE, "The trained model: samples without the real data")):
        inner = [file_id(path) for path in contents.record.files if path.startswith(f"{name}/")]
        yield {"@id": f"{name}/", "@type": "Dataset", "name": what, "description": what, "hasPart": _refs(inner)}


def _profiles() -> Iterator[_Entity]:
    for address, (name, version) in _PROFILES.items():
        yield {"@id": address, "@type": "CreativeWork", "name": name, "version": version}


def _workflow(contents: Contents) -> Iterator[_Entity]:
    kinds = list(dict.fromkeys(stage.stage for stage in contents.record.stages.values()))
    labels = list(contents.record.stages)
    outputs = ["#output-tables", "#output-bundle", "#output-scores", "#output-report"]
    yield {
        "@id": file_id(WORKFLOW),
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "Stages of the sweep point",
        "description": "Every stage with its version, its inputs and its signature.",
        "encodingFormat": "application/json",
        "programmingLanguage": _ref(_LANGUAGE),
        "license": _ref("https://spdx.org/licenses/Apache-2.0"),
        "dateCreated": moment(contents.ended),
        "input": _refs(["#parameter-data", *(f"#parameter-{key}" for key, _ in _settings(contents))]),
        "output": _refs(outputs),
        "hasPart": _refs(f"#stage-{kind}" for kind in kinds),
        "step": _refs(_step(label) for label in labels),
    }
    yield {"@id": "https://spdx.org/licenses/Apache-2.0", "@type": "CreativeWork", "name": "Apache License 2.0"}
    yield {
        "@id": _LANGUAGE,
        "@type": ["ComputerLanguage", "SoftwareApplication"],
        "name": "TabGraphSyn stage graph",
        "version": str(contents.code.get("package", "")),
    }
    for kind in kinds:
        version = next(stage.version for stage in contents.record.stages.values() if stage.stage == kind)
        yield {
            "@id": f"#stage-{kind}",
            "@type": "SoftwareApplication",
            "name": f"TabGraphSyn stage {kind}",
            "softwareVersion": str(version),
        }
    for position, label in enumerate(labels):
        yield {
            "@id": _step(label),
            "@type": "HowToStep",
            "position": str(position),
            "name": label,
            "workExample": _ref(f"#stage-{contents.record.stages[label].stage}"),
        }
    for name, kind in zip(outputs, ("Dataset", "Dataset", "File", "File"), strict=True):
        yield {
            "@id": name,
            "@type": "FormalParameter",
            "additionalType": kind,
            "name": name.removeprefix("#output-"),
        }


def _step(label: str) -> str:
    return f"#step-{quote(label, safe='')}"


def _settings(contents: Contents) -> list[tuple[str, Any]]:
    return [(quote(key, safe="."), value) for key, value in leaves(contents.config) if value is not None]


def _parameters(contents: Contents) -> Iterator[_Entity]:
    kinds = {bool: "Boolean", int: "Integer", float: "Float"}
    yield {
        "@id": "#parameter-data",
        "@type": "FormalParameter",
        "additionalType": "Dataset",
        "name": "dataset.path",
        "valueRequired": True,
    }
    for key, value in _settings(contents):
        yield {
            "@id": f"#parameter-{key}",
            "@type": "FormalParameter",
            "additionalType": kinds.get(type(value), "Text"),
            "name": key,
            "valueRequired": False,
        }
        yield {
            "@id": f"#value-{key}",
            "@type": "PropertyValue",
            "name": key,
            "value": value if isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False),
            "exampleOfWork": _ref(f"#parameter-{key}"),
        }


def _files(contents: Contents) -> Iterator[_Entity]:
    for path, file in contents.record.files.items():
        if path == WORKFLOW:
            continue
        entity: _Entity = {
            "@id": file_id(path),
            "@type": "File",
            "name": path,
            "contentSize": str(file.bytes),
            "sha256": file.sha256,
        }
        media = next((media for ending, media in _MEDIA.items() if path.endswith(ending)), None)
        if media:
            entity["encodingFormat"] = media
        output = _output_of(path)
        if output:
            entity["exampleOfWork"] = _ref(output)
        yield entity
    yield {
        "@id": CRATE,
        "@type": "File",
        "name": CRATE,
        "description": "What `tabgraphsyn verify` checks: stages, signatures, hashes.",
        "encodingFormat": "application/json",
    }
    yield {
        "@id": _DATA,
        "@type": "CreativeWork",
        "name": contents.record.dataset,
        "description": "The real tables. They are not in this crate.",
        "identifier": f"sha256:{contents.record.content}",
        "exampleOfWork": _ref("#parameter-data"),
    }


def _output_of(path: str) -> str | None:
    first = path.split("/")[0]
    names = {TABLES: "#output-tables", "metrics.json": "#output-scores", "report.html": "#output-report"}
    return names.get(first) or ("#output-bundle" if path == f"{BUNDLE}/bundle.json" else None)


def _runs(contents: Contents) -> Iterator[_Entity]:
    labels = list(contents.record.stages)
    results = [file_id(path) for path in contents.record.files if _output_of(path)]
    yield {
        "@id": _ENGINE,
        "@type": "SoftwareApplication",
        "name": "TabGraphSyn",
        "softwareVersion": str(contents.code.get("commit") or contents.code.get("package", "")),
        "softwareRequirements": _ref("requirements.txt"),
    }
    yield {
        "@id": "#engine-run",
        "@type": "OrganizeAction",
        "name": "The launch that ran the stages",
        "instrument": _ref(_ENGINE),
        "object": _refs(f"#control-{quote(label, safe='')}" for label in labels),
        "result": _ref(_RUN),
        "startTime": moment(contents.started),
        "endTime": moment(contents.ended),
    }
    yield {
        "@id": _RUN,
        "@type": "CreateAction",
        "name": f"Sweep point {contents.record.point} of campaign {contents.record.campaign}",
        "instrument": _ref(file_id(WORKFLOW)),
        "object": _refs([_DATA, *(f"#value-{key}" for key, _ in _settings(contents))]),
        "result": _refs(results),
        "startTime": moment(contents.started),
        "endTime": moment(contents.ended),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    for label, stage in contents.record.stages.items():
        yield from _stage_run(contents, label, stage)


def _stage_run(contents: Contents, label: str, stage: StageForm) -> Iterator[_Entity]:
    name = quote(label, safe="")
    yield {
        "@id": f"#control-{name}",
        "@type": "ControlAction",
        "name": f"Run {label}",
        "instrument": _ref(_step(label)),
        "object": _ref(f"#run-{name}"),
    }
    shown = [file_id(path) for path in stage.outputs if stage.stage in SHOWN_KINDS and path in contents.record.files]
    by_id = {each.id: other for other, each in contents.record.stages.items()}
    read = [f"#artifacts-{quote(by_id[each], safe='')}" for each in stage.inputs.values() if each in by_id]
    machine = " ".join(str(value) for value in stage.made.machine.values())
    yield {
        "@id": f"#run-{name}",
        "@type": "CreateAction",
        "name": label,
        "description": f"On {stage.made.device}, {stage.made.threads} threads, {machine}".rstrip(", "),
        "instrument": _ref(f"#stage-{stage.stage}"),
        "object": _refs(read or [_DATA]),
        "result": _refs([f"#artifacts-{name}", *shown]),
        "startTime": moment(stage.made.started),
        "endTime": moment(stage.made.started + stage.made.elapsed_s),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    yield {
        "@id": f"#artifacts-{name}",
        "@type": "PropertyValue",
        "name": f"Artifacts of {label}",
        "value": stage.id,
    }


def _outcome(number: int, path: str, found: Mapping[str, Any]) -> Iterator[_Entity]:
    yield {
        "@id": f"#outcome-{number}",
        "@type": "CreateAction",
        "name": f"Computed again: {found.get('verdict', '')}",
        "instrument": _ref(file_id(WORKFLOW)),
        "object": _ref(_DATA),
        "result": _ref(file_id(path)),
        "startTime": str(found.get("started", "")),
        "endTime": str(found.get("ended", "")),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    yield {"@id": file_id(path), "@type": "File", "name": path, "encodingFormat": "application/json"}


def workflow_text(contents: Contents) -> str:
    """Return the text of the workflow's own file: the stages in an order in which they can run."""
    stages = {
        label: {
            "stage": stage.stage,
            "version": stage.version,
            "table": stage.table,
            "id": stage.id,
            "inputs": stage.inputs,
        }
        for label, stage in contents.record.stages.items()
    }
    return json.dumps({"stages": stages}, indent=1, ensure_ascii=False) + "\n"
