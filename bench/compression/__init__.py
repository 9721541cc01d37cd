"""The compression benchmark: what export's variants win over the same model uncompressed."""
