"""AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) over torch's fused kernel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class AdamW:
    """The optimizer without ``torch.optim``'s class around it.

    ``torch.optim`` imports torch's compiler when it builds an optimizer, seconds that every stage process would pay,
    and spends more time around the kernel than in it for small networks. A test holds the two to the same numbers.

    Args:
        parameters: what is updated, by name. One without a gradient is left alone, moments included.
        betas: decay of the first and the second moment.
        weight_decay: decoupled, times the learning rate.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], *, betas: tuple[float, float], weight_decay: float, eps: float = 1e-8
    ) -> None:
        self._betas, self._weight_decay, self._eps = betas, weight_decay, eps
        self.names = list(parameters)
        self.parameters = list(parameters.values())
        self._first = [torch.zeros_like(value, requires_grad=False) for value in self.parameters]
        self._second = [torch.zeros_like(value, requires_grad=False) for value in self.parameters]
        # One tensor behind all counts: adding 1 to many small ones takes longer than it should.
        self._counts = torch.zeros(len(self.parameters), device=self.parameters[0].device if self.parameters else None)
        self._steps = list(self._counts.unbind())

    @torch.no_grad()
    def step(self, learning_rate: float, gradient_clip: float | None = None) -> None:
        """Update every parameter that has a gradient.

        Args:
            learning_rate: of this step.
            gradient_clip: largest norm of all gradients together.
        """
        used = [index for index, value in enumerate(self.parameters) if value.grad is not None]
        if not used:
            return
        lists = (self.parameters, self._first, self._second, self._steps)
        parameters, first, second, steps = ([values[index] for index in used] for values in lists)
        gradients = [value.grad for value in parameters if value.grad is not None]
        if len(used) == len(self.parameters):
            self._counts += 1.0
        else:
            torch._foreach_add_(steps, 1.0)
        # The kernel divides by a scale (of mixed precision) as it reads a gradient: clipping costs no pass of its own.
        scale = None if gradient_clip is None else (_norm(gradients) / gradient_clip).clamp(min=1.0)
        torch._fused_adamw_(
            parameters,
            gradients,
            first,
            second,
            [],
            steps,
            lr=learning_rate,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=self._weight_decay,
            eps=self._eps,
            amsgrad=False,
            maximize=False,
            grad_scale=scale,
        )

    def drop_gradients(self) -> None:
        """Forget gradients; dropped rather than zeroed, so that what a step does not touch keeps its moments."""
        for value in self.parameters:
            value.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Return the state by ``<parameter>/<kind>``; the tensors are the ones in use.

        Shape:
            of the shape of their parameter.
        """
        kinds = {"first": self._first, "second": self._second, "step": self._steps}
        return {
            f"{name}/{kind}": value
            for kind, values in kinds.items()
            for name, value in zip(self.names, values, strict=True)
        }

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over the state that ``tensors`` gave, of the same shape."""
        for name, value in self.tensors().items():
            value.copy_(tensors[name])


def _norm(tensors: list[Tensor]) -> Tensor:
    """Return the norm of all numbers in all tensors."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
