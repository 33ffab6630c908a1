"""``tabgraphsyn export``: a finished sweep point for a reviewer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabgraphsyn.verbs.place import OUTPUTS, OutputDir


def export(
    point: Annotated[str, typer.Argument(help="Folder of a finished sweep point, CAMPAIGN/POINT, or CAMPAIGN.")],
    out: Annotated[Path, typer.Option("--out", help="Folder, or file that ends with .zip; must not exist.")],
    output_dir: OutputDir = OUTPUTS,
    license_: Annotated[
        str | None, typer.Option("--license", help="Address of the licence of the synthetic tables; none is assumed.")
    ] = None,
) -> None:
    """Write tables, model, scores, report and settings of a point, and all that is needed to check them.

    No real row is in it but those of tables that were published on purpose, and nothing of this machine. It is an
    RO-Crate; `tabgraphsyn verify` checks it, `tabgraphsyn reproduce` computes it again.
    """
    from tabgraphsyn.exports.export import export as written
    from tabgraphsyn.exports.point import find_point

    root = written(find_point(point, output_dir), out.expanduser(), license_)
    print(f"{out}: written. Its root hash: {root}")
    print(f"publish that hash elsewhere: `tabgraphsyn verify {out} --root {root[:12]}...` holds the crate against it")
