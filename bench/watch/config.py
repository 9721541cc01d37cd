"""The options of ``strop watch``."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.access import OPEN, AccessOptions
from strop.errors import InputError
from strop.options import require_at_least

from .surge import Rules

TAKEN = ("text", "published", "alert")


@dataclass(frozen=True)
class Endpoint:
    """A served model, and what its labels are called in the output."""

    name: str
    address: str
    model: str
    """Empty for the only one there."""

    @classmethod
    def parse(cls, written: str) -> "Endpoint":
        """NAME=HOST:PORT or NAME=HOST:PORT/MODEL; ``InputError`` for anything else."""
        name, equals, place = written.partition("=")
        address, _, model = place.partition("/")
        if not (name and equals and ":" in address) or name in TAKEN:
            raise InputError(f"--models {written!r}: write it like sentiment=127.0.0.1:8001")
        return cls(name, address, model)


@Parameter(name="*")
@dataclass(frozen=True)
class WatchConfig:
    """What is watched, by which models, and what is worth an alarm."""

    source: str | None = None
    """A file of texts, one a line, or of JSON objects with text or title and perhaps published. Without it,
    the standard input."""
    _: KW_ONLY
    models: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
    """Classifiers that label each text, as NAME=HOST:PORT, or NAME=HOST:PORT/MODEL where a server has
    several: topic=127.0.0.1:8001 sentiment=127.0.0.1:8011."""
    bad: str = "sentiment=negative"
    """Which label of which model is bad news."""
    by: str | None = None
    """The model whose labels are watched each on its own, such as topic; without it all texts are one
    stream."""
    out: Path | None = None
    """Where the labelled texts go as JSONL, alerts among them; without it, to the standard output."""
    follow: Annotated[bool, Parameter(negative="")] = False
    """Wait for more at the end of the file, and go on with the next one when it is rotated or cut, until
    interrupted."""
    state: Path | None = None
    """A file that remembers the history and how far it came: the same command goes on from there."""
    surge: float = 2.0
    """How many times the odds of bad news must have risen for it to be a surge. Less finds smaller ones
    later, more only large ones sooner."""
    false_alarm_every: float = 10_000.0
    """Texts of one stream, on average, until it raises an alarm although nothing has changed."""
    least: int = 100
    """Texts of a stream before it has a history to compare with."""
    half_life: float = 1000.0
    """Texts of a stream until one counts half in its history, and until a surge that lasts is the usual."""
    timeout: float = 10.0
    """Seconds to wait for each answer. A server that is away or busy is asked again until it answers."""
    access: Annotated[AccessOptions, Parameter(name="*")] = OPEN

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, false_alarm_every=1, least=2, half_life=1)
        if not 1 < self.surge < float("inf"):
            raise InputError(f"--surge is {self.surge}; it must be above 1")
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"--timeout is {self.timeout}; it must be a number of seconds above 0")
        names = [one.name for one in self.endpoints]
        if len(set(names)) < len(names):
            raise InputError(f"--models names one twice: {', '.join(names)}; give each a name of its own")
        for flag, name in (("--bad", self.bad_label[0]), ("--by", self.by)):
            if name is not None and name not in names:
                raise InputError(f"{flag} {name} is none of --models, {', '.join(names)}; name one of them")
        if self.follow and self.source is None:
            raise InputError("--follow is for a file, and the standard input ends by itself; leave it out")

    @property
    def endpoints(self) -> list[Endpoint]:
        """The models, in their order."""
        return [Endpoint.parse(one) for one in self.models]

    @property
    def bad_label(self) -> tuple[str, str]:
        """The model that tells bad news, and its label for it."""
        model, equals, label = self.bad.partition("=")
        if not (equals and label):
            raise InputError(f"--bad is {self.bad!r}; write it like sentiment=negative")
        return model, label

    @property
    def rules(self) -> Rules:
        """What counts as a surge."""
        return Rules(self.surge, self.false_alarm_every, self.least, self.half_life)
