"""The options of ``strop serve`` that say which models are served, and when that changes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import require_at_least

from .policy import VersionPolicy

T = TypeVar("T")
GROUP = Group("Which models, of a repository", sort_key=3)
Option = Annotated[T, Parameter(group=GROUP)]


@dataclass(frozen=True, kw_only=True)
class RepositoryOptions:
    """Which models of a repository are served, and when that changes."""

    model_control: Option[Literal["none", "poll", "explicit"]] = "none"
    """When models change while the server runs: none, never; poll, as soon as the repository has
    changed; explicit, when a caller asks for it with RepositoryModelLoad and Unload. A new version is
    checked and warmed up beside the old one, which answers until then and finishes its calls."""
    poll_seconds: Option[float] = 5.0
    """How often poll looks, and whether --routes has changed."""
    versions: Option[str] = "latest:1"
    """Which versions of each model: latest:2, all, or listed:3,5. A call that names no version gets the
    latest of them."""
    load: Annotated[tuple[str, ...], Parameter(group=GROUP, consume_multiple=True, negative="")] = ()
    """With explicit, the models that are loaded at the start; by default none."""
    routes: Option[Path | None] = None
    """A TOML file that says which versions answer calls that name none: aliases, weights, a shadow, and
    when a version loses its share. It is read again when it changes; what it names is loaded whatever
    --versions says."""
    load_on_request: Annotated[bool, Parameter(group=GROUP, negative="")] = False
    """Load a model when it is first asked for; that call waits for it. For more models than memory
    holds, with --models-megabytes."""
    models_megabytes: Option[float] = 0.0
    """Memory that all models together may take, by what export measured of each; 0 sets no bound. What
    was not asked for the longest is unloaded for one that is loaded on request, and what doesn't fit
    else stays out."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, poll_seconds=0.1, models_megabytes=0)
        try:
            VersionPolicy.parse(self.versions)
        except ValueError as error:
            raise InputError(f"--versions is {self.versions!r}; {error}") from error
        if self.load and self.model_control != "explicit":
            raise InputError("--load is for --model-control explicit; leave out one of them")

    @property
    def policy(self) -> VersionPolicy:
        """The versions to serve."""
        return VersionPolicy.parse(self.versions)
