"""An adapter beside its base: every tensor in its place, or refused."""

import warnings
from typing import cast

from peft import PeftConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import PreTrainedModel

from strop.errors import InputError

from .adapter import Adapter

UNFIT = (KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError)
# peft calls it missing in each layer, although they share the one that was loaded.
SHARED = "vblora_vector_bank"
# peft puts these into their place itself and calls them unexpected.
VIRTUAL_TOKENS = "prompt_embeddings"


def settings_of(adapter: Adapter, base: str) -> PeftConfig:
    """What an adapter's folder says of it; ``InputError`` when peft can't read that."""
    try:
        return cast(PeftConfig, PeftConfig.from_pretrained(str(adapter.folder)))
    except UNFIT as error:
        raise _unfit(adapter, base, " ".join(str(error).split())) from error


def attach(model: PreTrainedModel, adapter: Adapter, base: str) -> PeftModel:
    """``model``, which is changed, with the adapter beside it, in eval mode.

    Raises ``InputError`` unless every tensor finds its place; ``base`` is what the model is called there.
    """
    config = settings_of(adapter, base)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # checked below, for certain
            adapted = get_peft_model(model, config)
            loading = adapted.load_adapter(str(adapter.folder), "default", torch_device="cpu")
    except UNFIT as error:
        raise _unfit(adapter, base, " ".join(str(error).split())) from error
    if lacking := [name for name in loading.missing_keys if SHARED not in name]:
        raise _unfit(adapter, base, f"it has nothing for {lacking[0]}")
    if surplus := [name for name in loading.unexpected_keys if name != VIRTUAL_TOKENS]:
        raise _unfit(adapter, base, f"that has no place for {surplus[0]}")
    return cast(PeftModel, adapted.train(False))


def _unfit(adapter: Adapter, base: str, reason: str) -> InputError:
    return InputError(
        f"adapter {adapter.folder} doesn't fit {base} ({reason:.160}); give the base and the classes that"
        " it was trained on"
    )
