"""What one call of ``tabgraphsyn evaluate`` scores: one folder of tables, or the samples of SyntheRela's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tabgraphsyn.errors import ConfigError, raise_collected
from tabgraphsyn.evaluation.sides.syntherela import SampleFolder, sample_folders


@dataclass(frozen=True)
class Source:
    """One synthetic database and what it is held against.

    Attributes:
        name: how it is called in what is printed; empty where there is one only.
    """

    name: str
    real: Path
    synthetic: Path
    metadata: Path
    out: Path


def sources(real: Path | None, synthetic: Path, metadata: Path | None, out: Path) -> list[Source]:
    """Return the databases to score, in order.

    In SyntheRela's layout the real tables are those beside the synthetic ones unless ``real`` names others, and each
    of several samples gets a folder of its own below ``out``.

    Raises:
        ConfigError: a folder or a metadata file that is not there; all of them at once.
    """
    given = {"--synthetic": synthetic, "--real": real, "--metadata": metadata}
    absent = [f"{option}: there is no {str(path)!r}." for option, path in given.items() if path and not path.exists()]
    raise_collected(ConfigError, absent)
    samples = sample_folders(synthetic) if synthetic.is_dir() else []
    if not samples:
        if real is None:
            raise ConfigError(
                f"--real: the tables that the generator was trained on are needed; {str(synthetic)!r} is no folder of "
                "SyntheRela's layout (synthetic/<dataset>/<method>/<run>/sample1), beside which they would be found."
            )
        found = [Source("", real, synthetic, _metadata(real, metadata), out)]
    else:
        found = [_of_sample(sample, real, metadata, out, len(samples) == 1) for sample in samples]
    raise_collected(ConfigError, list(dict.fromkeys(problem for each in found for problem in _problems(each))))
    return found


def _of_sample(sample: SampleFolder, real: Path | None, metadata: Path | None, out: Path, is_only: bool) -> Source:
    original = sample.original if real is None else real
    if real is not None and (real / sample.dataset).is_dir():
        original = real / sample.dataset
    place = out if is_only else out / sample.name
    return Source(sample.name, original, sample.tables, _metadata(original, metadata), place)


def _metadata(real: Path, metadata: Path | None) -> Path:
    # Imported here: the command line reads this file before anything heavy is loaded.
    from tabgraphsyn.data.options import default_metadata_path

    return default_metadata_path(real) if metadata is None else metadata


def _problems(source: Source) -> list[str]:
    if not source.real.exists():
        return [f"--real: there is no {str(source.real)!r}."]
    if not source.metadata.is_file():
        return [
            f"{source.metadata}: both sides are read by one metadata file, found none. "
            f"Write it with `tabgraphsyn ingest {source.real}`, or name another one: --metadata FILE."
        ]
    return []
