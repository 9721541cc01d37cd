"""How far a model's answers are from its teacher's."""

from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, mse_loss

from strop.tasks import Task


def distance(task: Task, found: Tensor, wanted: Tensor, temperature: float = 1.0) -> Tensor:
    """The mean over rows of logits [n, outputs].

    Where outputs are probabilities of one choice it is the Kullback-Leibler divergence at a
    temperature, times its square (Hinton et al., 2015), else the mean squared difference.
    """
    if not task.one_choice:
        return mse_loss(found, wanted)
    ours, theirs = (log_softmax(logits / temperature, -1) for logits in (found, wanted))
    return temperature**2 * kl_div(ours, theirs, reduction="batchmean", log_target=True)


def own_rows(logits: Tensor, real: Tensor) -> Tensor:
    """The rows [n, outputs] that stand for an input or, of a head per token, for a ``real`` [b, t] one."""
    return logits[real] if logits.ndim == 3 else logits
