"""Learning that goes on where an earlier run ended: its weights, a sample of its texts, what it forgets."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from strop.tasks import Task

from .additions import HELD_OUT, KNOWN, Addition, held_out_keys, key
from .augmentation.copies import draw
from .data.splits import Splits
from .disk import faults_as_os_errors
from .encoder import Encoder
from .examples import Columns
from .report import Beside
from .run import Run
from .trained_model import TrainedModel
from .weights import START_FOLDER, weights_folder

NAMED_LEAKS = 3


@dataclass(frozen=True)
class Continued(Encoder):
    """A finished run as the encoder to start from: its head and all that it learnt are kept."""

    run: Run
    old: Splits
    """What that run learnt from and was judged by."""
    kept: Path
    """Where the model that the new run starts from will lie: export needs it."""
    seed: int
    """Of the head's rows for labels that the run didn't have."""

    @classmethod
    def of(cls, run: Run, columns: Columns, out: Path, seed: int) -> Self:
        """What the run ``out`` starts from.

        Raises ``InputError`` for a run of another task, and where its model or its data can't be had.
        """
        run.require_same_question(columns, "--from")
        config = Encoder.open(weights_folder(run.root, run.base_model), run.task).config
        return cls(run.base_model, config, run, run.splits(), (out / START_FOLDER).resolve(), seed)

    @property
    def title(self) -> str:
        """What the run is called."""
        return self.run.root.resolve().name

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The run's own."""
        return cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(self.run.tokenizer_file.parent))

    def model(
        self, task: Task, labels: Sequence[str], *, attention: str | None = None
    ) -> tuple[PreTrainedModel, tuple[str, ...]]:
        """The run's model with a row of the head for each of its labels, then of the others in ``labels``.

        Rows of new labels are as a new head's are: weights normal, biases 0. Raises ``InputError`` for
        a run whose weights can't be had or merged.
        """
        learnt = self.run.merged_model()
        config, labels = learnt.config, joined_labels(self.run, labels)
        config.num_labels = len(labels)
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}
        config.name_or_path = str(self.kept)
        grown = type(learnt)(config)
        chance = torch.Generator().manual_seed(self.seed)
        state = grown.state_dict()
        for name, tensor in learnt.state_dict().items():
            whole = state[name]
            if whole.shape != tensor.shape:
                whole.zero_()
                if whole.ndim > 1:
                    whole.normal_(0, config.initializer_range, generator=chance)
            whole[: len(tensor)] = tensor
        grown.set_attn_implementation(attention or "sdpa")
        return grown, ()

    def save(self, task: Task, labels: Sequence[str]) -> None:
        """Write the model into the new run's folder, unless it is there: whole, or not at all."""
        if not self.kept.is_dir():
            partial = self.kept.with_name(f".{self.kept.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            with faults_as_os_errors(self.kept):
                self.model(task, labels)[0].save_pretrained(partial)
            partial.rename(self.kept)


def joined_labels(run: Run, labels: Sequence[str]) -> tuple[str, ...]:
    """The run's labels in their places, then those that it didn't have."""
    return (*run.labels, *(label for label in labels if label not in run.labels))


def replayed(start: Continued, splits: Splits, share: float) -> Addition:
    """About ``share`` of the run's own training texts, drawn by the hash of each.

    Rehearsal against forgetting: Robins, "Catastrophic Forgetting, Rehearsal and Pseudorehearsal", 1995.
    """
    held_out, train = held_out_keys(splits), frozenset(map(key, splits.train))
    left_out = Counter({HELD_OUT: 0, KNOWN: 0})
    kept = []
    for example in start.old.train:
        if draw(f"{start.seed}/replay/{example.text}") >= share * 2**64:
            continue
        reason = HELD_OUT if key(example) in held_out else KNOWN if key(example) in train else None
        if reason:
            left_out[reason] += 1
        else:
            kept.append(example)
    return Addition(f"replay of {start.title}", kept, dict(left_out))


def forgetting(start: Continued, model: TrainedModel) -> Beside:
    """The run's test split, judged by its own model then and by ``model`` now.

    The change is the backward transfer Rₜ,ᵢ − Rᵢ,ᵢ of one earlier task i, where Rⱼ,ᵢ is the score on the
    test split of i after learning j; below 0 it is forgetting. Lopez-Paz and Ranzato, "Gradient Episodic
    Memory for Continual Learning", NeurIPS 2017, equation 3, who take the mean over all earlier tasks.
    """
    after = model.score(start.old.test).metrics
    before = {name: float(start.run.metrics["test"][name]) for name in after}
    note = (
        f"Against {start.title} the change is the backward transfer R₂,₁ − R₁,₁, where Rⱼ,₁ is the score on"
        " that test split after run j; below 0 it is forgetting (Lopez-Paz and Ranzato, NeurIPS 2017)."
    )
    return Beside(f"test split of {start.title}", after, f"{start.title} itself", before, note)


def leaks(start: Continued, splits: Splits) -> Iterator[str]:
    """What would make a score too good, each with a few of the texts."""
    old, name = start.old, start.title
    for split, texts, learnt, by in (
        ("validation", splits.validation, old.train, name),
        ("test", splits.test, old.train, name),
        (f"{name}'s test", old.test, splits.train, "this run"),
    ):
        seen = frozenset(map(key, learnt))
        found = [example.text for example in texts if key(example) in seen]
        if found:
            named = ", ".join(f"{text[:60]!r}" for text in found[:NAMED_LEAKS])
            more = ", …" if len(found) > NAMED_LEAKS else ""
            yield (
                f"{len(found):,} of {len(texts):,} texts of the {split} split are among those that {by}"
                f" learnt from, so its score is too good: {named}{more}"
            )
