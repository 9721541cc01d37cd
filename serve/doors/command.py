"""``strop keys``: keys for the callers of ``strop serve --keys``."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from strop.errors import InputError

app = App(name="keys", help="Keys for the callers of a server.")

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class NewKeyConfig:
    """Whose key it is, and what it is good for."""

    file: Path
    """The key file, made if there is none: TOML, to be edited by hand. A running server reads it again."""
    _: KW_ONLY
    id: str
    """Whose key it is: letters, digits, - and _."""
    scopes: Names = ("infer",)
    """What it is good for: infer, admin, metrics."""
    models: Names = ()
    """The models, or their aliases, that it may ask; by default all."""
    texts_per_second: float | None = None
    """Texts a second, with a burst of one second's worth."""
    tokens_per_second: float | None = None
    """Tokens a second, counted once a call is answered."""
    concurrent: int | None = None
    """Calls under way together."""
    dollars_per_day: float | None = None
    """US dollars a day, midnight to midnight UTC: the engine time of its texts at serve's
    --dollars-per-hour. Counted since the server's start."""
    certificate: str | None = None
    """No secret, but client certificates of this common name or subject alternative name stand for it."""


@app.command
def new(config: NewKeyConfig) -> None:
    """Add a key to a file, which gets its hash alone; the key itself is printed, once."""
    from .key_file import add_key

    try:
        secret = add_key(config)
    except ValueError as error:
        raise InputError(f"{config.file}: {error}") from error
    if secret:
        print(secret)
