"""The options of ``strop export``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least

from .forms import FORMS, require_sparse_products
from .recipe import Recipe

GPU_BATCH_TOKENS = 8192

RECIPES_HELP = "\n".join(
    (
        "Compressed forms to try beside fp32, each behind the accuracy gate; --empty-recipes for none. A"
        " recipe joins with + what to cut (layers3 leaves three, heads6 six in each layer, ffn50 half of"
        " the feed-forward neurons, vocab the embeddings of the training texts' tokens; sparse24 sets two"
        " of every four weights to zero, for TensorRT) and the numbers to compute with:"
        " layers3+ffn50+int8.\n",
        *(f"- {form.name}: {form.summary}" for form in FORMS.values()),
    )
)


@Parameter(name="*")
@dataclass(frozen=True)
class ExportConfig:
    """What to make of a run, and how good it must be."""

    run: Path
    """The run directory that strop train wrote, or a peft adapter's folder (then with --data)."""
    _: KW_ONLY
    adapters: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    """Further adapters of the same base to merge in, each a run's or a peft folder's PATH or
    PATH=WEIGHT. Each adds its change of the base times its weight, 1 if none is given; heads are
    averaged by weight."""
    own_weight: float = 1.0
    """Weight of RUN's own adapter beside --adapters; 0.5 and one PATH=0.5 is the mean of two."""
    base: str | None = None
    """For a peft folder: the model it was trained on. Default: the one that it names."""
    data: Path | None = None
    """For a peft folder: labelled data as for strop train; calibrates, and decides the gate."""
    labels: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    """For a peft folder: the class names in the order of its class ids. Default: the base's."""
    max_tokens: int | None = None
    """For a peft folder: longest text in tokens. Default: what the base takes at most."""
    out: Path | None = None
    """Where the bundle goes; it must not exist yet. Default: bundles/NAME."""
    name: str | None = None
    """What the served model is called. Default: the run directory's name."""
    version: str = "1"
    """The served model's version; raise it when you export the same name again."""
    recipes: Annotated[tuple[str, ...], Parameter(help=RECIPES_HELP, consume_multiple=True)] = ("int8",)
    exporter: Literal["torch", "torch-export", "optimum"] = "torch"
    """What writes the graphs: torch, packed and without padding; torch-export, which writes programs
    for the torch engine alone, the reference too, for a model that ONNX can't carry, such as one past
    its 2 GB (--recipes torch-bf16 or --empty-recipes); or Hugging Face optimum, which knows int8 and
    int8-dynamic, whose graphs take padded rectangles, and which gets an environment of its own in the
    cache on first use (1.3 GB). For comparison, or where you rely on optimum."""
    search: bool = False
    """Look for the cheapest forms instead: recipes are tried one after the other, and the bundle gets
    those that nothing else beats in both accuracy and cost. What was measured stays with the run, so
    that a search can go on where it stopped."""
    minutes: float = 30.0
    """How long a search may take."""
    recover: int = 3
    """Epochs in which a cut model learns from the whole one. More win back accuracy."""
    unlabelled: Path | None = None
    """A file of any format that strop train reads, with a column `text`: texts that need no label; a cut
    model learns from them, too."""
    price_per_hour: float | None = None
    """US dollars for an hour of this machine; the report then tells what a million texts cost."""
    slo_ms: float | None = None
    """Milliseconds that a text alone may take to compute; the default variant is the cheapest one
    that keeps to it."""
    tensorrt: Annotated[bool, Parameter(negative="")] = False
    """Build TensorRT engines, too, of the forms for a GPU or else of fp32, so that strop serve --provider
    tensorrt finds them: else it builds them while ONNX Runtime serves. Needs pip install
    'strop[tensorrt]', or TensorRT 10 or 11."""
    compute_capability: str | None = None
    """The card that the engines are for, such as 8.9, where it isn't this machine's. TensorRT-RTX can
    build for it without one; copy the engine cache to the box that has it."""
    engine_cache: Path | None = None
    """Where engines are kept. Default: engines in the cache, ~/.cache/strop."""
    engine_tokens: int = GPU_BATCH_TOKENS
    """Tokens in a batch at most, as strop serve --batch-tokens will have it on the GPU: engines are built
    for the shapes of such batches, and for no other."""
    gate: float = 0.99
    """Smallest share of the fp32 accuracy a variant may keep. Lower it to trade accuracy for speed."""
    calibration_texts: int = 400
    """Training texts that set the int8 ranges. More takes longer; try 1000 if int8 fails the gate."""
    golden_examples: int = 32
    """Held-out texts sealed into the bundle and run again by every server before it says READY."""
    seed: int = 0
    """Chooses the calibration and golden texts; the same seed gives the same bundle."""

    def __post_init__(self) -> None:
        if not 0 < self.gate <= 1:
            raise InputError(f"--gate is {self.gate}; give a share above 0 and at most 1, such as 0.99")
        for flag, value in (
            ("--minutes", self.minutes),
            ("--price-per-hour", self.price_per_hour),
            ("--slo-ms", self.slo_ms),
        ):
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{flag} is {value}; it must be above 0")
        require_at_least(self, engine_tokens=1, calibration_texts=1, golden_examples=1, recover=0, seed=0)
        for recipe in self.recipes:
            require_sparse_products(Recipe.parse(recipe, tuple(FORMS)))
        if self.compute_capability is not None and not self.tensorrt:
            raise InputError("--compute-capability is for --tensorrt; add that, or leave it out")
        if self.max_tokens is not None:
            require_at_least(self, max_tokens=3)
        if not self.bundle_name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise InputError(
                f"--name {self.bundle_name!r} can't name a model; use letters, digits, '.', '-' and '_'"
            )

    @property
    def bundle_name(self) -> str:
        """The served model's name."""
        return self.run.resolve().name if self.name is None else self.name

    @property
    def bundle_path(self) -> Path:
        """Where the bundle goes."""
        return Path("bundles") / self.bundle_name if self.out is None else self.out
