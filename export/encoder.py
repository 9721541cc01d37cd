"""A model's encoder and its head apart: attention exchanged, and only the tokens kept that are judged."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, cast

from torch import Tensor, nn
from torch.nn.functional import embedding
from transformers import PreTrainedModel

from strop.tasks import Task

from .heads import head_of


class EncoderAndHead(nn.Module):
    """The parts of a model that a wrapper calls in its own way, and the feeds that it reads."""

    feeds: ClassVar[Sequence[str]]
    """Those of its layout that it may read."""

    def __init__(self, model: PreTrainedModel, task: Task, *, token_types: bool = False) -> None:
        """``token_types``: it reads which text of a pair each token is of."""
        super().__init__()
        self.encoder = cast(PreTrainedModel, model.base_model)
        self.per_token = task.per_token
        self.head = head_of(model, task)
        read = {"starts": not task.per_token, "token_type_ids": token_types}
        self.inputs = tuple(name for name in self.feeds if read.get(name, True))
        """The names of the feeds that it reads."""
        self.eval()


@contextmanager
def attending_by(name: str, encoder: PreTrainedModel) -> Iterator[None]:
    """Let the encoder's layers attend by a function of transformers' registry."""
    encoder.set_attn_implementation(name)
    try:
        yield
    finally:
        encoder.set_attn_implementation("eager")


@contextmanager
def only_tokens(tokens: Tensor | None, encoder: nn.Module) -> Iterator[None]:
    """Keep only the tokens of these flat indices, [1, n, hidden], once attention is done with; or all.

    A layer has a norm after its attention and one after its feed-forward part, so the encoder's
    last norm but one stands behind the last attention.
    """
    if tokens is None:
        yield
        return
    *_, norm, _ = (module for module in encoder.modules() if isinstance(module, nn.LayerNorm))
    hook = norm.register_forward_hook(
        lambda module, inputs, hidden: embedding(tokens, hidden.flatten(0, 1)).unsqueeze(0)
    )
    try:
        yield
    finally:
        hook.remove()


def attention_is_exchangeable(model: PreTrainedModel) -> bool:
    """Whether another function can attend in its stead; MPNet adds a bias inside its own."""
    return model.config.model_type != "mpnet"
