"""``requirements.txt`` and ``CITATION.cff`` of a crate: the packages that made it, pinned; and how to name it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import metadata

from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.exports.contents import Contents, moment

HASHED = "requirements-hashed.txt"
"""In a checkout, from ``make requirements``."""

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")
_IMPORTED_AS = {"sklearn": "scikit-learn"}
_PYTHON = "python"
_MARKED_DEV = re.compile(r"extra\s*==")


def requirements(made_with: Mapping[str, str]) -> str:
    """Return the text of ``requirements.txt``: everything that the package needs, at the versions installed here.

    Args:
        made_with: name -> version of what the stages noted themselves; they win where this environment has others.
    """
    noted = {_normal(_IMPORTED_AS.get(name, name)): version for name, version in made_with.items() if name != _PYTHON}
    versions = {**dict(_needed("tabgraphsyn")), **noted}
    hashes = _hashes()
    head = [f"# Python {made_with.get(_PYTHON, 'version not known')}; versions of the environment that made this."]
    if not hashes:
        head.append("# No hashes: `make requirements` in a checkout writes them, an export after it takes them over.")
    lines = [
        " \\\n    ".join([f"{name}=={version}", *hashes.get(f"{name}=={version}", ())])
        for name, version in sorted(versions.items())
    ]
    return "\n".join([*head, *lines, ""])


def citation(contents: Contents) -> str:
    """Return the text of ``CITATION.cff``."""
    code = contents.code
    commit = [f"commit: {json.dumps(str(code['commit']))}"] if code.get("commit") else []
    return "\n".join(
        [
            "cff-version: 1.2.0",
            'message: "If you use these synthetic tables or this model, please cite them as below."',
            "type: dataset",
            f"title: {json.dumps(contents.title)}",
            f"date-released: {json.dumps(moment(contents.ended)[:10])}",
            *commit,
            "authors:",
            '  - name: "Not stated by whoever exported this"',
            "references:",
            "  - type: software",
            '    title: "TabGraphSyn: synthetic relational data in batch"',
            f"    version: {json.dumps(str(code.get('package', '')))}",
            "    authors:",
            '      - name: "The TabGraphSyn developers"',
            "",
        ]
    )


def _needed(root: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of every installed package that one needs, its own extras left out."""
    waiting, seen = [root], {_normal(root)}
    while waiting:
        try:
            needs = metadata.requires(waiting.pop()) or []
        except metadata.PackageNotFoundError:
            continue
        for line in needs:
            found = _NAME.match(line)
            name = _normal(found[1]) if found else ""
            if not name or name in seen or _MARKED_DEV.search(line):
                continue
            seen.add(name)
            try:
                yield name, metadata.version(name)
            except metadata.PackageNotFoundError:  # of another system or python
                continue
            waiting.append(name)


def _hashes() -> dict[str, list[str]]:
    """Return ``name==version`` -> hash options, where a checkout has a list of them."""
    path = config_dir().parent / HASHED
    if not path.is_file():
        return {}
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=\S)", path.read_text(encoding="utf-8")):
        pinned = block.split(maxsplit=1)[0] if block.strip() else ""
        if "==" in pinned:
            name, _, version = pinned.partition("==")
            found[f"{_normal(name)}=={version}"] = re.findall(r"--hash=\S+", block)
    return found


def _normal(name: str) -> str:
    """Return a package's name as indexes compare it.

    >>> _normal("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()
