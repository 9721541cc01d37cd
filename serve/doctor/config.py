"""The options of ``strop doctor``."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import flag, require_at_least

from ..address import split
from ..config import BasicOptions


@Parameter(name="*")
@dataclass(frozen=True)
class DoctorConfig:
    """What the box is to serve, and where."""

    _: KW_ONLY
    bundle: Path | None = None
    """Check this bundle here, too, or the latest version of each model in this repository: files, golden
    examples and the memory that they take."""
    address: str = BasicOptions.address
    """Where gRPC is to listen, as strop serve --address has it."""
    metrics_address: str = BasicOptions.metrics_address
    """Where /metrics is to be, as strop serve --metrics-address has it."""
    accept_backlog: int = BasicOptions.accept_backlog
    """As strop serve --accept-backlog has it."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print what was found as one JSON object, for scripts."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, accept_backlog=1)
        for name in ("address", "metrics_address"):
            try:
                split(getattr(self, name))
            except ValueError as error:
                raise InputError(f"{flag(name)}: {error}; write it like 127.0.0.1:8001") from error
