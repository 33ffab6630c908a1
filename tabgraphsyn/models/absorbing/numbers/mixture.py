"""Numbers in and out of the network: features of known ones, and the continuous head of unknown ones.

The head is a mixture of normals, some in normalised space and some on the scale of the values: delays differ by
minutes, whatever their quantiles. Half of them begin with what known numbers say (``companions.py``); where parents or
siblings say more, the other half does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tabgraphsyn.models.absorbing.levels.surprises import log_sum_exp
from tabgraphsyn.models.absorbing.numbers.partners import Peaks
from tabgraphsyn.models.absorbing.numbers.scales import POINTS, REACH

FREQUENCIES = (1.0, 2.0, 4.0, 8.0, 16.0)
FEATURES = 2 + 2 * len(FREQUENCIES)
NORMAL, VALUE = 8, 6
"""Components in normalised space, and on the scale of the values."""
COMPONENTS = NORMAL + VALUE
PEAKS = 2
"""Components at the number of each partner (``partners.py``), beside those."""
PEAK_REACH = 0.1
PEAK_WIDTHS = (-4.5, -2.5)
"""How far a peak moves from there by a step of one, and how wide peaks are at the start (log)."""
NEAR, NEAR_PARTNER = 4, 3
"""What is asked for the cells of a rough number: weights of none and of a peak, its place and its width; and of a peak
at each partner, weight, place and width."""
PARTNER_WIDTH = -2.5
LOG_WIDTHS = (-6.0, 3.0)
CLEARLY = 0.7
"""Share of the deviation in one space, below which the other space says more."""
LEAST_DEVIATION = 2e-3
_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
_STEP = 2 * REACH / (POINTS - 1)


def scaled(scale: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
    """Return normalised numbers on the scale of their values, and the log of its slope there.

    Shape:
        scale: (n, POINTS). number: (rows, n). Returned: (rows, n) each.
    """
    place = ((number + REACH) / _STEP).nan_to_num().clamp(0, POINTS - 1.001)
    below = place.long()
    columns = torch.arange(scale.shape[0], device=number.device)
    low, high = scale[columns, below], scale[columns, below + 1]
    # Beyond the last points the scale goes on as between them.
    share = (number + REACH) / _STEP - below
    return low + share * (high - low), ((high - low) / _STEP).log()


def unscaled(scale: Tensor, value: Tensor) -> Tensor:
    """Return the normalised number of values of one field, within the reach of its scale.

    Shape:
        scale: (POINTS,), ascending. value: (rows,).
    """
    above = torch.searchsorted(scale, value).clamp(1, POINTS - 1)
    low, high = scale[above - 1], scale[above]
    share = ((value - low) / (high - low)).clamp(0, 1)
    return -REACH + _STEP * (above - 1 + share)


def placed(scale: Tensor, value: Tensor) -> Tensor:
    """Return the normalised numbers of values of all fields, (rows, n), within the reach of their scales.

    Shape:
        scale: (n, POINTS), ascending. value: (rows, n).
    """
    sought = value.T.contiguous()
    above = torch.searchsorted(scale.contiguous(), sought).clamp(1, POINTS - 1)
    low, high = scale.gather(1, above - 1), scale.gather(1, above)
    share = ((sought - low) / (high - low)).clamp(0, 1)
    return (-REACH + _STEP * (above - 1 + share)).T


def features(number: Tensor, value: Tensor, is_known: Tensor) -> Tensor:
    """Return what the network sees of known numbers, zeros for the others: (rows, n, FEATURES).

    Shape:
        number, value: (rows, n), normalised and on the scale of the values. is_known: (rows, n) bool.
    """
    angle = number.unsqueeze(-1) * number.new_tensor(FREQUENCIES)
    parts = [number.unsqueeze(-1), torch.asinh(value).unsqueeze(-1), angle.sin(), angle.cos()]
    return torch.cat(parts, dim=-1) * is_known.unsqueeze(-1)


@dataclass(frozen=True)
class Company:
    """What known numbers say of others.

    Shape:
        mean, deviation: (..., 2), in normalised space and on the scale of the values.
    """

    mean: Tensor
    deviation: Tensor

    def agreed(self, scale: Tensor) -> Company:
        """Return what is said where it says more: a number that is told better in one space is told so in the other.

        Two long delays differ by some minutes, but minutes are next to nothing among the quantiles of long delays.

        Shape:
            scale: (n, POINTS), of the numbers.
        """
        (normal, value), (apart, off) = self.mean.unbind(-1), self.deviation.unbind(-1)
        there, at_normal = scaled(scale, normal)
        here = placed(scale, value)
        at_value = scaled(scale, here)[1]
        told = off * (-at_value).exp(), apart * at_normal.exp()
        return self.chosen((normal, value), (apart, off), (here, there), told)

    @staticmethod
    def chosen(
        mean: tuple[Tensor, Tensor],
        deviation: tuple[Tensor, Tensor],
        other_mean: tuple[Tensor, Tensor],
        other_deviation: tuple[Tensor, Tensor],
    ) -> Company:
        """Return what is said in each space, or in the other one where that says more: (..., 2) each.

        Shape:
            all: (...), in normalised space and on the scale of the values; the other ones are what is said in the other
            space, as it is in this one.
        """
        by_value = other_deviation[0] < CLEARLY * deviation[0]
        by_normal = ~by_value & (other_deviation[1] < CLEARLY * deviation[1])
        means, deviations = (
            torch.stack([torch.where(by_value, there[0], here[0]), torch.where(by_normal, there[1], here[1])], -1)
            for here, there in ((mean, other_mean), (deviation, other_deviation))
        )
        return Company(means, deviations.clamp(min=LEAST_DEVIATION))

    def of(self, numbers: Tensor | int) -> Company:
        """Return what is said of some numbers, or of one: (rows, n, 2) or (rows, 2)."""
        return Company(self.mean[:, numbers], self.deviation[:, numbers])


class MixtureHead(nn.Module):
    """The linear ways from known numbers to the means of unknown ones, and the density that results.

    Args:
        seen: how many numbers are seen, 0 where one is not known.
        smooth: number of fields that have a continuous head.
    """

    def __init__(self, *, seen: int, smooth: int) -> None:
        super().__init__()
        self.ways = nn.Parameter(torch.zeros(smooth, 2, seen))

    def shifts(self, seen: Tensor) -> Tensor:
        """Return what numbers add to the means, (rows, smooth, 2): normalised, and on the values' scale.

        Shape:
            seen: (rows, seen).
        """
        return (seen @ self.ways.flatten(0, 1).T).unflatten(1, self.ways.shape[:2])

    @staticmethod
    def start(bias: Tensor) -> None:
        """Spread the means of a head's bias, (smooth, 3, components), so that components differ from the start."""
        with torch.no_grad():
            bias[:, 1, :NORMAL] = torch.linspace(-2, 2, NORMAL // 2).repeat_interleave(2)
            bias[:, 1, NORMAL:COMPONENTS] = torch.linspace(-1, 2, VALUE // 2).repeat_interleave(2)
            bias[:, 2, :COMPONENTS] = -0.7

    @staticmethod
    def parts(raw: Tensor, shift: Tensor, company: Company, near: Peaks | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return log weights, means and log widths of the components, (..., components) each.

        Shape:
            raw: (..., 3 * components). shift: (..., 2). near: of the numbers, None: there are no partners.
        """
        weights, means, widths = raw.unflatten(-1, (3, -1)).unbind(-2)
        if near is None:  # of a number that lies near no other one
            weights = weights[..., :COMPONENTS]
        deviation = torch.where(_is_told(raw), _on_both(company.deviation[..., 0], company.deviation[..., 1]), 1.0)
        told = torch.where(_is_told(raw), _on_both(company.mean[..., 0], company.mean[..., 1]), 0.0)
        own, log_width = means[..., :COMPONENTS], widths[..., :COMPONENTS] + deviation.log()
        own = own * deviation + told + _on_both(shift[..., 0], shift[..., 1])
        if near is not None:
            at, is_known = (one.repeat_interleave(PEAKS, dim=-1) for one in (near.at, near.is_known))
            weights = torch.cat(
                [weights[..., :COMPONENTS], weights[..., COMPONENTS:].masked_fill(~is_known, -torch.inf)], -1
            )
            own = torch.cat([own, at + PEAK_REACH * means[..., COMPONENTS:]], -1)
            start = widths.new_tensor(PEAK_WIDTHS).repeat(near.at.shape[-1])
            log_width = torch.cat([log_width, widths[..., COMPONENTS:] + start], -1)
        return weights.log_softmax(-1), own, log_width.clamp(*LOG_WIDTHS)

    @staticmethod
    def surprise(parts: tuple[Tensor, Tensor, Tensor], number: Tensor, value: Tensor, log_slope: Tensor) -> Tensor:
        """Return the negative log density of numbers in normalised space.

        Shape:
            number, value, log_slope: (...), see ``scaled``. Returned: (...).
        """
        weights, means, widths = parts
        at = _on_both(number, value, weights.shape[-1] - COMPONENTS)
        density = weights - 0.5 * ((at - means) / widths.exp()).square() - widths - _HALF_LOG_2_PI
        nothing = torch.zeros_like(log_slope)
        density = density + _on_both(nothing, log_slope, weights.shape[-1] - COMPONENTS)
        return -log_sum_exp(density, -1)

    @staticmethod
    def draw(parts: tuple[Tensor, Tensor, Tensor], scale: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
        """Return one number a row, in normalised space.

        Shape:
            parts: (rows, components) each. scale: (POINTS,). uniform, normal: (rows,) draws.
        """
        weights, means, widths = parts
        chosen = chosen_level(weights.exp(), uniform)
        at = chosen.unsqueeze(1)
        drawn = means.gather(1, at)[:, 0] + widths.gather(1, at)[:, 0].exp() * normal
        is_normalised = (chosen < NORMAL) | (chosen >= COMPONENTS)
        found = torch.where(is_normalised, drawn, unscaled(scale, drawn.contiguous()))
        return found.clamp(-REACH, REACH)

    @staticmethod
    def drawn(
        raw: Tensor, shift: Tensor, company: Company, near: Peaks | None, scale: Tensor, draws: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Return one number a row as ``draw`` does of ``parts``: of the components, only the drawn one is computed.

        Shape:
            raw: (rows, 3 * components). shift: (rows, 2). company: (rows, 2). scale: (POINTS,). draws: (rows,) each.
        """
        weights, means, widths = raw.unflatten(-1, (3, -1)).unbind(-2)
        if near is None:
            weights = weights[:, :COMPONENTS]
        else:
            is_known = near.is_known.repeat_interleave(PEAKS, dim=-1)
            weights = torch.cat(
                [weights[:, :COMPONENTS], weights[:, COMPONENTS:].masked_fill(~is_known, -torch.inf)], -1
            )
        at = chosen_level(weights.softmax(-1), draws[0]).unsqueeze(1)
        is_value = (at >= NORMAL) & (at < COMPONENTS)
        space, mean, width = is_value.long(), means.gather(1, at), widths.gather(1, at)
        is_told, deviation = at % 2 == 1, company.deviation.gather(1, space)
        own = torch.where(is_told, mean * deviation + company.mean.gather(1, space), mean) + shift.gather(1, space)
        width = torch.where(is_told, width + deviation.log(), width)
        if near is not None:
            place = (at - COMPONENTS).clamp(min=0)
            peak = near.at.gather(1, place // PEAKS) + PEAK_REACH * mean, widths.new_tensor(PEAK_WIDTHS)[place % PEAKS]
            own = torch.where(at >= COMPONENTS, peak[0], own)
            width = torch.where(at >= COMPONENTS, widths.gather(1, at) + peak[1], width)
        found = own[:, 0] + width[:, 0].clamp(*LOG_WIDTHS).exp() * draws[1]
        found = torch.where(is_value[:, 0], unscaled(scale, found), found)
        return found.clamp(-REACH, REACH)

    @staticmethod
    def draw_within(
        parts: tuple[Tensor, Tensor, Tensor], scale: Tensor, uniform: Tensor, normal: Tensor, low: Tensor, high: Tensor
    ) -> Tensor:
        """Return one number a row as the mixture has it between limits; the nearer limit where it has nothing there.

        Shape:
            low, high: (rows,), in normalised space; the others as in ``draw``.
        """
        weights, means, widths = parts
        peaks = weights.shape[-1] - COMPONENTS
        ends = [_on_both(one, scaled(scale.unsqueeze(0), one.unsqueeze(1))[0][:, 0], peaks) for one in (low, high)]
        below, above = (torch.special.ndtr(((one - means) / widths.exp()).double()) for one in ends)
        mass = (above - below).clamp(min=0) * weights.exp()
        chosen = chosen_level(mass, uniform)
        at = chosen.unsqueeze(1)
        start, end, mean, width = (one.gather(1, at)[:, 0] for one in (below, above, means, widths))
        share = (start + torch.special.ndtr(normal.double()) * (end - start)).clamp(1e-12, 1 - 1e-12)
        drawn = mean + width.exp() * torch.special.ndtri(share).to(mean.dtype)
        is_normalised = (chosen < NORMAL) | (chosen >= COMPONENTS)
        found = torch.where(is_normalised, drawn, unscaled(scale, drawn.contiguous()))
        plain = torch.where(mass.sum(1) > 1e-9, found, (means * weights.exp()).sum(1))
        return torch.minimum(torch.maximum(plain, low), high)


def _on_both(normal: Tensor, value: Tensor, peaks: int = 0) -> Tensor:
    """Return for each component the first or the second number, by the space that it is in: (..., components)."""
    parts = [normal.unsqueeze(-1).expand(*normal.shape, NORMAL), value.unsqueeze(-1).expand(*value.shape, VALUE)]
    if peaks:
        parts.append(normal.unsqueeze(-1).expand(*normal.shape, peaks))
    return torch.cat(parts, dim=-1)


def _is_told(like: Tensor) -> Tensor:
    """Return which components begin with what known numbers say, (COMPONENTS,) bool: every other one."""
    return torch.arange(COMPONENTS, device=like.device) % 2 == 1


def nearness(raw: Tensor, company: Company, at: Tensor, near: Peaks | None = None) -> Tensor:
    """Return what speaks for the cells of a rough number by how near they are to what known numbers say, (rows, cells).

    Its peaks have wide feet (Student's t with three degrees of freedom): what one cell is like remains the network's.

    Shape:
        raw: (rows, NEAR + NEAR_PARTNER * partners). company: of the number, (rows, 2). at: (rows, cells) or (1, cells),
            their middles. near: of the number, (rows, partners); None: there are no partners.
    """
    weights, place, width = raw[:, :2], raw[:, 2:3], raw[:, 3:4]
    mean, deviation = company.mean[:, :1], company.deviation[:, :1]
    middle, width = mean + deviation * place, width + deviation.log()
    if near is not None:
        more, moved, wide = raw[:, NEAR:].unflatten(1, (NEAR_PARTNER, -1)).unbind(1)
        weights = torch.cat([weights, more.masked_fill(~near.is_known, -torch.inf)], 1)
        middle = torch.cat([middle, near.at + PEAK_REACH * moved], 1)
        width = torch.cat([width, wide + PARTNER_WIDTH], 1)
    weights, width = weights.log_softmax(1), width.clamp(*LOG_WIDTHS)
    far = (at.unsqueeze(1) - middle.unsqueeze(2)) * (-width).exp().unsqueeze(2)
    peaks = (weights[:, 1:] - width).unsqueeze(2) - 2 * (far.square() / 3).log1p()
    return torch.logaddexp(weights[:, :1], log_sum_exp(peaks, 1))


def chosen_level(shares: Tensor, uniform: Tensor) -> Tensor:
    """Return a level a row, drawn by its share.

    Shape:
        shares: (rows, levels), not negative. uniform: (rows,) in [0, 1). Returned: (rows,) int64.
    """
    ends = shares.cumsum(1)
    # Never the end of the last share itself: no level of no share is drawn.
    wanted = uniform.to(ends.dtype) * (ends[:, -1] * (1 - 2 * torch.finfo(ends.dtype).eps))
    return torch.searchsorted(ends, wanted.unsqueeze(1), right=True)[:, 0].clamp(max=shares.shape[1] - 1)
