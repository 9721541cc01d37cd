"""The wire: protobuf definitions and the stubs generated from them."""
