"""PyTorch eager, one text at a time, behind the minimal server: what people write first."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from strop.export.bundle import Bundle

from .minimal import Score, serve
from .order import Order


def _scorer(order: Order) -> Score:
    torch.set_num_threads(order.threads)
    tokens = Bundle.open(Path(order.bundle)).manifest.max_tokens
    tokenizer = AutoTokenizer.from_pretrained(order.folder)
    model = AutoModelForSequenceClassification.from_pretrained(order.folder).eval()
    labels = model.config.id2label

    @torch.inference_mode()
    def score(texts: Sequence[str]) -> list[tuple[str, float]]:
        inputs = tokenizer(list(texts), truncation=True, max_length=tokens, return_tensors="pt")
        probabilities = model(**inputs).logits.softmax(dim=-1)
        best = probabilities.max(dim=-1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [(labels[place], value) for place, value in pairs]

    return score


if __name__ == "__main__":
    order = Order.read()
    serve(order, _scorer(order))
