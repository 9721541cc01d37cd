"""``google.rpc.RetryInfo``, of googleapis' google/rpc/error_details.proto: when to try again."""

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory

_file = descriptor_pb2.FileDescriptorProto(
    name="google/rpc/error_details.proto",
    package="google.rpc",
    syntax="proto3",
    dependency=[duration_pb2.DESCRIPTOR.name],
)
_file.message_type.add(name="RetryInfo").field.add(
    name="retry_delay",
    number=1,
    type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
    label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
    type_name=f".{duration_pb2.Duration.DESCRIPTOR.full_name}",
)
DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(_file.SerializeToString())
RetryInfo = message_factory.GetMessageClass(DESCRIPTOR.message_types_by_name["RetryInfo"])
