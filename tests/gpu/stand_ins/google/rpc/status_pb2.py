"""``google.rpc.Status``, of googleapis' google/rpc/status.proto: how a call ended, and details of it."""

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

_INT32, _STRING, _MESSAGE = (
    getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{name}") for name in ("INT32", "STRING", "MESSAGE")
)
_ONE, _MANY = (
    getattr(descriptor_pb2.FieldDescriptorProto, f"LABEL_{name}") for name in ("OPTIONAL", "REPEATED")
)

_file = descriptor_pb2.FileDescriptorProto(
    name="google/rpc/status.proto",
    package="google.rpc",
    syntax="proto3",
    dependency=[any_pb2.DESCRIPTOR.name],
)
_status = _file.message_type.add(name="Status")
_status.field.add(name="code", number=1, type=_INT32, label=_ONE)
_status.field.add(name="message", number=2, type=_STRING, label=_ONE)
_status.field.add(
    name="details", number=3, type=_MESSAGE, label=_MANY, type_name=f".{any_pb2.Any.DESCRIPTOR.full_name}"
)
DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(_file.SerializeToString())
Status = message_factory.GetMessageClass(DESCRIPTOR.message_types_by_name["Status"])
