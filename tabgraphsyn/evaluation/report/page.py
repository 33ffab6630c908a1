"""From sources to one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tabgraphsyn.evaluation.report.content import Content
from tabgraphsyn.evaluation.report.wording import count, duration, percent, short

_PACKAGE = "tabgraphsyn.evaluation.report"
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


def render(content: Content) -> str:
    """Return the page. Everything that comes from data is escaped by the template engine."""
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _shown
    scripts = [_script(_plotly()), _script(_static("report.js"))]
    return environment.get_template("report.html.j2").render(
        content=content,
        style=Markup(_static("report.css")),
        figures=json_block(content.figures),
        scripts=scripts,
        policy=policy(scripts),
    )


def policy(scripts: list[Script]) -> str:
    """Return the content security policy: these scripts, inline style, images made in the page, nothing else.

    Plotly sets style elements and draws heat maps as data images; it fetches nothing.
    """
    allowed = " ".join(script.source for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def json_block(value: Mapping[str, Any]) -> Markup:
    """Return ``value`` as json that cannot end the script element it stands in.

    >>> json_block({"a": "</script><b>"})
    Markup('{"a":"\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}')
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028"))


def _shown(value: float | None, style: str) -> str:
    return _STYLES[style](value)


def _script(text: str) -> Script:
    if "</script" in text.lower():
        raise ValueError("an inline script holds '</script', which would end it early")
    # A parser reads CRLF as LF, and the hash is over what it reads.
    return Script(Markup(text.replace("\r\n", "\n").replace("\r", "\n")))


def _static(name: str) -> str:
    return resources.files(_PACKAGE).joinpath("static", name).read_text(encoding="utf-8")


def _plotly() -> str:
    return resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
