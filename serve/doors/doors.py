"""The doors of one process, opened from its options."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from strop.cost import SECONDS_PER_HOUR

from ..config import ServeConfig
from .certificates import Certificates, certificates
from .keys import KeyRing
from .reloaded import Reloaded

if TYPE_CHECKING:
    from .admission import Admission


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

    def admission(self, config: ServeConfig) -> "Admission":
        """Who may ask the models how much."""
        # Not at the top: the supervisor of the workers asks no models.
        from .admission import Admission
        from .ledger import Ledger
        from .sizes import Sizes

        engines = config.instance_count * config.workers
        price = (config.dollars_per_hour or 0.0) / SECONDS_PER_HOUR / engines
        sizes = Sizes(config.max_texts or config.queue_texts // 2, config.max_characters)
        return Admission(sizes, self.keys, Ledger(config.workers, price))
