"""What every page is made of: templates that escape, inline scripts, and the policy that allows only those."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tabgraphsyn.evaluation.report.wording import count, duration, percent, short

PACKAGE = "tabgraphsyn.evaluation.report"
_STYLES: Mapping[str, Callable[[Any], str]] = {"short": short, "count": count, "percent": percent, "duration": duration}


@dataclass(frozen=True)
class Script:
    """An inline script and the hash by which the page's policy allows it."""

    text: Markup

    @property
    def source(self) -> str:
        """The expression for ``script-src``."""
        digest = hashlib.sha256(self.text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"


def environment(package: str = PACKAGE) -> Environment:
    """Return an environment over a package's templates and those shared; everything that comes from data is escaped."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, PACKAGE))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["shown"] = _shown
    return made


def policy(scripts: list[Script]) -> str:
    """Return the content security policy: these scripts, inline style, images made in the page, nothing else.

    Plotly sets style elements and draws heat maps as data images; it fetches nothing.
    """
    allowed = " ".join(script.source for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _shown(value: float | None, style: str) -> str:
    return _STYLES[style](value)


def script(text: str) -> Script:
    """Return an inline script.

    Raises:
        ValueError: it holds what would end it early.
    """
    if "</script" in text.lower():
        raise ValueError("an inline script holds '</script', which would end it early")
    # A parser reads CRLF as LF, and the hash is over what it reads.
    return Script(Markup(text.replace("\r\n", "\n").replace("\r", "\n")))


def static(name: str, package: str = PACKAGE) -> str:
    """Return the text of a package's static file."""
    return resources.files(package).joinpath("static", name).read_text(encoding="utf-8")
