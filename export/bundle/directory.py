"""The bundle directory: read, verified by checksum, refused by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from weakref import WeakValueDictionary

from strop.errors import InputError, reason
from strop.tasks import TASKS, Task

from .bounds import MANIFEST_BYTES, read_bounded
from .files import file_faults
from .golden import GoldenExample, read_golden
from .manifest import GOLDEN_FILE, MANIFEST_FILE, TOKENIZER_FILE, Manifest, Variant
from .tokenizer import TextEncoder

_ENCODERS: WeakValueDictionary[tuple[str | int, ...], TextEncoder] = WeakValueDictionary()
"""Those in use, by their file's sha256 and how they are to encode."""


@dataclass(frozen=True)
class Bundle:
    """A bundle directory whose files are what its manifest says."""

    root: Path
    manifest: Manifest

    @classmethod
    def open(cls, root: Path, public_key: Path | None = None) -> Self:
        """Read and verify a bundle.

        Raises ``InputError`` naming the file when the manifest or a file is missing, unreadable,
        outside the bundle, or not of its recorded size and sha256, and, given a public key, unless
        its owner signed the manifest.
        """
        bundle = cls(root, read_manifest(root, public_key))
        for _, fault in bundle.file_faults():
            raise InputError(fault)
        return bundle

    def file_faults(self) -> Iterator[tuple[str, str]]:
        """Files that aren't what the manifest says, or are read though it lists none: name and fault."""
        yield from file_faults(self.root, self.manifest.files)
        for variant in self.manifest.variants:
            for name in sorted(self.needed_files(variant) - self.manifest.files.keys()):
                yield name, f"{self.root / name} is not in the manifest; export the run again"

    def variant(self, name: str | None = None) -> Variant:
        """The named variant, or the manifest's default; ``InputError`` lists those there are."""
        wanted = name or self.manifest.default_variant
        for variant in self.manifest.variants:
            if variant.name == wanted:
                return variant
        known = ", ".join(variant.name for variant in self.manifest.variants)
        raise InputError(f"variant {wanted!r} is not in {self.root}; it has: {known}")

    @property
    def task(self) -> Task:
        """What its outputs mean."""
        return TASKS[self.manifest.task].pooled_by(self.manifest.pooling)

    @property
    def reference(self) -> Variant:
        """The uncompressed variant that the others are held against."""
        return self.variant("fp32")

    def needed_files(self, variant: Variant) -> set[str]:
        """What serving a variant reads, relative to the bundle."""
        return {variant.file, TOKENIZER_FILE, GOLDEN_FILE}

    def model_file(self, variant: Variant) -> Path:
        """The variant's graph or program."""
        return self.root / variant.file

    def text_encoder(self) -> TextEncoder:
        """The tokenizer, truncating at the model's limit; the one in use already where it is the same.

        Versions of a model nearly always have the same, and reading a tokenizer holds Python's lock for
        tens of milliseconds, in which a server that loads one would answer nobody.
        """
        task, limit, types = self.task, self.manifest.max_tokens, self.manifest.token_types
        key = (self.manifest.files[TOKENIZER_FILE].sha256, limit, types, task.reads_offsets, task.windowed)
        if (encoder := _ENCODERS.get(key)) is None:
            encoder = _ENCODERS[key] = TextEncoder(
                self.root / TOKENIZER_FILE,
                limit,
                offsets=task.reads_offsets,
                token_types=types,
                windowed=task.windowed,
            )
        return encoder

    def golden(self) -> list[GoldenExample]:
        """The sealed examples with the fp32 reference's outputs."""
        return read_golden(self.root / GOLDEN_FILE)


def read_manifest(root: Path, public_key: Path | None = None) -> Manifest:
    """What a bundle says of itself, whether or not its files are what that says.

    Raises ``InputError`` when the manifest is missing or can't be read and, given a public key,
    ``SignatureError`` unless its owner signed it.
    """
    path = root / MANIFEST_FILE
    try:
        there = path.is_file()
    except OSError as error:
        raise InputError(f"{path} can't be read: {reason(error)}; get the right to") from error
    if not there:
        raise InputError(f"{root} is not a bundle: {MANIFEST_FILE} is missing; run strop export")
    written = read_bounded(path, MANIFEST_BYTES)
    if public_key is not None:
        # Not at the top: it needs an extra, strop[sign].
        from .signature import require_signature

        require_signature(root, written, public_key)
    return parse_manifest(written, path)


def parse_manifest(written: bytes, path: object) -> Manifest:
    """A manifest that was read from ``path``; ``InputError`` names both and says what it is instead."""
    try:
        return Manifest.from_json(written.decode())
    except ValueError as error:
        raise InputError(f"{path} can't be read: {error}; export the run again") from error
