"""Training on embeddings that were moved to where the loss is higher: FGM and PGD."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .options import LossOptions

STEP = 2.5
"""Steps of pgd together, in epsilons: enough to reach the far side of the ball (Madry et al.)."""


class Adversary:
    """Adds a perturbation to what the embedding layer answers; no weight is touched.

    fgm: one step of length ε along the gradient of each text's loss (Miyato et al., "Adversarial
    Training Methods for Semi-Supervised Text Classification", 2017). pgd: ``adversarial_steps`` shorter
    ones, held within ε (Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks",
    2018), whose gradients of the weights are all used, by their mean (FreeLB, Zhu et al., 2020).
    """

    def __init__(self, embeddings: nn.Module, options: LossOptions) -> None:
        self._embeddings = embeddings
        self._epsilon = options.adversarial_epsilon
        self._steps = options.adversarial_steps if options.adversarial == "pgd" else 1
        self._delta: Tensor | None = None
        self.weight = 1.0
        """What the pass under way counts in the loss: the clean one as much as all attacks together."""

    def train_through(self, step: Callable[[], Tensor]) -> Tensor:
        """Take a forward and backward pass as it is, then each attack's; the loss of the first.

        The gradients of the weights add up over all passes: ∇L(x) + mean ∇L(x + δ).
        """
        length = self._epsilon if self._steps == 1 else STEP * self._epsilon / self._steps
        with self._perturbing():
            loss = step()
            self.weight = 1 / self._steps
            for _ in range(self._steps):
                self._climb(length)
                step()
        return loss

    @contextmanager
    def _perturbing(self) -> Iterator[None]:
        hook = self._embeddings.register_forward_hook(self._perturb)
        try:
            yield
        finally:
            hook.remove()
            self._delta = None
            self.weight = 1.0

    def _perturb(self, module: nn.Module, inputs: object, embedded: Tensor) -> Tensor:
        if self._delta is None:
            self._delta = torch.zeros_like(embedded, requires_grad=True)
        return embedded + self._delta

    def _climb(self, length: float) -> None:
        """Move by ``length`` along the newest gradient, and back to within ε of where it began."""
        delta = self._delta
        if delta is None or delta.grad is None:
            raise RuntimeError("the model did not use its embedding layer")
        # fp16 gradients can overflow; the optimiser leaves out that step then.
        gradient = delta.grad.nan_to_num(0.0, 0.0, 0.0)
        moved = delta.detach() + length * gradient / _norm(gradient)
        self._delta = (moved * (self._epsilon / _norm(moved)).clamp_max(1.0)).requires_grad_()


def _norm(rows: Tensor) -> Tensor:
    """The L2 norm of each text's [tokens, width], as [n, 1, 1]; never 0."""
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=(1, 2), keepdim=True)
    return lengths.clamp_min(torch.finfo(rows.dtype).tiny)
