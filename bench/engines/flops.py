"""What a model costs by the book, whatever an engine really computes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ModelSize:
    """What of a model decides the operations of its forward pass."""

    weights: int
    """Of the encoder's dense layers, which every token meets: no embeddings, no pooler, no head."""
    layers: int
    hidden: int

    @classmethod
    def of(cls, model: "PreTrainedModel") -> "ModelSize":
        """That of a transformers model."""
        # Not at the top: only a transformers model needs torch.
        from torch.nn import Linear

        encoder = model.base_model
        return cls(
            weights=sum(
                module.weight.numel()
                for name, module in encoder.named_modules()
                if isinstance(module, Linear) and "pooler" not in name
            ),
            layers=model.config.num_hidden_layers,
            hidden=model.config.hidden_size,
        )

    def flops(self, lengths: Iterable[int]) -> int:
        """Floating point operations for texts of so many tokens each, none of them padding.

        2 · weights · t + 4 · layers · hidden · t² for a text of t tokens: the forward third of
        Chowdhery et al., PaLM, 2022, appendix B, where a product of matrices counts a multiplication and
        an addition, and attention multiplies with keys and with values.
        """
        return sum(
            2 * self.weights * tokens + 4 * self.layers * self.hidden * tokens**2 for tokens in lengths
        )
