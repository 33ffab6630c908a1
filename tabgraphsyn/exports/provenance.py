"""``provenance.intoto.json``: an in-toto statement v1 with a SLSA provenance v1 predicate, unsigned.

Subjects are what leaves; materials are hashes only. Sign it with the tool of your choice (cosign, model-signing).
"""

from __future__ import annotations

import json

from tabgraphsyn.exports.contents import Contents, moment
from tabgraphsyn.exports.record import CONFIG, shown_files

_BUILD_TYPE = "https://slsa.dev/provenance/v1#tabgraphsyn-sweep-point"


def statement(contents: Contents) -> str:
    """Return the text of ``provenance.intoto.json``."""
    record, code = contents.record, contents.code
    subjects = {path: file.sha256 for _, path, file in shown_files(record) if path in record.files}
    last = list(record.stages.values())[-1]
    commit = {"digest": {"gitCommit": str(code["commit"])}} if code.get("commit") else {}
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path, "digest": {"sha256": digest}} for path, digest in sorted(subjects.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "config": {"name": CONFIG, "digest": {"sha256": record.files[CONFIG].sha256}},
                    "overrides": list(record.overrides),
                },
                "internalParameters": {"stages": {label: stage.id for label, stage in record.stages.items()}},
                "resolvedDependencies": [
                    {"name": "real tables", "digest": {"sha256": str(record.content)}},
                    {"name": "tabgraphsyn", "annotations": dict(code), **commit},
                    *(
                        {"name": name, "annotations": {"version": version}}
                        for name, version in sorted(contents.requirements.items())
                    ),
                ],
            },
            "runDetails": {
                "builder": {"id": "urn:tabgraphsyn", "version": {"tabgraphsyn": str(code.get("package", ""))}},
                "metadata": {
                    "invocationId": last.id,
                    "startedOn": moment(contents.started),
                    "finishedOn": moment(contents.ended),
                },
            },
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
