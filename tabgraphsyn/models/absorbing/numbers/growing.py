"""Rows that become known number by number: what the known ones say of one that is asked, with few operations.

The same as ``AbsorbingNetwork.company`` and ``shifts``, which answer for all numbers of any rows. Rows that are made
together mostly know the same numbers, and one number is asked at a time: what the known ones weigh for it depends on
which they are alone, and is computed once for each set of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tabgraphsyn.models.absorbing.numbers.companions import TINY, Companions
from tabgraphsyn.models.absorbing.numbers.mixture import Company
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, REACH

MOST_KEPT = 1 << 22
"""Weights that are kept, at most; those of further sets of known numbers are computed each time."""


STEP = 2 * REACH / (POINTS - 1)


class LineScale:
    """The scale of one number, as ``numbers.scaled`` and ``placed`` read those of all.

    Args:
        points: (POINTS,), ascending.
    """

    def __init__(self, points: Tensor) -> None:
        self.points = points.contiguous()
        self.rises = points[1:] - points[:-1]

    def there(self, number: Tensor) -> tuple[Tensor, Tensor]:
        """Return normalised numbers on the scale of their values, and its slope there; (rows,) each."""
        place = (number + REACH) / STEP
        below = place.nan_to_num().clamp(0, POINTS - 1.001).long()
        rise = self.rises.index_select(0, below)
        return self.points.index_select(0, below).addcmul_(place - below, rise), rise / STEP

    def here(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return the normalised numbers of values, within the reach of the scale, and its slope; (rows,) each."""
        below = torch.searchsorted(self.points, value.contiguous()).clamp_(1, POINTS - 1).sub_(1)
        rise = self.rises.index_select(0, below)
        share = ((value - self.points.index_select(0, below)) / rise).clamp_(0, 1)
        return (share + below).mul_(STEP).sub_(REACH), rise / STEP


@dataclass(frozen=True)
class Weights:
    """What the numbers of one set weigh for each that is asked.

    Shape:
        each: (asked, 2, numbers), by how much the mean moves for a deviation of each, 0 for those that are not known,
        in normalised space and on the scale of the values. base, deviation: (asked, 2).
    """

    each: Tensor
    base: Tensor
    deviation: Tensor


class Weighing:
    """The weights of one network; a set of numbers is a whole number, one bit each.

    Args:
        companions: of the network, measured.
        scale: of the numbers, (n, POINTS).
    """

    def __init__(self, companions: Companions, scale: Tensor) -> None:
        self.mean, self.unit = companions.mean, companions.deviation.clamp(min=TINY)
        self.scales = [LineScale(one) for one in scale]
        self._companions, self._kept = companions, dict[int, Weights]()

    def of(self, known: int) -> Weights:
        """Return what the numbers of a set weigh."""
        found = self._kept.get(known)
        if found is None:
            found = self._found(known)
            if len(self._kept) * found.each.numel() < MOST_KEPT:
                self._kept[known] = found
        return found

    def _found(self, known: int) -> Weights:
        count, device = self.mean.shape[1], self.mean.device
        is_known = torch.tensor([[bool(known >> number & 1) for number in range(count)]], device=device)
        # A row in which all are as usual, and one for each number that is a deviation above that.
        moved = torch.eye(count + 1, count, device=device).roll(1, 0)
        rows = self.mean + self.unit * moved.unsqueeze(1)
        mean, deviation = self._companions(rows, is_known.expand(count + 1, -1), slice(None))
        return Weights((mean[1:] - mean[0]).permute(1, 2, 0).contiguous(), mean[0], deviation[0])


class Growing:
    """The numbers of rows in the making.

    Args:
        weighing: of the network.
        rows: how many.
        before: (rows, 2 * n_num), the numbers of the sibling before in both spaces; None where nothing is remembered.
    """

    def __init__(self, weighing: Weighing, rows: int, before: Tensor | None) -> None:
        self._weighing, device = weighing, weighing.mean.device
        self._apart = torch.zeros(rows, *weighing.mean.shape, device=device)
        self.seen = torch.zeros(rows, 2 * weighing.mean.shape[1], device=device)
        """Known numbers, zeros for the others, in both spaces, and then those of the sibling before."""
        if before is not None:
            self.seen = torch.cat([self.seen, before], dim=1)
        self._sets, self._which = [0], torch.zeros(rows, dtype=torch.int64, device=device)
        self._said: tuple[int, Company] | None = None

    def add(self, number: int, normal: Tensor, is_known: Tensor | None) -> Tensor:
        """Say what a number is in rows, and in which of them it is known by now; return it on the scale of its values.

        Shape:
            normal: (rows,). is_known: (rows,) bool, None: in all. Returned: (rows,).
        """
        scale, count = self._weighing.scales[number], self._weighing.mean.shape[1]
        value = scale.there(normal)[0]
        mean, unit = self._weighing.mean[:, number], self._weighing.unit[:, number]
        both = torch.stack([normal, value], 1)
        known = both if is_known is None else both * is_known.unsqueeze(1)
        apart = (both - mean) / unit
        self._apart[:, :, number] = apart if is_known is None else apart * is_known.unsqueeze(1)
        self.seen[:, number : 2 * count : count] = known
        self._said = None
        self._grown(number, is_known)
        return value

    def _grown(self, number: int, is_known: Tensor | None) -> None:
        """Note which rows know which set of numbers now."""
        if is_known is None:
            self._sets = [one | 1 << number for one in self._sets]
        else:
            found, which = (2 * self._which + is_known).unique(return_inverse=True)
            self._sets = [self._sets[one >> 1] | (one & 1) << number for one in found.tolist()]
            self._which = which
        places: dict[int, int] = {}
        at = [places.setdefault(one, len(places)) for one in self._sets]
        if len(places) < len(self._sets):
            self._sets, self._which = list(places), torch.tensor(at, device=self._which.device)[self._which]

    def company(self, asked: int) -> Company:
        """Return what is said of a number that is not known, (rows, 2) each; see ``Company.agreed``."""
        if self._said is None or self._said[0] != asked:
            self._said = asked, agreed(self._found(asked), self._weighing.scales[asked])
        return self._said[1]

    def _found(self, asked: int) -> Company:
        weights = [self._weighing.of(one) for one in self._sets]
        parts = [(one.each[asked], one.base[asked], one.deviation[asked]) for one in weights]
        each, base, deviation = parts[0]
        if len(parts) > 1:
            each, base, deviation = (torch.stack(one)[self._which] for one in zip(*parts, strict=True))
        return Company((self._apart * each).sum(2) + base, deviation.expand(len(self._apart), -1))


def agreed(said: Company, scale: LineScale) -> Company:
    """Return ``Company.agreed`` of one number, (rows, 2)."""
    (normal, value), (apart, off) = said.mean.unbind(1), said.deviation.unbind(1)
    there, at_normal = scale.there(normal)
    here, at_value = scale.here(value)
    return said.chosen((normal, value), (apart, off), (here, there), (off / at_value, apart * at_normal))
