"""The bundle: what export writes and serve runs, on numpy, tokenizers and ONNX Runtime alone.

Only a variant that is torch's needs torch, when it is opened.
"""

from .bucketed import BucketedLayout, BucketedMaskedLayout, Buckets, bucketed
from .directory import Bundle
from .drift import Drift
from .files import FileEntry
from .golden import GoldenExample
from .layout import BATCH_TOKENS, Layout, MaskedLayout, PackedLayout, PaddedLayout
from .manifest import Manifest, Variant
from .profile import Profile, Profiler
from .programs import PROGRAM_SUFFIX, needing_torch
from .session import Runner, Session, by_input, open_runner, outputs, told
from .tokenizer import Encoded, Text, TextEncoder, count_windows

__all__ = [
    "BATCH_TOKENS",
    "PROGRAM_SUFFIX",
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
    "Runner",
    "Session",
    "Text",
    "TextEncoder",
    "Variant",
    "bucketed",
    "by_input",
    "count_windows",
    "needing_torch",
    "open_runner",
    "outputs",
    "told",
]
