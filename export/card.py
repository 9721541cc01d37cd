"""The model card, a bundle's README.md: what the model is, what it is worth and where that ends.

It holds no measured time, so that the same run gives the same card.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strop.markdown import Row, markdown_table
from strop.tasks import Outputs, Pooling
from strop.tasks.windows import FIRST, OVERLAP
from strop.train.scores import Scores, title

from .config import ExportConfig
from .evaluate import CONFIDENCE_BINS, HeldOut
from .licence import stated_licence
from .report import Candidate
from .trained import Trained, base_folder, base_name, caveat, further_adapters

CARD_FILE = "README.md"
# Of more classes a matrix is too wide to read.
MATRIX_CLASSES = 20
POOLINGS: Mapping[Pooling, str] = {
    "mean": "the mean of the states of a text's tokens",
    "cls": "the state of a text's first token",
}


@dataclass(frozen=True)
class Card:
    """What the card is made from."""

    config: ExportConfig
    run: Trained
    held_out: HeldOut
    candidates: Sequence[Candidate]
    """Every variant that was tried; the first is the reference."""
    outputs: Mapping[str, Outputs]
    """The outputs for the held-out inputs, by variant."""

    def markdown(self) -> str:
        """The page, with the front matter of a Hugging Face model card."""
        sections = {
            "Use": self._use(),
            "Variants": self._variants(),
            "By label": self._labels(),
            "Confusions": self._confusions(),
            "Data": self._data(),
            "Limits": self._limits(),
            "Licence": self._licence(),
        }
        parts = [self._front_matter(), f"# {self.config.bundle_name} {self.config.version}", self._what()]
        parts += [f"## {title}\n\n{text}" for title, text in sections.items() if text]
        return "\n\n".join(parts) + "\n"

    def _front_matter(self) -> str:
        facts: dict[str, object] = {
            "pipeline_tag": self.run.task.name,
            "library_name": "pytorch" if self._programs_alone else "onnx",
            "tags": ["strop"],
            "metrics": list(self.run.task.metrics),
        }
        if (folder := base_folder(self.run)) is None:
            facts["base_model"] = self.run.base_model
        elif re.fullmatch(r"[a-z0-9.-]+", licence := stated_licence(folder) or ""):
            facts["license"] = licence
        return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in facts.items()), "---"])

    @property
    def _programs_alone(self) -> bool:
        return self.config.exporter == "torch-export"

    def _what(self) -> str:
        labels, method = self.run.labels, self.run.method
        outputs = "outputs are" if len(labels) > 1 else "output is"
        named = ", ".join(labels) or "a probability of each of the tokenizer's tokens"
        pooling = self.run.task.pooling
        vector = f", {POOLINGS[pooling]}" if pooling else ""
        added = ", ".join(f"{one.name} ({one.weight:g})" for one in further_adapters(self.config, self.run))
        merged = (
            f" Merged by weight: its own adapter ({self.config.own_weight:g}), {added}." if added else ""
        )
        return (
            f"{self.run.task.name}: {self.run.task.summary}. Its {outputs} {named}{vector}."
            f" {base_name(self.run)}, fine-tuned ({method}) on {self.run.data_name} and exported"
            f" to {'torch programs' if self._programs_alone else 'ONNX'} by Strop.{merged}"
        )

    def _use(self) -> str:
        return (
            "In this folder:\n\n"
            "```sh\n"
            "strop inspect --verify .\n"
            "strop serve .\n"
            'strop query 127.0.0.1:8001 "A text."\n'
            "```"
        )

    def _variants(self) -> str:
        metrics = self.run.task.metrics
        header = ("variant", "MB", *map(title, metrics), "of fp32", "agree", "batch", "calibration")
        rows = [_variant_row(candidate, metrics) for candidate in self.candidates]
        verdicts = "\n".join(f"- {candidate}" for candidate in self.candidates)
        sparse = "".join(
            f"\n\n{one.variant.name} is {one.variant.sparsity}."
            for one in self.candidates
            if one.variant.sparsity
        )
        return (
            f"Measured on the test split, {len(self.held_out.examples)} examples; what falls below"
            f" {100 * self.config.gate:g}% of fp32's {metrics[0]} is not in the bundle. `strop inspect`"
            " shows how fast each was when it was exported.\n\n"
            f"{markdown_table(header, rows)}\n\n{verdicts}\n\n"
            "Agree: the share of answers like fp32's. Batch: how far an output ever moved"
            " between a text alone and the same text in a batch, over up to 500 texts. Calibration: the"
            " expected calibration error, which is how far a label's probability is from the share of right"
            f" labels on average, over {CONFIDENCE_BINS} bins (Guo et al., On Calibration of Modern Neural"
            f" Networks, ICML 2017, equation 3).{sparse}"
        )

    def _labels(self) -> str:
        reference, *others = (candidate.variant.name for candidate in self.candidates)
        header = ("label", "precision", "recall", "F1", "support", *(f"F1 of {name}" for name in others))
        compared = [self._scores(name).labels for name in others]
        rows = [
            (
                one.label,
                *(f"{value:.3f}" for value in (one.precision, one.recall, one.f1)),
                str(one.support),
                *(f"{labels[place].f1:.3f}" for labels in compared),
            )
            for place, one in enumerate(self._scores(reference).labels)
        ]
        table = markdown_table(header, rows)
        return f"Of {reference} where no other is named, on the test split.\n\n{table}" if rows else ""

    def _confusions(self) -> str:
        reference, labels = self.candidates[0].variant.name, self.run.labels
        counts = self._scores(reference).confusion
        if not counts:
            return ""
        if len(labels) <= MATRIX_CLASSES:
            matrix = [(label, *map(str, row)) for label, row in zip(labels, counts, strict=True)]
            grid = markdown_table(("class", *labels), matrix)
            return f"Texts of each class, by the label that {reference} gave.\n\n{grid}"
        wrong = Counter(
            {
                (labels[truth], labels[found]): count
                for truth, row in enumerate(counts)
                for found, count in enumerate(row)
                if count and truth != found
            }
        )
        rows = [(*pair, str(count)) for pair, count in wrong.most_common(MATRIX_CLASSES)]
        table = markdown_table(("class", "label given", "texts"), rows)
        return f"The most frequent of {reference}.\n\n{table}"

    def _data(self) -> str:
        parts = self.run.splits().parts
        counts = [Counter(self.run.task.named(part)) for part in parts.values()]
        rows = [(label, *(_share(count, label) for count in counts)) for label in counts[0]]
        total = ("examples", *(str(len(part)) for part in parts.values()))
        digest = f"sha256 of the texts and labels: `{self.run.data_sha256}`"
        return f"{markdown_table(('label', *parts), [*sorted(rows), total])}\n\n{digest}"

    def _limits(self) -> str:
        fits_all = self.run.labels and self.run.task.one_choice and not self.run.task.per_token
        warning = caveat(self.run)
        return (
            (f"- Warning: {warning}.\n" if warning else "") + f"- {self._long()}\n"
            "- Languages: unknown. It was tested in those of its data, in the shares they have there.\n"
            "- Not tested: texts from elsewhere, texts written to mislead it, and whether it errs more"
            " often with some people's texts than with others'."
            + ("\n- Every text gets one of the classes, even where none fits." if fits_all else "")
        )

    def _long(self) -> str:
        """What becomes of a text that is longer than the model takes."""
        most, encoded = self.run.max_tokens, self.held_out.encoded
        cut = sum(one.truncated for one in encoded)
        if not self.run.task.windowed:
            return (
                f"A text of more than {most} tokens loses its end, as {cut} of the {len(encoded)} test"
                " texts did; the reply says so."
            )
        counts = self.held_out.counts
        several = sum(count > 1 for count in counts)
        return (
            f"A context that doesn't fit into {most} tokens beside its question is read window by window,"
            f" as {several} of the {len(counts)} in the test split were; an answer of more than"
            f" {most // OVERLAP} tokens may lie whole in none. A question of more than {most // FIRST}"
            f" tokens loses its end, as {cut} did; the reply says so."
        )

    def _licence(self) -> str:
        if (folder := base_folder(self.run)) is None:
            base = f"The hub page of {self.run.base_model} states the base model's."
        elif licence := stated_licence(folder):
            base = f"The base model's folder states: {licence}."
        else:
            base = "The base model's folder states none; ask its makers before you pass this on."
        return f"{base} What its data allows is not recorded."

    def _scores(self, variant: str) -> Scores:
        held_out = self.held_out
        found, offsets = held_out.by_example(self.outputs[variant])
        return Scores.of(held_out.task, found, offsets, held_out.examples, held_out.labels)


def _variant_row(candidate: Candidate, names: Sequence[str]) -> Row:
    variant, metrics = candidate.variant, candidate.variant.metrics
    return (
        variant.name,
        f"{variant.bytes / 1e6:.1f}",
        *(f"{metrics[name]:.4f}" for name in names),
        f"{variant.share_of_reference:.2%}",
        f"{metrics['agreement']:.2%}",
        f"{metrics['batch_difference']:.2g}",
        f"{metrics['calibration_error']:.4f}" if "calibration_error" in metrics else "-",
    )


def _share(counts: Counter[str], label: str) -> str:
    return f"{counts[label]} ({counts[label] / counts.total():.1%})"
