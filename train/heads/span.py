"""The head that finds a stretch of a text: where it starts and where it ends."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from strop.tasks import IGNORED

from .head import Head


class SpanOfTokens(Head):
    """Two choices of one token of an input: softmax over its tokens, and cross-entropy, in nats."""

    name = "span"
    model_class = "AutoModelForQuestionAnswering"
    adapter_type = "QUESTION_ANS"
    modules = ("qa_outputs",)

    def logits(self, outputs: Any, mask: Tensor) -> Tensor:
        """Of each token as start and as end, [n, tokens, 2]; padding is as unlikely as can be."""
        logits = torch.stack((outputs.start_logits, outputs.end_logits), dim=-1)
        # Virtual tokens stand before the text's own.
        logits = logits[:, -mask.shape[1] :]
        return logits.masked_fill(mask[:, :, None] == 0, torch.finfo(logits.dtype).min)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits [n, tokens, 2] and places of tokens [n, 2]: the mean over starts and ends."""
        if (labels == IGNORED).all():
            return logits.new_zeros(())
        return cross_entropy(logits.float(), labels, ignore_index=IGNORED)
