"""Where ``tabgraphsyn sample`` writes: a plain folder, or the layout that SyntheRela's benchmark reads."""

from __future__ import annotations

from pathlib import Path

from tabgraphsyn.errors import ConfigError, nearest

PLAIN, SYNTHERELA = "plain", "syntherela"
LAYOUTS = (PLAIN, SYNTHERELA)


def sample_places(layout: str, out: Path, *, dataset: str, method: str, run: str, samples: int) -> list[Path]:
    """Return one folder per sample.

    Raises:
        ConfigError: no such layout, a name that is no folder, or several samples for one folder.
    """
    if layout not in LAYOUTS:
        raise ConfigError(
            f"--layout: one of {', '.join(LAYOUTS)} expected, found {layout!r}.{nearest(layout, LAYOUTS)}"
        )
    if layout == PLAIN:
        if samples > 1:
            raise ConfigError(f"--samples: {samples} samples do not fit one folder. Add --layout syntherela.")
        return [out]
    if not dataset:
        raise ConfigError(
            "--dataset: SyntheRela's layout names the data set, and a bundle does not know what it is called. Add "
            "--dataset NAME, the name of the folder with the real tables."
        )
    # Imported here: the command line reads this file before anything heavy is loaded.
    from tabgraphsyn.evaluation.sides.syntherela import SampleFolder

    return [SampleFolder(dataset, method, run, number, out).tables for number in range(1, samples + 1)]
