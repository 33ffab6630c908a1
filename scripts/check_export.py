"""Hold an exported crate against the readers of its formats: roc-validator for RO-Crate, mlcroissant for Croissant.

    .venv-readers/bin/python scripts/check_export.py CRATE         (`make nightly-export` makes that environment)

Their packages conflict with the project's, so this runs in an environment of its own and imports nothing of it.
Where w3id.org cannot be reached, its context comes from the package ``rocrate`` (1.3, whose terms include those of 1.1)
and the verdict says so. Exit code 0: both take it; 3: one does not.
"""

from __future__ import annotations

import email
import io
import json
import sys
import urllib.error
import urllib.request
import urllib.response
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

PROFILES = ("ro-crate-1.1", "process-run-crate-0.5", "workflow-run-crate-0.5", "provenance-run-crate-0.5")
RUN_TERMS = "https://w3id.org/ro/terms/workflow-run#"
CRATE_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
RUN_CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
# github.com/ResearchObject/ro-terms, workflow-run/context.json
_RUN_NAMES = (
    *("ParameterConnection", "connection", "sourceParameter", "targetParameter"),
    *("md5", "sha1", "sha256", "sha512"),
)
_TERMS_OF_1_1 = {  # that have other addresses later
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
_WAIT_S = 10
_ASK_THE_NET = ("ro-crate-1.1_3.1", "ro-crate-1.1_3.2")
"""Checks that the contexts can be fetched."""


def main() -> int:
    """Print each reader's verdict and return the exit code."""
    crate = Path(sys.argv[1]).resolve()
    offline = not _reachable()
    if offline:
        print(
            "w3id.org cannot be reached: its contexts are taken from the package rocrate, their fetching is not checked"
        )
        _serve_contexts()
    problems = [*_ro_crate(crate, _ASK_THE_NET if offline else ()), *_croissant(crate)]
    for line in problems:
        print(line)
    print(f"{crate.name}: {'taken by both readers' if not problems else f'{len(problems)} problems'}")
    return 3 if problems else 0


def _reachable() -> bool:
    try:
        urllib.request.urlopen(CRATE_CONTEXT, timeout=_WAIT_S).close()  # nosec B310: an https address of our own
    except (urllib.error.URLError, TimeoutError, OSError):
        return False
    return True


def _serve_contexts() -> None:
    """Answer urllib, by which rdflib asks, without a network."""
    text = resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_text(encoding="utf-8")
    run = {"@context": {name: RUN_TERMS + name for name in _RUN_NAMES}}
    terms = {**json.loads(text)["@context"], **_TERMS_OF_1_1}
    known = {CRATE_CONTEXT: {"@context": terms}, RUN_CONTEXT: run}

    class Served(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> Any:
            if request.full_url not in known:
                return super().https_open(request)
            body = io.BytesIO(json.dumps(known[request.full_url]).encode())
            headers = email.message_from_string("Content-Type: application/ld+json")
            answer = urllib.response.addinfourl(body, headers, request.full_url, 200)
            answer.msg = "OK"
            return answer

    urllib.request.install_opener(urllib.request.build_opener(Served))


def _ro_crate(crate: Path, skipped: Sequence[str]) -> list[str]:
    from rocrate_validator import models, services

    problems = []
    for profile in PROFILES:
        settings = services.ValidationSettings(
            rocrate_uri=str(crate),
            profile_identifier=profile,
            requirement_severity=models.Severity.REQUIRED,
            skip_checks=list(skipped),
        )
        result = services.validate(settings)
        issues = result.get_issues()
        print(f"roc-validator, {profile}, required: {'conforms' if not issues else f'{len(issues)} issues'}")
        problems += [
            f"{profile}: {issue.check.identifier}: {getattr(issue, 'violatingEntity', '')}: {issue.message}"
            for issue in issues
        ]
    return list(dict.fromkeys(problems))


def _croissant(crate: Path) -> list[str]:
    import mlcroissant

    try:
        found = mlcroissant.Dataset(jsonld=crate / "croissant.json")
    except mlcroissant.ValidationError as error:
        print("mlcroissant: refused")
        return [f"croissant: {line}" for line in str(error).splitlines()]
    issues = found.metadata.ctx.issues
    print(f"mlcroissant {metadata.version('mlcroissant')}: valid, {len(issues.warnings)} warnings")
    for text in sorted(issues.warnings):
        print(f"  {text.splitlines()[0]}")
    return []


if __name__ == "__main__":
    sys.exit(main())
