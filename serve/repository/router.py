"""Routes at work: calls shared out, answers compared, versions that don't do as well taken off."""

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from strop.tasks import Floats, Outputs

from ..core import Answer, Priority, Query
from ..errors import DrainingError, EngineError, InvalidArgumentError, NotFoundError, RequestError
from ..inference.model import Model
from ..observe.routing import Routing
from .catalogue import Catalogue, State
from .deployed import Deployed
from .key import Key
from .record import Record, fault
from .rollbacks import Rollback, Rollbacks, case_of
from .routes import Route, sticky_point

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
SHADOW_SECONDS = 10.0
SHADOWS = 64
"""Calls that are compared at the same time at most; others go without."""
COMPARED = 32
"""Texts that are compared at once: a score agrees with another by how far such scores are apart."""
# What says nothing of the version.
CALLERS_FAULTS = (InvalidArgumentError, NotFoundError, DrainingError)


class Router:
    """Shares calls out by the routes, and hears how they went; called on the event loop."""

    def __init__(
        self,
        catalogue: Catalogue,
        metrics: Routing,
        kept: Rollbacks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._metrics = metrics
        self._kept = kept
        self._clock = clock
        self._routes: dict[str, Route] = {}
        self._records: dict[Key, Record] = defaultdict(Record)
        self._pairs: dict[Key, list[tuple[Floats, Floats]]] = defaultdict(list)
        """Outputs of a version and of the main one that are still to be compared."""
        self._rolled_back: dict[Key, str] = {}
        self._marks: dict[Key, str] = {}
        """The fingerprints of what was loaded."""
        self._shadows: set[asyncio.Task[None]] = set()

    @property
    def routes(self) -> Mapping[str, Route]:
        """By model."""
        return self._routes

    @property
    def rolled_back(self) -> Mapping[Key, str]:
        """What lost its share of the calls, and why."""
        return self._rolled_back

    def follow(self, routes: Mapping[str, Route]) -> None:
        """Share calls out by these from now on; a route that has changed is judged anew."""
        before, self._routes = self._routes, dict(routes)
        for name in before.keys() | routes.keys():
            if before.get(name) != routes.get(name):
                if name in before:  # else it may be what an earlier server judged by
                    self._kept.remove(name)
                self._begin(name)
        self._tell()

    def loaded(self, key: Key, mark: str) -> None:
        """A version is served, whose manifest has this fingerprint: its model is judged anew."""
        self._marks[key] = mark
        self._begin(key.name)
        self._tell()

    def _begin(self, name: str) -> None:
        """Judge a model's versions anew, but for those that lost their share in this very case."""
        for key in [key for key in self._rolled_back if key.name == name]:
            del self._rolled_back[key]
            if key in self._catalogue.deployed:
                self._catalogue.tell(key, State.READY)
        for kept in (self._records, self._pairs):
            for key in [key for key in kept if key.name == name]:
                del kept[key]
        for key in self._judged(name) & self._catalogue.deployed.keys():
            if (case := self._case(key)) and (why := self._kept.why(key, case)):
                self._take_off(key, why)
                log.warning("a version still gets no calls: %s", why, extra={"facts": key._asdict()})

    def resolve(self, name: str, version: str, sticky: Callable[[], str]) -> Key | None:
        """The version that a route leads a call to; ``None`` where it says nothing of that.

        ``sticky`` gives what keeps a caller with one version, or nothing, and is only asked if it counts.
        """
        if (route := self._routes.get(name)) is None:
            return None
        if version:
            return Key(name, route.aliases[version]) if version in route.aliases else None
        key = sticky()
        point = sticky_point(key) if key else random.random()
        able = {one: self._able(Key(name, one)) for one in route.weights}
        chosen = route.choose(point, able)
        return None if chosen is None else Key(name, chosen)

    def ended(self, deployed: Deployed, seconds: float, error: BaseException | None) -> None:
        """A call to a version ended, well or with ``error``."""
        route = self._routes.get(deployed.key.name)
        if route is not None and route.rollback and not isinstance(error, CALLERS_FAULTS):
            self._records[deployed.key].ended(self._clock(), seconds, failed=error is not None)

    def answered(self, deployed: Deployed, query: Query, answer: Answer) -> None:
        """A version answered; another one may be asked the same, and nobody waits for it."""
        route = self._routes.get(deployed.key.name)
        if route is None or not route.shadow_share or len(self._shadows) >= SHADOWS:
            return
        if random.random() >= route.shadow_share:
            return
        if (other := self._other(route, deployed.key)) is not None:
            task = asyncio.create_task(self._compare(deployed, other, query, answer))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Judge the versions every second while the block runs."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            for shadow in self._shadows:
                shadow.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    def judge(self) -> None:
        """Take its share of the calls from every version that crossed a bound."""
        now = self._clock()
        for name, route in self._routes.items():
            if route.rollback is None or route.main is None:
                continue
            begin = now - route.rollback.seconds
            main = self._records[Key(name, route.main)].since(begin)
            for key in self._judged(name) - self._rolled_back.keys():
                if reason := fault(self._records[key].since(begin), main, route.rollback):
                    self._roll_back(key, reason)

    def _judged(self, name: str) -> set[Key]:
        """The versions of a model that may lose their share."""
        route = self._routes.get(name)
        if route is None or route.rollback is None or route.main is None:
            return set()
        versions = {*route.weights, *([route.shadow] if route.shadow else [])}
        return {Key(name, version) for version in versions - {route.main}}

    def _case(self, key: Key) -> str | None:
        """What a version is judged by, once it and the main one are loaded."""
        route = self._routes[key.name]
        ours, main = self._marks.get(key), self._marks.get(Key(key.name, route.main or ""))
        return case_of(route, ours, main) if ours and main else None

    def _roll_back(self, key: Key, reason: str) -> None:
        self._take_off(key, reason)
        self._metrics.rolled_back(key)
        log.error("a version gets no more calls: %s", reason, extra={"facts": key._asdict()})
        if (case := self._case(key)) is not None:
            self._kept.add(key, Rollback(case, reason))
        self._tell()

    def _take_off(self, key: Key, reason: str) -> None:
        self._rolled_back[key] = reason
        self._catalogue.tell(key, State.READY, f"gets no calls but those that name it: {reason}")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.judge()

    def _able(self, key: Key) -> bool:
        return key in self._catalogue.deployed and key not in self._rolled_back

    def _other(self, route: Route, key: Key) -> Deployed | None:
        """The version that is asked too: the shadow, or a weighted one for the main one and the reverse."""
        if route.shadow is not None:
            others = [] if key.version == route.shadow else [route.shadow]
        elif key.version == route.main:
            others = [version for version in route.weights if version != route.main]
        else:
            others = [route.main] if route.main else []
        able = [one for version in others if self._able(one := Key(key.name, version))]
        return self._catalogue.deployed[random.choice(able)] if able else None

    async def _compare(self, one: Deployed, other: Deployed, query: Query, answer: Answer) -> None:
        # No caller gets this answer, so none can speak of it.
        unnamed = replace(query, request_id="")
        asked = replace(unnamed, priority=Priority.BULK, client="shadow", seconds=SHADOW_SECONDS)
        try:
            with other.held():
                found = await other.answer(asked, seen=False)
        except RequestError as error:
            if isinstance(error, EngineError):
                self._records[other.key].ended(self._clock(), 0.0, failed=True)
            return
        is_main = other.key.version == self._main(one.key.name)
        judged, ours, main, theirs = (one, answer, other, found) if is_main else (other, found, one, answer)
        pairs = self._pairs[judged.key]
        pairs += comparable(judged.model, ours.outputs, main.model, theirs.outputs)
        if len(pairs) >= COMPARED:
            agreement = one.model.task.agreement(*map(list, zip(*pairs, strict=True)))
            self._records[judged.key].compared(self._clock(), agreement, len(pairs))
            self._metrics.compared(judged.key, agreement, len(pairs))
            pairs.clear()

    def _main(self, name: str) -> str | None:
        route = self._routes.get(name)
        return route.main if route else None

    def _tell(self) -> None:
        """Let the metrics say how calls are shared out now."""
        for name, route in self._routes.items():
            able = {version: Key(name, version) not in self._rolled_back for version in route.weights}
            total = sum(route.weights.values())
            lost = sum(weight for version, weight in route.weights.items() if not able[version])
            for version, weight in route.weights.items():
                share = weight + lost if version == route.main else weight * able[version]
                self._metrics.share(Key(name, version), share / total)


def comparable(
    model: Model, outputs: Outputs, other: Model, others: Outputs
) -> list[tuple[Floats, Floats]]:
    """The outputs of two models for the same texts side by side, in the labels' order of the second.

    None if they tell other labels, or cut the texts into other tokens and tell of those.
    """
    if model.task.name != other.task.name or set(model.labels) != set(other.labels):
        return []
    pairs = list(zip(outputs, others, strict=False))
    if len(outputs) != len(others) or any(one.shape != two.shape for one, two in pairs):
        return []
    if model.labels == other.labels:
        return pairs
    order = [model.labels.index(label) for label in other.labels]
    return [(one[..., order], two) for one, two in pairs]
