"""SyntheRela's folders, so that its runs are scored here and ours there.

<root>/original/<dataset>/{metadata.json, <table>.csv}
<root>/synthetic/<dataset>/<method>/<run>/sample<n>/<table>.csv
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.errors import ConfigError

ORIGINAL, SYNTHETIC = "original", "synthetic"
_SAMPLE = re.compile(r"^sample\d+$")
_NAME = re.compile(r"^[^/\\\0]+$")
# From the root down to the sample folders: dataset, method, run.
_DEEPEST = 4


@dataclass(frozen=True)
class SampleFolder:
    """One generated database.

    Attributes:
        dataset: the real database's folder.
        method: the generator.
        run: of the generator, usually its seed.
        number: of the sample drawn from that run, from 1.
        root: the folder that holds ``original`` and ``synthetic``.
    """

    dataset: str
    method: str
    run: str
    number: int = 1
    root: Path = Path("data")

    def __post_init__(self) -> None:
        for name in ("dataset", "method", "run"):
            value = getattr(self, name)
            if not _NAME.match(value) or value in (".", ".."):
                raise ConfigError(f"{name}: the name of a folder expected, found {value!r}.")
        if self.number < 1:
            raise ConfigError(f"sample: samples are numbered from 1, found {self.number!r}.")

    @property
    def tables(self) -> Path:
        """Where the generated tables are."""
        return self.root / SYNTHETIC / self.dataset / self.method / self.run / f"sample{self.number}"

    @property
    def original(self) -> Path:
        """Where the real tables and their metadata are."""
        return self.root / ORIGINAL / self.dataset

    @property
    def name(self) -> str:
        """``<dataset>/<method>/<run>/sample<n>``."""
        return f"{self.dataset}/{self.method}/{self.run}/sample{self.number}"


def sample_folders(path: Path) -> list[SampleFolder]:
    """Return the samples in or below ``path``, in order of their names; none where it is no folder of this layout.

    Args:
        path: any folder of the layout, from its root down to one sample.
    """
    found = [_read(folder) for folder in _candidates(path.absolute())]
    known = [sample for sample in found if sample is not None]
    return sorted(known, key=lambda sample: (sample.dataset, sample.method, sample.run, sample.number))


def _candidates(path: Path) -> Iterator[Path]:
    if _SAMPLE.match(path.name) and path.is_dir():
        yield path
        return
    for start in (path, path / SYNTHETIC):
        for depth in range(1, _DEEPEST + 1):
            yield from (folder for folder in start.glob("/".join(["*"] * depth)) if _SAMPLE.match(folder.name))


def _read(folder: Path) -> SampleFolder | None:
    parts = folder.parts[-5:]
    if len(parts) < 5 or parts[0] != SYNTHETIC or not folder.is_dir():
        return None
    _, dataset, method, run, sample = parts
    return SampleFolder(dataset, method, run, int(sample.removeprefix("sample")), folder.parents[4])
