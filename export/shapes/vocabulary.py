"""A smaller vocabulary: embeddings of the tokens that a corpus has, and one for all the others.

The tokenizer stays as it is, so that variants of one bundle can share it; a table in front of the
embeddings leads each token id to its row. Nothing changes for a text made of kept tokens.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


class KeptEmbedding(nn.Module):
    """Token embeddings of which only some rows are kept."""

    rows: Tensor

    def __init__(self, embedding: nn.Embedding, kept: Tensor, other: int) -> None:
        """``kept``: sorted token ids [n]; ``other``: the one of them that stands for all the rest."""
        super().__init__()
        rows = torch.full((embedding.num_embeddings,), int(torch.searchsorted(kept, other)))
        rows[kept] = torch.arange(len(kept))
        self.register_buffer("rows", rows)
        self.kept = nn.Embedding(len(kept), embedding.embedding_dim)
        self.kept.weight.data = embedding.weight.detach()[kept]

    def forward(self, input_ids: Tensor) -> Tensor:
        """Embeddings [..., hidden] of token ids [...]."""
        embedded: Tensor = self.kept(self.rows[input_ids])
        return embedded


def trim_vocabulary(model: PreTrainedModel, used: Iterable[int], unknown: int) -> None:
    """Keep the embeddings of the ``used`` token ids and of ``unknown``, which the others become."""
    embedding = model.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)  # noqa: S101
    kept = torch.tensor(sorted({*used, unknown}))
    model.set_input_embeddings(KeptEmbedding(embedding, kept, unknown))
