"""Yaml files from which tests launch stages that compute nothing: every group of the project, most of them empty."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

_CONFIG = """\
defaults:
  - schema
  - dataset: small
  - gnn: gin
  - tracking: jsonl
  - cluster: {cluster}
  - _self_
codec: {{}}
holdout: {{}}
structure: {{}}
generator: {{}}
autoencoder: {{}}
denoiser: {{}}
diffusion: {{}}
sampler: {{}}
training: {{}}
sampling: {{}}
evaluation: {{}}
report: {{}}
fake: {{prepare: "", autoencoder: "", gnn: "", sample: "", evaluate: ""}}
cluster: {{pack_records: false}}
"""


def stage_conf(*, cluster: str, path: str, more: str = "", files: Mapping[str, str]) -> dict[str, str]:
    """Return text by file name.

    Args:
        cluster: the default cluster, one of ``files``.
        path: of the small dataset.
        more: further lines of ``config.yaml``.
        files: further files.
    """
    return {
        "config.yaml": _CONFIG.format(cluster=cluster) + textwrap.dedent(more),
        "dataset/small.yaml": f"name: small\ntables: [a, b]\npath: {path}\n",
        "gnn/gin.yaml": "name: gin\n",
        "gnn/gat.yaml": "name: gat\n",
        "tracking/jsonl.yaml": "_target_: tabgraphsyn.tracking.none.NoTracker\n",
        **files,
    }


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write yaml files, their common indentation taken away, and return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder
