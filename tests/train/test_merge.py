"""Merging: every peft method, several adapters with weights, and what is refused."""

import copy
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file

from strop.errors import InputError, StropError
from strop.tasks import TASKS
from strop.train.adapter import Adapter
from strop.train.encoder import Encoder
from strop.train.merge import merged_model

TASK = TASKS["text-classification"]
LABELS = ("bad", "good", "plain")
IDS = torch.tensor([[2, 45, 50, 61, 3], [2, 70, 45, 45, 3]])
LINEAR = ["query", "value", "intermediate.dense"]
METHODS = {
    "LoRA": peft.LoraConfig(r=4, target_modules=LINEAR),
    "rsLoRA": peft.LoraConfig(r=4, target_modules=LINEAR, use_rslora=True),
    "DoRA": peft.LoraConfig(r=4, target_modules=LINEAR, use_dora=True),
    "AdaLoRA": peft.AdaLoraConfig(init_r=4, target_r=2, total_step=10, target_modules=LINEAR),
    "LoHa": peft.LoHaConfig(r=4, target_modules=LINEAR),
    "LoKr": peft.LoKrConfig(r=4, target_modules=LINEAR),
    "IA3": peft.IA3Config(target_modules=LINEAR, feedforward_modules=["intermediate.dense"]),
    "OFT": peft.OFTConfig(oft_block_size=8, target_modules=LINEAR),
    "BOFT": peft.BOFTConfig(boft_block_size=4, target_modules=LINEAR),
    "VeRA": peft.VeraConfig(r=4, target_modules=["query", "value"]),
    "FourierFT": peft.FourierFTConfig(n_frequency=50, target_modules=LINEAR),
    "HRA": peft.HRAConfig(r=4, target_modules=LINEAR),
    "MiSS": peft.MissConfig(r=4, target_modules=LINEAR),
    "VB-LoRA": peft.VBLoRAConfig(r=2, num_vectors=16, vector_length=16, topk=2, target_modules=LINEAR),
    "LN tuning": peft.LNTuningConfig(target_modules=["LayerNorm"]),
}
Save = Callable[..., Any]


@pytest.fixture
def save(tmp_path: Path, tiny_encoder: Path) -> Save:
    """Writes an adapter of a method, with random weights and its head, and returns it in eval mode."""

    def save(name: str, config: Any, base: Path = tiny_encoder, spread: float = 0.1) -> Any:
        model, untrained = Encoder.open(str(base)).model(TASK, LABELS)
        config = copy.deepcopy(config)
        config.task_type, config.modules_to_save = "SEQ_CLS", [*untrained]
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of what a GPU would do
            adapted = peft.get_peft_model(model, config)
        chance = torch.Generator().manual_seed(len(name))
        with torch.no_grad():
            for weight in adapted.parameters():
                if weight.requires_grad:
                    weight.add_(spread * torch.randn(weight.shape, generator=chance))
        adapted.save_pretrained(str(tmp_path / name), save_embedding_layers=False)
        return adapted.eval()

    return save


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("name", METHODS)
def test_a_merged_adapter_answers_as_beside_its_base(
    save: Save, tmp_path: Path, tiny_encoder: Path, name: str
) -> None:
    adapted = save(name, METHODS[name])
    with adapted.disable_adapter():
        without = logits(adapted)
    expected = logits(adapted)
    assert (expected - without).abs().max() > 1e-3
    merged = merged_model(str(tiny_encoder), TASK, LABELS, Adapter(tmp_path / name))
    torch.testing.assert_close(logits(merged), expected, atol=1e-4, rtol=0)
    assert not [module for module in merged.modules() if type(module).__module__.startswith("peft")]


def test_weighted_lora_adapters_are_the_weighted_sum_of_their_products(
    save: Save, tmp_path: Path, tiny_encoder: Path
) -> None:
    save("one", METHODS["LoRA"])
    save("other", METHODS["LoRA"])
    own, further = Adapter(tmp_path / "one", 0.5), Adapter(tmp_path / "other", 1.5)
    merged = merged_model(str(tiny_encoder), TASK, LABELS, own, [further]).state_dict()
    base = Encoder.open(str(tiny_encoder)).model(TASK, LABELS)[0].state_dict()
    files = [load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "other")]
    query = "bert.encoder.layer.0.attention.self.query"
    deltas = [
        file[f"base_model.model.{query}.lora_B.weight"] @ file[f"base_model.model.{query}.lora_A.weight"]
        for file in files
    ]
    scale = 8 / 4  # alpha by rank
    expected = base[f"{query}.weight"] + scale * (0.5 * deltas[0] + 1.5 * deltas[1])
    torch.testing.assert_close(merged[f"{query}.weight"], expected)
    heads = [file["base_model.model.classifier.weight"] for file in files]
    torch.testing.assert_close(merged["classifier.weight"], 0.25 * heads[0] + 0.75 * heads[1])


def test_adapters_of_two_methods_add_up(save: Save, tmp_path: Path, tiny_encoder: Path) -> None:
    alone = {}
    for name in ("DoRA", "IA3"):
        save(name, METHODS[name])
        alone[name] = merged_model(str(tiny_encoder), TASK, LABELS, Adapter(tmp_path / name)).state_dict()
    further = [Adapter(tmp_path / "IA3", -0.5)]
    both = merged_model(str(tiny_encoder), TASK, LABELS, Adapter(tmp_path / "DoRA"), further).state_dict()
    base = Encoder.open(str(tiny_encoder)).model(TASK, LABELS)[0].state_dict()
    key = "bert.encoder.layer.1.attention.self.value.weight"
    expected = base[key] + (alone["DoRA"][key] - base[key]) - 0.5 * (alone["IA3"][key] - base[key])
    torch.testing.assert_close(both[key], expected)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("PROMPT_TUNING", peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)),
        ("PREFIX_TUNING", peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4)),
        ("P_TUNING", peft.PromptEncoderConfig(task_type="SEQ_CLS", num_virtual_tokens=4)),
    ],
)
def test_virtual_tokens_are_refused_by_name_with_the_reason(
    tmp_path: Path, tiny_encoder: Path, kind: str, config: peft.PeftConfig
) -> None:
    config.save_pretrained(str(tmp_path))
    with pytest.raises(InputError, match=f"of type {kind}, which can't be merged: it adds virtual tokens"):
        merged_model(str(tiny_encoder), TASK, LABELS, Adapter(tmp_path))


def test_a_method_that_peft_can_t_merge_is_refused_by_name(
    save: Save, tmp_path: Path, tiny_encoder: Path
) -> None:
    save("lily", peft.LilyConfig(r=4, target_modules=["query"]))
    with pytest.raises(InputError, match="of type LILY, which can't be merged: peft can't"):
        merged_model(str(tiny_encoder), TASK, LABELS, Adapter(tmp_path / "lily"))


def test_a_merge_that_changes_the_answers_is_refused_and_says_by_how_much(
    save: Save, tmp_path: Path, tiny_encoder: Path
) -> None:
    save("huge", METHODS["LoRA"], spread=100.0)
    with pytest.raises(StropError, match=r"moves its logits by [\d.e+-]+, more than 0.0001"):
        merged_model(str(tiny_encoder), TASK, LABELS, Adapter(tmp_path / "huge"))


@pytest.mark.parametrize(
    "changed", [{"hidden_size": 64}, {"num_hidden_layers": 1}, {"num_hidden_layers": 3}]
)
def test_a_base_of_another_shape_is_refused(
    save: Save, tmp_path: Path, tiny_encoder: Path, changed: dict[str, int]
) -> None:
    from transformers import AutoConfig, AutoModel

    save("one", METHODS["LoRA"])
    config = AutoConfig.from_pretrained(tiny_encoder)
    config.update(changed)
    AutoModel.from_config(config).save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match=r"one doesn't fit .*other \(") as refusal:
        merged_model(str(tmp_path / "other"), TASK, LABELS, Adapter(tmp_path / "one"))
    assert "\n" not in str(refusal.value)


def test_an_adapter_of_another_base_is_not_added(
    save: Save, tmp_path: Path, tiny_encoder: Path, make_encoder: Callable[[Path, str], None]
) -> None:
    make_encoder(tmp_path / "base", "bert")
    save("one", METHODS["LoRA"])
    save("other", METHODS["LoRA"], base=tmp_path / "base")
    with pytest.raises(InputError, match=r"other was trained on .*base, and the others on"):
        merged_model(
            str(tiny_encoder), TASK, LABELS, Adapter(tmp_path / "one"), [Adapter(tmp_path / "other")]
        )


def test_other_classes_are_refused(save: Save, tmp_path: Path, tiny_encoder: Path) -> None:
    save("one", METHODS["LoRA"])
    with pytest.raises(InputError, match="doesn't fit"):
        merged_model(str(tiny_encoder), TASK, LABELS[:2], Adapter(tmp_path / "one"))


def test_a_head_that_nobody_trained_is_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    model, _ = Encoder.open(str(tiny_encoder)).model(TASK, LABELS)
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["query"]))
    adapted.save_pretrained(str(tmp_path))
    with pytest.raises(
        InputError, match=r"nobody trained the classifier: neither .* nor an adapter has it"
    ):
        merged_model(str(tiny_encoder), TASK, LABELS, Adapter(tmp_path))


def test_weights_of_heads_must_not_cancel(save: Save, tmp_path: Path, tiny_encoder: Path) -> None:
    save("one", METHODS["LoRA"])
    save("other", METHODS["LoRA"])
    with pytest.raises(InputError, match=r"classifier.* weigh 0 in all"):
        merged_model(
            str(tiny_encoder), TASK, LABELS, Adapter(tmp_path / "one"), [Adapter(tmp_path / "other", -1)]
        )


@pytest.mark.parametrize(
    ("text", "place", "weight"),
    [
        ("a", "a", 1.0),
        ("a=0.5", "a", 0.5),
        ("b=c", "b=c", 1.0),
        ("b=c=-2", "b=c", -2.0),
        ("run=3", "run/adapter", 3.0),
    ],
)
def test_an_adapter_is_named_by_its_path_and_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str, weight: float
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b=c", "run/adapter"):
        Path(folder).mkdir(parents=True)
        (Path(folder) / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    assert Adapter.parse(text) == Adapter(Path(place), weight)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_folder_that_peft_did_not_write_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match=r"is not an adapter: adapter_config.json is missing"):
        Adapter.parse(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(InputError, match=r"adapter_config.json can't be read"):
        Adapter.parse(str(tmp_path))
