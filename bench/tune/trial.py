"""Trials for real: a ``strop serve`` with one setting, loaded by the benchmark's own loops."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from ..config import BenchConfig
from ..loops import Load, connected
from ..search import FIRST_SHARE, Phase, search
from ..served import Served
from ..server_process import ServerProcess
from ..texts import Texts
from .config import TuneConfig
from .settings import Setting

WARMUP_SHARE = 0.1
STEP_SHARES = (0.3, 0.2, 0.2, 0.15, 0.15)
"""More steps than a benchmark's: 70 %, 85 %, … of the ceiling to within 2 %, where settings differ."""
LEAST_CALLS = 100
"""What a p99 needs: a step at a low rate takes longer than its share."""
CHANNELS = 16
"""Connections, in every trial: workers share them out, and few would be shared out unevenly."""
LEAST_DEADLINE_MS = 2000.0

Found = TypeVar("Found")


class ServerTrials:
    """See ``search.Trials``. Every trial starts a server anew, so that the spread includes that."""

    def __init__(
        self, config: TuneConfig, served: Served, texts: Texts, note: Callable[[str], None]
    ) -> None:
        """``served`` is what the bundle holds; ``note`` hears what is tried, as a trial begins."""
        self.model = ""
        """Which model, version and variant answered."""
        self.phases = 0
        self.limits: list[str] = []
        """How this client, rather than a server, was the limit in some of the ``phases``."""
        self._config = config
        self._served = served
        self._texts = texts
        self._note = note

    def closed(self, setting: Setting, in_flight: int, seconds: float) -> Phase:
        """See ``Trials``."""
        self._note(f"closed loop: {setting}")
        warmup = WARMUP_SHARE * seconds
        phase = self._on_server(setting, in_flight, warmup, 0, lambda load: load.closed(seconds - warmup))
        self._watch(phase)
        return phase

    def opened(self, setting: Setting, ceiling: float, seconds: float, seed: int) -> list[Phase]:
        """See ``Trials``."""
        self._note(f"open loop, round {seed + 1}: {setting}")
        warmup = WARMUP_SHARE * seconds

        async def find(load: Load) -> list[Phase]:
            await load.closed(warmup)
            return await search(
                lambda rate, share: load.open(rate, max(share, LEAST_CALLS / rate)),
                first=FIRST_SHARE * ceiling,
                ceiling=ceiling,
                seconds=seconds - warmup,
                shares=STEP_SHARES,
            )

        phases = self._on_server(setting, 1, 0.0, seed, find)
        for phase in phases:
            self._watch(phase)
        return phases

    def _on_server(
        self,
        setting: Setting,
        in_flight: int,
        warmup: float,
        seed: int,
        drive: Callable[[Load], Awaitable[Found]],
    ) -> Found:
        tune = self._config
        variant = ("--variant", tune.variant) if tune.variant else ()
        with ServerProcess(tune.bundle, *variant, *setting.words(), "--log-level", "warning") as server:
            config = BenchConfig(
                server.address,
                texts=tune.texts,
                warmup_seconds=warmup,
                in_flight=in_flight,
                arrivals="trace" if self._texts.arrived else "poisson",
                slo_ms=tune.slo_ms,
                deadline_ms=max(LEAST_DEADLINE_MS, 2 * tune.slo_ms),
                channels=CHANNELS,
                seed=tune.seed + seed,
            )

            async def run() -> Found:
                async with connected(config, self._served, self._texts) as load:
                    first = load.first
                    self.model = f"{first.model} {first.version}, variant {first.variant}"
                    return await drive(load)

            return uvloop.run(run())

    def _watch(self, phase: Phase) -> None:
        self.phases += 1
        if limit := phase.summary.client_limited:
            self.limits.append(limit)
