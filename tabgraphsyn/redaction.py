"""What looks like a secret is left out of everything that is recorded, shown or uploaded.

One place for all of it: records of a campaign, configs, command lines, logs, errors. Known are the values of this
process's variables whose names say that they are secret, assignments to such names, passwords in addresses, and the
shapes of common tokens. What else may be secret nobody can know: it belongs in a variable or a file, not in a setting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN = "<redacted>"

_WORD = r"(?:api_?key|access_?key|private_?key|secret_?key|secret|token|password|passwd|passphrase|credentials?|pat)"
# Every repetition has an end: a line of a megabyte without a blank must not take the square of it.
_NAME = rf"(?:[A-Za-z0-9.]{{1,64}}[_-]){{0,12}}{_WORD}(?:[_-][A-Za-z0-9]{{1,64}}){{0,12}}"
_IS_SECRET = re.compile(rf"^{_NAME}$", re.IGNORECASE)
_VALUE = r"(\"[^\"\n]*\"|'[^'\n]*'|[^\s'\",;\]})]+)"
_ASSIGNED = re.compile(rf"(?<![A-Za-z0-9_-])({_NAME})([\"']?\s*[=:]\s*){_VALUE}", re.IGNORECASE)
_OPTION = re.compile(rf"(--{_NAME})(\s+){_VALUE}", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)(\s+)([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_ADDRESS = re.compile(r"(?<!\w)(\w{1,32}://[^\s/:@]{0,256}:)([^\s/@]{1,1024})(@)")
_SHAPES = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,4096}\.[\w-]{10,4096}\.[\w-]{5,})"
)
_PLAIN = re.compile(r"^(?:-?\d+(?:\.\d+)?|true|false|null|none|\$\{?\w+.*|<redacted>|)$", re.IGNORECASE)
_LEAST_LETTERS = 6


def secrets() -> Iterator[tuple[str, str]]:
    """Yield name and value of the variables of this process that are secret by their name, the longest value first."""
    found = [(name, value) for name, value in os.environ.items() if _IS_SECRET.match(name)]
    for name, value in sorted(found, key=lambda pair: -len(pair[1])):
        if len(value) >= _LEAST_LETTERS:
            yield name, value


def redacted(text: str) -> str:
    """Return a text without what looks like a secret.

    >>> redacted("export TOKEN=s3cret; curl --password hunter2 https://me:pw@host")
    'export TOKEN=<redacted>; curl --password <redacted> https://me:<redacted>@host'
    >>> redacted("primary_key: order_id, tokens: 8, token: 3")
    'primary_key: order_id, tokens: 8, token: 3'
    """
    for _, value in secrets():
        text = text.replace(value, HIDDEN)
    text = _ADDRESS.sub(rf"\1{HIDDEN}\3", text)
    text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
    for pattern in (_ASSIGNED, _OPTION):
        text = pattern.sub(_without_value, text)
    return _SHAPES.sub(HIDDEN, text)


def _without_value(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    is_plain = _PLAIN.match(value.strip("\"'"))
    return found[0] if is_plain else f"{name}{between}{HIDDEN}"


def secrets_in(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and name of the variable for each setting that holds a secret variable's value."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from secrets_in(each, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from secrets_in(each, f"{key}[{place}]")
    elif isinstance(value, str):
        yield from ((key, name) for name, secret in secrets() if secret in value)
