"""The training texts are widened as the options ask for it, before anything is learnt from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from torch import nn
from transformers import PreTrainedTokenizerFast

from strop.tasks import Example

from .additions import HELD_OUT, Addition, held_out_keys, key
from .augmentation import KINDS
from .augmentation.back_translation import BackTranslation
from .augmentation.copies import copies_of, texts_of
from .augmentation.thesaurus import find_synonyms
from .augmentation.words import places, split
from .config import TrainConfig
from .continuing import Continued, replayed
from .data.splits import Splits
from .encoder import Encoder
from .pseudo_labels import pseudo_labelled


def widen(
    config: TrainConfig, splits: Splits, encoder: Encoder, tokenizer: PreTrainedTokenizerFast
) -> tuple[Addition, ...]:
    """What joins ``splits.train``; a text that the model is judged by never does.

    With ``--check`` nothing is translated or labelled. Raises ``InputError`` for a model, run or file that
    an option names and that can't be used.
    """
    replay = [replayed(encoder, splits, config.replay)] if isinstance(encoder, Continued) else []
    return (*replay, *_copies(config, splits, encoder, tokenizer), *_pseudo_labelled(config, splits))


def _copies(
    config: TrainConfig, splits: Splits, encoder: Encoder, tokenizer: PreTrainedTokenizerFast
) -> Iterator[Addition]:
    kinds = [KINDS[name] for name in config.augment]
    synonyms: Mapping[str, Sequence[str]] = {}
    if any(kind.wants_synonyms for kind in kinds):
        synonyms = _synonyms(splits, encoder, tokenizer)
    held_out = held_out_keys(splits)
    for kind in kinds:
        copies = copies_of(
            splits.train,
            kind,
            seed=config.seed,
            copies=config.copies,
            share=config.changed_words,
            synonyms=synonyms,
        )
        yield _without(kind.name, copies, held_out)
    if config.back_translate:
        translation = BackTranslation.open(*config.back_translate)
        if not config.check:
            yield _without("back-translation", translation.copies_of(splits.train), held_out)


def _pseudo_labelled(config: TrainConfig, splits: Splits) -> Iterator[Addition]:
    if config.teacher and config.unlabelled:
        found = pseudo_labelled(
            config.teacher,
            config.unlabelled,
            config.confidence_floor,
            config.columns,
            splits,
            ask=not config.check,
        )
        if not config.check:
            yield found


def _without(origin: str, examples: Iterable[Example], held_out: frozenset[tuple[str, ...]]) -> Addition:
    """The examples but for those that the model is judged by."""
    found = list(examples)
    kept = [one for one in found if key(one) not in held_out]
    return Addition(origin, kept, {HELD_OUT: len(found) - len(kept)})


def _synonyms(
    splits: Splits, encoder: Encoder, tokenizer: PreTrainedTokenizerFast
) -> Mapping[str, Sequence[str]]:
    """Of the words of the training texts."""
    model, _ = encoder.model(splits.task, splits.labels)
    texts = (text for example in splits.train for text in texts_of(example))
    words = {pieces[place] for pieces in map(split, texts) for place in places(pieces)}
    embeddings = cast(nn.Embedding, model.get_input_embeddings())
    return find_synonyms(words, embeddings.weight.detach(), tokenizer)
