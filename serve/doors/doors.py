"""The doors of one process, opened from its options."""

from dataclasses import dataclass
from typing import Self

from strop.cost import SECONDS_PER_HOUR

from ..config import ServeConfig
from .admission import Admission
from .certificates import Certificates, certificates
from .keys import KeyRing
from .ledger import Ledger
from .reloaded import Reloaded
from .sizes import Sizes


@dataclass(frozen=True)
class Doors:
    """What locks a server, and what it is unlocked by."""

    certificates: Reloaded[Certificates] | None = None
    keys: Reloaded[KeyRing] | None = None

    @classmethod
    def of(cls, config: ServeConfig) -> Self:
        """Read the certificates and keys; ``InputError`` where they aren't right."""
        path, priced = config.keys, config.dollars_per_hour is not None
        keys = Reloaded([path], lambda: KeyRing.read(path, priced=priced)) if path else None
        return cls(certificates(config), keys)

    def admission(self, config: ServeConfig) -> Admission:
        """Who may ask the models how much."""
        engines = config.instance_count * config.workers
        price = (config.dollars_per_hour or 0.0) / SECONDS_PER_HOUR / engines
        sizes = Sizes(config.max_texts or config.queue_texts // 2, config.max_characters)
        return Admission(sizes, self.keys, Ledger(config.workers, price))
