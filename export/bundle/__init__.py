"""The bundle: what export writes and serve runs, on numpy, tokenizers and ONNX Runtime alone."""

from .bucketed import BucketedLayout, BucketedMaskedLayout, Buckets, bucketed
from .drift import Drift
from .files import FileEntry
from .golden import GoldenExample
from .layout import BATCH_TOKENS, Layout, MaskedLayout, PackedLayout, PaddedLayout
from .manifest import Bundle, Manifest, Variant
from .profile import Profile, Profiler
from .session import Session, by_input, outputs, told
from .tokenizer import Encoded, Text, TextEncoder, count_windows

__all__ = [
    "BATCH_TOKENS",
    "BucketedLayout",
    "BucketedMaskedLayout",
    "Buckets",
    "Bundle",
    "Drift",
    "Encoded",
    "FileEntry",
    "GoldenExample",
    "Layout",
    "Manifest",
    "MaskedLayout",
    "PackedLayout",
    "PaddedLayout",
    "Profile",
    "Profiler",
    "Session",
    "Text",
    "TextEncoder",
    "Variant",
    "bucketed",
    "by_input",
    "count_windows",
    "outputs",
    "told",
]
