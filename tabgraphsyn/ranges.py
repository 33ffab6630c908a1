"""Words for the ranges of settings, used at the constructors that take them: ``layers: Count = 2``.

The constructor is the one place where a setting's rule stands. ``argument_types`` reads it from the source before
anything is queued, without importing torch; ``checked`` holds settings classes to the same text when built.
Other bounds are written in place: ``Annotated[int, Interval(ge=1, le=3)]``.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Interval

Count = Annotated[int, Ge(1)]
"""1 or more."""
CountOrNone = Annotated[int, Ge(0)]
"""0 or more; 0 often means none, or never."""
Pair = Annotated[int, Ge(2)]
"""2 or more: folds, points of a curve, steps of a solver."""
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Interval(ge=0, le=1)]
ShareBelowOne = Annotated[float, Interval(ge=0, lt=1)]
PositiveShare = Annotated[float, Interval(gt=0, le=1)]
Percent = Annotated[float, Interval(gt=0, lt=100)]

# What a network or a sampler can be asked for: beyond, a typo or a stranger's bundle takes the machine, not a result.
Layers = Annotated[int, Interval(ge=1, le=128)]
LayersOrNone = Annotated[int, Interval(ge=0, le=128)]
Width = Annotated[int, Interval(ge=1, le=16_384)]
WidthOrNone = Annotated[int, Interval(ge=0, le=16_384)]
Steps = Annotated[int, Interval(ge=2, le=2_000)]
Window = Annotated[int, Interval(ge=1, le=1_048_576)]
Levels = Annotated[int, Interval(ge=0, le=1_048_576)]
Scale = Annotated[float, Interval(gt=0, le=1e6)]
Log = Annotated[float, Interval(ge=-50, le=50)]
