"""What Triton's own Python client gets from a server; run by an interpreter that has tritonclient.

Usage: triton_client.py ADDRESS SLOW_ADDRESS. Prints JSON: for each check None or how it failed, and
the client's descriptors. The second server takes longer for a request than any check waits.
"""

import asyncio
import base64
import json
import queue
import sys
import traceback

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

ADDRESS, SLOW_ADDRESS = sys.argv[1:]
GOOD_FILM = [2, 4, 6, 3]
"""The tiny tokenizer's ids of "good film"."""


def text_input(*texts, module=triton):
    tensor = module.InferInput("text", [len(texts)], "BYTES")
    return tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=object))


def token_input(name, datatype, values):
    tensor = triton.InferInput(name, list(values.shape), datatype)
    return tensor.set_data_from_numpy(values)


def refused(status, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except InferenceServerException as error:
        found = error
    else:
        raise AssertionError("it was not refused")
    assert found.status() == f"StatusCode.{status}", found
    return found.message()


def check_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny", "3")
    assert not client.is_model_ready("huge")
    server = client.get_server_metadata()
    assert server.name == "strop"
    assert "statistics" in server.extensions
    model = client.get_model_metadata("tiny", as_json=True)
    assert [tensor["name"] for tensor in model["inputs"]] == ["text"]
    assert model["outputs"][2] == {"name": "probabilities", "datatype": "FP32", "shape": ["-1", "3"]}


def check_model_config(client):
    config = client.get_model_config("tiny", as_json=True)["config"]
    assert (config["name"], config["backend"]) == ("tiny", "onnxruntime")
    assert config["input"] == [{"name": "text", "data_type": "TYPE_STRING", "dims": ["-1"]}]
    assert config["instance_group"][0]["kind"] == "KIND_CPU"
    assert config["parameters"]["max_tokens"] == {"string_value": "32"}


def check_statistics(client):
    def read():
        (model,) = client.get_inference_statistics("tiny").model_stats
        return model

    before = read()
    client.infer("tiny", [text_input("good", "bad")])
    after = read()
    assert after.inference_count - before.inference_count == 2
    assert after.inference_stats.success.count - before.inference_stats.success.count == 1
    assert after.inference_stats.compute_infer.ns > before.inference_stats.compute_infer.ns
    assert sum(batch.compute_infer.count for batch in after.batch_stats) == after.execution_count


def check_repository(client):
    index = client.get_model_repository_index(as_json=True)
    assert index == {"models": [{"name": "tiny", "version": "3", "state": "READY"}]}
    assert "--model-control explicit" in refused("UNIMPLEMENTED", client.load_model, "huge")
    refused("UNIMPLEMENTED", client.unload_model, "tiny")


def check_what_is_not_there_says_so(client):
    refused("UNIMPLEMENTED", client.get_system_shared_memory_status)
    refused("UNIMPLEMENTED", client.get_cuda_shared_memory_status)
    refused("UNIMPLEMENTED", client.get_trace_settings)
    refused("UNIMPLEMENTED", client.get_log_settings)
    tensor = triton.InferInput("text", [1], "BYTES")
    tensor.set_shared_memory("mine", 8)
    assert "shared memory" in refused("INVALID_ARGUMENT", client.infer, "tiny", [tensor])


def check_texts(client):
    result = client.infer("tiny", [text_input("good film", "bad", "")], request_id="seven", priority=2)
    assert result.get_response().id == "seven"
    probabilities = result.as_numpy("probabilities")
    assert (probabilities.shape, probabilities.dtype) == ((3, 3), np.float32)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (result.as_numpy("score") == probabilities.max(axis=1)).all()
    names = ["négatif", "neutral", "positive"]
    best = [names[index].encode() for index in probabilities.argmax(axis=1)]
    assert result.as_numpy("label").tolist() == best


def check_tokens(client):
    text = client.infer("tiny", [text_input("good film", "")]).as_numpy("probabilities")
    ids = np.array([GOOD_FILM, [2, 3, 0, 0]])
    for datatype, dtype in (("INT64", np.int64), ("INT32", np.int32)):
        tokens = token_input("input_ids", datatype, ids.astype(dtype))
        mask = token_input("attention_mask", "BOOL", ids != 0)
        for inputs in ([tokens], [tokens, mask]):
            assert (client.infer("tiny", inputs).as_numpy("probabilities") == text).all()


def check_outputs(client):
    wanted = [
        triton.InferRequestedOutput("probabilities", class_count=2),
        triton.InferRequestedOutput("label"),
    ]
    result = client.infer("tiny", [text_input("good film")], outputs=wanted)
    assert [output.name for output in result.get_response().outputs] == ["probabilities", "label"]
    assert result.as_numpy("score") is None
    ((first, second),) = result.as_numpy("probabilities")
    score, _, label = first.decode().split(":")
    assert result.as_numpy("label")[0].decode() == label
    assert float(score) > float(second.decode().split(":")[0])


def check_refusals(client):
    texts = [text_input("good")]
    refused("NOT_FOUND", client.infer, "huge", texts)
    refused("NOT_FOUND", client.get_model_config, "huge")
    refused("NOT_FOUND", client.infer, "tiny", texts, model_version="4")
    half = token_input("input_ids", "FP16", np.ones((1, 4), np.float16))
    assert "send INT64 or INT32" in refused("INVALID_ARGUMENT", client.infer, "tiny", [half])


def check_a_deadline(client):
    slow = triton.InferenceServerClient(SLOW_ADDRESS)
    texts = [text_input(*["good"] * 500)]
    refused("DEADLINE_EXCEEDED", slow.infer, "tiny", texts, client_timeout=0.1)
    refused("DEADLINE_EXCEEDED", slow.infer, "tiny", texts, timeout=100_000)
    slow.close()


def check_a_stream(client):
    replies = queue.Queue()
    client.start_stream(callback=lambda result, error: replies.put((result, error)))
    for number in range(50):
        name = "huge" if number == 7 else "tiny"
        client.async_stream_infer(
            name, [text_input("good film")], request_id=str(number), enable_empty_final_response=True
        )
    client.stop_stream()
    answers = [replies.get() for _ in range(50)]
    assert replies.empty()
    assert "model 'huge' is not served here" in answers.pop(7)[1].message()
    assert [result.get_response().id for result, _ in answers] == [str(n) for n in range(50) if n != 7]
    assert all(r.get_response().parameters["triton_final_response"].bool_param for r, _ in answers)
    assert len({result.as_numpy("score")[0] for result, _ in answers}) == 1


def check_a_cancelled_call(client):
    slow = triton.InferenceServerClient(SLOW_ADDRESS)
    errors = queue.Queue()
    texts = text_input(*["good"] * 500)
    call = slow.async_infer("tiny", [texts], callback=lambda result, error: errors.put(error))
    call.cancel()
    assert errors.get().status() == "StatusCode.CANCELLED"
    slow.close()


def check_a_cancelled_stream(client):
    slow = triton.InferenceServerClient(SLOW_ADDRESS)
    errors = queue.Queue()
    slow.start_stream(callback=lambda result, error: errors.put(error))
    slow.async_stream_infer("tiny", [text_input(*["good"] * 500)])
    slow.stop_stream(cancel_requests=True)
    assert errors.get().status() == "StatusCode.CANCELLED"
    slow.close()


def check_the_asyncio_client(client):
    async def main():
        async with triton_aio.InferenceServerClient(ADDRESS) as aio:
            assert await aio.is_model_ready("tiny")
            calls = [
                aio.infer("tiny", [text_input(text, module=triton_aio)]) for text in ("good", "bad") * 10
            ]
            results = [result.as_numpy("score")[0] for result in await asyncio.gather(*calls)]
            assert results == results[:2] * 10

            async def requests():
                for number in range(20):
                    yield {
                        "model_name": "tiny",
                        "inputs": [text_input("good", module=triton_aio)],
                        "request_id": str(number),
                    }

            seen = []
            async for result, error in aio.stream_infer(requests()):
                assert error is None
                seen.append(result.get_response().id)
            assert seen == [str(number) for number in range(20)]

    asyncio.run(main())


def main():
    found = {}
    with triton.InferenceServerClient(ADDRESS) as client:
        for name, check in list(globals().items()):
            if name.startswith("check_"):
                try:
                    found[name] = check(client)
                except Exception:  # noqa: BLE001 - any failure is the test's to show
                    found[name] = traceback.format_exc()
    files = [module.DESCRIPTOR.serialized_pb for module in (model_config_pb2, service_pb2)]
    descriptors = [base64.b64encode(file).decode() for file in files]
    json.dump({"checks": found, "descriptors": descriptors}, sys.stdout)


main()
