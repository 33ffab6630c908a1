"""From content to one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from markupsafe import Markup

from tabgraphsyn.evaluation.report.content import Content
from tabgraphsyn.evaluation.report.document import environment, policy, script, static


def render(content: Content) -> str:
    """Return the page. Everything that comes from data is escaped by the template engine."""
    scripts = [script(_plotly()), script(static("page.js") + static("report.js"))]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            content=content,
            style=Markup(static("report.css")),
            figures=json_block(content.figures),
            scripts=scripts,
            policy=policy(scripts),
        )
    )


def json_block(value: Mapping[str, Any]) -> Markup:
    """Return ``value`` as json that cannot end the script element it stands in.

    >>> json_block({"a": "</script><b>"})
    Markup('{"a":"\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}')
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028"))


def _plotly() -> str:
    return resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
