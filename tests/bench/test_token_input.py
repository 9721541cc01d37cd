"""Token ids to servers that take no texts: what is sent, how logits are read, what is refused."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from transformers import AutoTokenizer

from strop.bench.config import BenchConfig
from strop.bench.protocols import OpenInferenceWire, Reply, Wire
from strop.bench.served import Served
from strop.bench.server_process import ServerProcess
from strop.bench.target import caller, find, wire
from strop.errors import InputError, StropError
from strop.proto import open_inference_pb2 as pb
from strop.proto import open_inference_pb2_grpc as pb_grpc

TEXTS = [("a lovely film",), ("dull",), ("a story with a dreadful and tedious end",)]
ARRAYS = {"INT64": np.int64, "INT32": np.int32}


class Graph(pb_grpc.GRPCInferenceServiceServicer):
    """A graph as it came out of an exporter: ids in, logits out, and no word about what it is for."""

    def __init__(self, *inputs: str, datatype: str = "INT64", outputs: Sequence[str] = ("logits",)) -> None:
        self._inputs = inputs
        self._datatype = datatype
        self._outputs = outputs
        self.sent: dict[str, list[list[int]]] = {}

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        tensor = pb.ModelMetadataResponse.TensorMetadata
        return pb.ModelMetadataResponse(
            name=request.name,
            inputs=[tensor(name=name, datatype=self._datatype, shape=[-1, -1]) for name in self._inputs],
            outputs=[tensor(name=name, datatype="FP32", shape=[-1, 2]) for name in self._outputs],
        )

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The first logit is the number of tokens, the second is 5.5."""
        kind = ARRAYS[self._datatype]
        self.sent = {
            tensor.name: np.frombuffer(raw, dtype=kind).reshape(tensor.shape).tolist()
            for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True)
        }
        assert [output.name for output in request.outputs] == ["logits"]
        logits = np.array(
            [(sum(map(bool, row)), 5.5) for row in self.sent["attention_mask"]], dtype=np.float32
        )
        return pb.ModelInferResponse(
            model_name=request.model_name,
            outputs=[
                pb.ModelInferResponse.InferOutputTensor(name="logits", datatype="FP32", shape=logits.shape)
            ],
            raw_output_contents=[logits.tobytes()],
        )


@pytest.fixture(scope="module")
def folder(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with the names of two labels."""
    out = tmp_path_factory.mktemp("models") / "two"
    out.mkdir()
    (out / "tokenizer.json").write_bytes((tiny_encoder / "tokenizer.json").read_bytes())
    config = json.loads((tiny_encoder / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config | {"id2label": {"1": "short", "0": "long"}}))
    return out


def options(folder: Path, address: str, **further: Any) -> BenchConfig:
    return BenchConfig(
        address,
        texts=Path("texts.jsonl"),
        **{"protocol": "open-inference", "tokenizer": folder, "model": "two", "task": "text-classification"}
        | further,
    )


def asked(graph: Graph, folder: Path, texts: Sequence[tuple[str, ...]], **further: Any) -> Reply:
    async def scene() -> Reply:
        server = grpc.aio.server()
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(graph, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            config = options(folder, f"127.0.0.1:{port}", **further)
            served = await find(config)
            async with caller(config) as client:
                return await client.ask(wire(config, served), texts)
        finally:
            await server.stop(None)

    return asyncio.run(scene())


@pytest.mark.parametrize("datatype", ["INT64", "INT32"])
def test_a_graph_gets_what_the_models_tokenizer_makes(
    folder: Path, tiny_encoder: Path, datatype: str
) -> None:
    graph = Graph("input_ids", "attention_mask", "token_type_ids", datatype=datatype)
    reply = asked(graph, folder, TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    wanted = tokenizer([text for (text,) in TEXTS])["input_ids"]
    rows = zip(graph.sent["input_ids"], graph.sent["attention_mask"], strict=True)
    assert [[token for token, kept in zip(*row, strict=True) if kept] for row in rows] == wanted
    assert not np.any(graph.sent["token_type_ids"])
    labels = [result[0][0] for result in reply.results]
    assert labels == ["long" if len(ids) > 5 else "short" for ids in wanted]
    for result, ids in zip(reply.results, wanted, strict=True):
        assert dict(result)["long"] == pytest.approx(1 / (1 + np.exp(5.5 - len(ids))), abs=1e-6)


def test_of_a_pair_the_second_text_has_another_type(folder: Path) -> None:
    graph = Graph("input_ids", "attention_mask", "token_type_ids")
    asked(graph, folder, [("a film", "a lovely story")], pair_column="other")
    assert sum(graph.sent["token_type_ids"][0]) == 4  # three words and the mark behind them


@pytest.mark.parametrize(
    ("graph", "further", "complaint"),
    [
        (
            Graph("text", datatype="BYTES"),
            {},
            "'two' takes text BYTES; --tokenizer is for models that take",
        ),
        (Graph("input_ids", "pixels"), {}, "takes input_ids INT64, pixels INT64; --tokenizer is for"),
        (Graph("input_ids", outputs=()), {}, "gives nothing; of text-classification that can't be read"),
        (Graph("input_ids", outputs=("a", "b")), {}, "gives a FP32, b FP32; of text-classification"),
        (Graph("input_ids"), {"task": "regression"}, "gives logits FP32; of regression that can't be read"),
        (
            Graph("input_ids"),
            {"task": "question-answering"},
            "window by window, which is the server's work",
        ),
        (Graph("input_ids"), {"task": None}, "doesn't say what 'two' is for; give --task"),
    ],
)
def test_what_can_not_be_asked_or_read_is_named(
    graph: Graph, further: dict[str, Any], complaint: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=complaint):
        asked(graph, folder, TEXTS, **further)


def test_logits_of_other_labels_are_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"id2label": {"0": "only"}}))
    with pytest.raises(StropError, match="2 logits for 1 labels of the tokenizer's folder"):
        asked(Graph("input_ids", "attention_mask"), tmp_path, TEXTS)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"--tokenizer .* can't be read .*; give a bundle, or a model folder"
    ):
        asked(Graph("input_ids", "attention_mask"), tmp_path, TEXTS)
    with pytest.raises(InputError, match="--tokenizer x is for --protocol open-inference; give that"):
        options(Path("x"), "127.0.0.1:1", protocol="typed")


def test_our_own_server_answers_tokens_as_it_answers_texts(tiny_bundle: Path) -> None:
    async def scene(address: str) -> tuple[Reply, Reply]:
        config = options(tiny_bundle, address, model="", task=None)
        served = await find(config)
        apis: Sequence[Wire] = (wire(config, served), OpenInferenceWire(Served(served.name, served.task)))
        async with caller(config) as client:
            tokens, texts = [await client.ask(api, TEXTS) for api in apis]
        return tokens, texts

    with ServerProcess(tiny_bundle, "--instances", 1) as server:
        tokens, texts = asyncio.run(scene(server.address))
    assert tokens.results == texts.results
