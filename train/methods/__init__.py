"""Which weights are trained: the methods by the names that ``strop train --method`` knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strop.lazy import lazy

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel
    from transformers import PreTrainedModel, TrainerCallback

    from .options import MethodOptions

    Settings = Callable[[MethodOptions, PreTrainedModel, int], PeftConfig]
    """peft's configuration for a model that is trained for so many steps."""


@dataclass(frozen=True)
class Method:
    """One way to fine-tune."""

    name: str
    summary: str
    """One line for whoever has to choose."""
    learning_rate: float
    """Peak of the schedule, unless the user gives another."""
    settings: "Settings | None" = None
    """None where every weight of the model is trained."""
    callback: "Callable[[PeftModel], TrainerCallback] | None" = None
    """What a method does between steps."""
    low_rank: bool = False
    """Whether ``lora_rank`` and its kin say what it adds."""
    virtual_tokens: bool = False
    """Whether it puts trained vectors before the text, which take up positions, instead of changing
    weights: then nothing can be merged into the model, and so nothing exported."""


def _load(module: str, function: str) -> Callable[..., Any]:
    return lazy(f"{__name__}.{module}", function)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "lora",
            "small matrices beside each linear layer: quick, little memory, nearly as good as full",
            1e-3,
            _load("low_rank", "lora"),
            low_rank=True,
        ),
        Method(
            "dora",
            "lora with the length of each neuron's weights trained apart: can win at low rank, slower",
            1e-3,
            _load("low_rank", "dora"),
            low_rank=True,
        ),
        Method(
            "adalora",
            "lora that begins with half as much rank again and takes it from the layers that need least",
            5e-3,
            _load("adaptive_rank", "adalora"),
            _load("adaptive_rank", "RankSchedule"),
            low_rank=True,
        ),
        Method(
            "ia3",
            "a factor for each key, value and feed-forward neuron: the fewest weights that still merge",
            1e-2,
            _load("scaling", "ia3"),
        ),
        Method(
            "prefix",
            "trained keys and values before the text in each layer; can't be exported",
            1e-2,
            _load("virtual_tokens", "prefix_tuning"),
            virtual_tokens=True,
        ),
        Method(
            "prompt",
            "trained embeddings before the text; can't be exported",
            1e-2,
            _load("virtual_tokens", "prompt_tuning"),
            virtual_tokens=True,
        ),
        Method(
            "p-tuning",
            "prompt, its embeddings made by a small network, which trains more steadily; can't be exported",
            1e-3,
            _load("virtual_tokens", "p_tuning"),
            virtual_tokens=True,
        ),
        Method(
            "full",
            "every weight: for much data, or where the others stay short of what you need",
            5e-5,
        ),
    )
}
# Bottleneck adapters (Houlsby et al., 2019) are not among them: the adapters library, 1.3.0, wants
# transformers 4.57, and peft has none.
