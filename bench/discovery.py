"""Asks a server which model it serves and what that model is for, before it is asked anything else."""

from typing import Any

from strop.errors import InputError, StropError
from strop.proto import open_inference_pb2 as pb
from strop.tasks import TASKS, Task

from .client import Caller
from .served import INPUTS, Served
from .token_input import TokenInput

SERVICE = "/inference.GRPCInferenceService"
TASK = "task"
"""The parameter of a model's configuration that names its task."""


async def discover(
    client: Caller, model: str, task: str | None, *, token_ids: bool = False, pairs: bool = False
) -> Served:
    """The model of that name, or the only one that is served if it is empty.

    ``task`` is for a server that doesn't tell it, as others than Strop don't; ``token_ids`` for one that
    is to be sent those, of ``pairs`` or single texts. Raises ``InputError`` when a name is missing or wrong
    or the model takes something else, ``StropError`` when the server fails.
    """
    name = model or await _only_model(client)
    request = pb.ModelMetadataRequest(name=name).SerializeToString()
    metadata = pb.ModelMetadataResponse.FromString(await client.answer(f"{SERVICE}/ModelMetadata", request))
    config = await _config(client, name)
    kinds = {group.kind for group in config.instance_group} - {pb.ModelInstanceGroup.KIND_AUTO}
    on_gpu = pb.ModelInstanceGroup.KIND_GPU in kinds if kinds else None
    told = config.parameters[TASK].string_value
    if token_ids:
        known = _task(client.address, name, told, task)
        tokens = TokenInput.of(metadata, config, known)
        return Served(name, known, INPUTS if pairs else INPUTS[:1], on_gpu, tokens)
    inputs = tuple(one.name for one in metadata.inputs)
    if len(inputs) not in (1, 2) or {one.datatype for one in metadata.inputs} != {"BYTES"}:
        found = ", ".join(f"{one.name} {one.datatype}" for one in metadata.inputs) or "nothing"
        raise InputError(
            f"{name!r} takes {found}; only a model of one or two texts can be asked or, with"
            " --protocol open-inference --tokenizer, one of token ids"
        )
    return Served(name, _task(client.address, name, told, task), inputs, on_gpu)


async def _only_model(client: Caller) -> str:
    # Strop tells the model that needs no name. The index of all is an admin call: it wants a key that may,
    # and goes into the audit log.
    only = await client.call(f"{SERVICE}/ModelMetadata", pb.ModelMetadataRequest().SerializeToString())
    if only.status == "OK" and (name := pb.ModelMetadataResponse.FromString(only.reply).name):
        return str(name)
    if only.status == "UNAUTHENTICATED":
        client.require(only)
    outcome = await client.call(
        f"{SERVICE}/RepositoryIndex", pb.RepositoryIndexRequest(ready=True).SerializeToString()
    )
    if outcome.status == "UNIMPLEMENTED":
        raise InputError(f"{client.address} doesn't say which model it serves; give --model")
    if outcome.status == "PERMISSION_DENIED":
        client.require(only)
    reply = pb.RepositoryIndexResponse.FromString(client.require(outcome))
    names: list[str] = list(dict.fromkeys(one.name for one in reply.models))
    if not names:
        raise StropError(f"{client.address} has no model that is ready; wait for it, or give --model")
    if len(names) > 1:
        raise InputError(f"{client.address} serves {', '.join(names)}; give --model")
    return names[0]


async def _config(client: Caller, model: str) -> Any:
    """A ``ModelConfig``; an empty one from a server that has no such call."""
    outcome = await client.call(
        f"{SERVICE}/ModelConfig", pb.ModelConfigRequest(name=model).SerializeToString()
    )
    if outcome.status == "UNIMPLEMENTED":
        return pb.ModelConfig()
    return pb.ModelConfigResponse.FromString(client.require(outcome)).config


def _task(address: str, model: str, told: str, given: str | None) -> Task:
    """What the server says, or what was given where it says nothing; ``InputError`` if they differ."""
    if given and given not in TASKS:
        raise InputError(f"--task {given} is not known; give one of {', '.join(TASKS)}")
    if given and told and given != told:
        raise InputError(f"--task {given}: {model!r} is for {told}; leave the option out")
    name = told or given
    if not name:
        raise InputError(f"{address} doesn't say what {model!r} is for; give --task")
    if name not in TASKS:
        raise InputError(f"{model!r} is for {name}, and this Strop knows {', '.join(TASKS)}; update it")
    return TASKS[name]
