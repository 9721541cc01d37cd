"""What loads and unloads: makes the catalogue follow the source, one version at a time."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping

from strop.errors import InputError, StropError

from ..config import ServeConfig
from ..errors import ModelControlError, NotFoundError, UnfitModelError
from ..inference.model import Model
from ..observe.loads import Loads
from .aside import Aside
from .catalogue import Catalogue, State
from .deployed import Deployed
from .key import Key
from .loader import Loader
from .policy import plan
from .retiring import Retiring
from .room import Tenant, make_room
from .router import Router
from .routes import RouteFile
from .source import Source

log = logging.getLogger(__name__)

Deploy = Callable[[Model], Deployed]


class Controller:
    """Loads, exchanges and retires versions; the only one that changes a ``Catalogue``."""

    def __init__(
        self,
        source: Source,
        catalogue: Catalogue,
        loader: Loader,
        deploy: Deploy,
        options: ServeConfig,
        loads: Loads,
        router: Router,
    ) -> None:
        self._source = source
        self._catalogue = catalogue
        self._loader = loader
        self._deploy = deploy
        self._options = options
        self._loads = loads
        self._router = router
        self._routes = RouteFile(options.routes) if options.routes else None
        self._turn = asyncio.Lock()
        self._loaded: dict[Key, str] = {}
        self._failed: dict[Key, str] = {}
        self._asked: set[str] = set(options.load)
        """With explicit, the models that callers want."""
        self._sizes: dict[Key, int] = {}
        """Bytes of what is loaded, as export measured it."""
        self._strangers: set[Key] = set()
        """What the routes name and the repository lacks."""
        self._aside = Aside(options.nice)
        self._retiring = Retiring(self._aside)

    async def start(self) -> None:
        """Load what the options ask for at the start.

        Raises ``InputError`` when the source can't be read, and what kept a model from being loaded
        when it was the only one.
        """
        await self._read_routes()
        found = await self._aside.do(self._source.versions)
        options = self._options
        if not found and options.model_control == "none" and not options.load_on_request:
            raise InputError(
                "the repository has no name/version/ bundles, and --model-control none looks only once;"
                " put some there, or use --model-control poll"
            )
        if missing := self._asked - {key.name for key in found}:
            raise InputError(f"--load names {', '.join(sorted(missing))}; there is no such model")
        errors = await self._follow(found)
        if errors and not self._catalogue.deployed and options.model_control != "poll":
            raise next(iter(errors.values()))
        _log(errors)

    @contextlib.asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        """Follow the source and the routes while the block runs, as the options say."""
        if self._options.model_control != "poll" and self._options.routes is None:
            yield
            return
        poll = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            poll.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await poll

    async def close(self) -> None:
        """Retire everything; its calls are finished first."""
        async with self._turn:
            for key in list(self._catalogue.deployed):
                self._retiring.begin(self._catalogue.take_out(key))
            await self._retiring.ended()
        self._aside.close()

    async def load(self, name: str) -> None:
        """Load the versions of a model that the options choose; a changed one replaces its old self.

        Raises ``NotFoundError``, ``ModelControlError`` where callers may not, and ``UnfitModelError``
        with what is wrong with a version, which then stays out.
        """
        self._require_control("loaded")
        found = await self._list()
        if not any(key.name == name for key in found):
            raise NotFoundError(f"the repository has no model {name!r}")
        async with self._turn:
            self._asked.add(name)
            self._failed = {key: mark for key, mark in self._failed.items() if key.name != name}
        errors = await self._follow(found)
        _log(errors)
        if wrong := [f"{key}: {error}" for key, error in errors.items() if key.name == name]:
            raise UnfitModelError("; ".join(wrong))

    async def unload(self, name: str) -> None:
        """Unload all versions of a model once their calls are finished; raises as ``load`` does."""
        self._require_control("unloaded")
        async with self._turn:
            keys = [key for key in self._catalogue.deployed if key.name == name]
            if not keys:
                raise NotFoundError(f"model {name!r} is not loaded")
            self._asked.discard(name)
            await asyncio.gather(*(self._unload(key, "unloaded by request") for key in keys))

    async def demand(self, name: str, version: str) -> None:
        """Have a model loaded that a call asks for, if the options allow that and it can be."""
        if not self._options.load_on_request:
            return
        chosen = self._choose(found := await self._list())
        keys = [key for key in chosen if key.name == name and version in ("", key.version)]
        async with self._turn:
            for key in keys:
                if key not in self._loaded and self._failed.get(key) != found[key]:
                    error = await self._load_one(key, found[key])
                    _log({key: error} if error else {})

    def _require_control(self, what: str) -> None:
        if self._options.model_control != "explicit":
            raise ModelControlError(
                f"models aren't {what} by request here; start the server with --model-control explicit"
            )

    async def _list(self) -> dict[Key, str]:
        try:
            return await self._aside.do(self._source.versions)
        except InputError as error:
            raise UnfitModelError(str(error)) from error

    def _choose(self, found: Collection[Key]) -> set[Key]:
        return self._options.policy.choose(found, self._routed)

    @property
    def _routed(self) -> set[Key]:
        return {Key(name, one) for name, route in self._router.routes.items() for one in route.versions}

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._options.poll_seconds)
            try:
                changed = await self._read_routes()
                if changed or self._options.model_control == "poll":
                    _log(await self._follow(await self._aside.do(self._source.versions)))
            except InputError as error:
                log.warning("it stays as it is: %s", error)

    async def _read_routes(self) -> bool:
        """Follow the routes if their file has changed, and say so; ``InputError`` if they are wrong."""
        found = await self._aside.do(self._routes.news) if self._routes else None
        if found is None:
            return False
        self._router.follow(found)
        return True

    async def _follow(self, found: dict[Key, str]) -> dict[Key, StropError]:
        """Load and unload until the options' choice of what was found is served; returns what failed."""
        chosen = self._choose(found)
        if self._options.load_on_request:
            chosen &= self._loaded.keys()
        elif self._options.model_control == "explicit":
            chosen = {key for key in chosen if key.name in self._asked}
        errors = {}
        self._tell_strangers(found)
        async with self._turn:
            wanted = {key: found[key] for key in chosen}
            for key in plan(wanted, self._loaded, self._failed).load:
                if error := await self._load_one(key, found[key]):
                    errors[key] = error
            for key in plan(wanted, self._loaded, self._failed).unload:
                await self._unload(key, "another version is served instead" if key in found else "")
            for key in self._failed.keys() - wanted.keys():
                del self._failed[key]
                if key not in self._loaded:
                    self._catalogue.forget(key)
            for entry in self._catalogue.index():
                if entry.key not in found and entry.key not in self._loaded:
                    self._catalogue.forget(entry.key)
        return errors

    def _tell_strangers(self, found: Collection[Key]) -> None:
        """Say once what the routes name and isn't there: a slip of the pen, or still to come."""
        strangers = self._routed - set(found)
        for key in sorted(strangers - self._strangers):
            log.warning(
                "--routes names a version that the repository lacks", extra={"facts": key._asdict()}
            )
        self._strangers = strangers

    async def _load_one(self, key: Key, mark: str) -> StropError | None:
        """Load a version and send calls to it; returns why it can't be, and leaves all as it was."""
        started = time.monotonic()
        if key not in self._loaded:
            self._catalogue.tell(key, State.LOADING)
        try:
            model = await self._prepare(key)
        except (StropError, ModuleNotFoundError) as error:
            return self._fail(key, mark, error)
        except Exception as error:
            log.exception("a model can't be loaded", extra={"facts": key._asdict()})
            return self._fail(key, mark, StropError(f"{type(error).__name__}: {error}"))
        old = self._catalogue.put(self._deploy(model))
        self._router.loaded(key, mark)
        self._loaded[key] = mark
        self._failed.pop(key, None)
        if old is not None:
            self._retiring.begin(old)
        seconds = time.monotonic() - started
        self._loads.loaded(key, seconds)
        facts = {"model": key.name, "version": key.version, "provider": model.provider}
        log.info("a model is served", extra={"facts": facts | {"seconds": round(seconds, 3)}})
        return None

    async def _prepare(self, key: Key) -> Model:
        """The version, loaded and checked, and room made for it."""
        root = await self._aside.do(self._source.fetch, key)
        size = await self._aside.do(self._loader.size, root)
        await self._make_room(key, size)
        model = await self._aside.do(self._loader.load, root, bool(self._catalogue.deployed))
        named = Key(model.name, model.version)
        if named != key:
            model.instances.close()
            raise InputError(
                f"the bundle in {key.name}/{key.version} says that it is {named}; rename its folders to"
                f" {named.name}/{named.version}, or export it with --name and --version"
            )
        self._sizes[key] = size
        return model

    async def _make_room(self, key: Key, size: int) -> None:
        bound = round(self._options.models_megabytes * 1e6)
        if not bound:
            return
        tenants = [
            Tenant(one, self._sizes[one], deployed.used)
            for one, deployed in self._catalogue.deployed.items()
        ]
        gone = make_room(tenants, size, bound)
        if gone is None or (gone and not self._options.load_on_request):
            held = sum(tenant.bytes for tenant in tenants)
            raise InputError(
                f"it takes {size / 1e6:.0f} MB beside {held / 1e6:.0f} MB of other models, and"
                f" --models-megabytes is {bound / 1e6:.0f}; raise it, or serve fewer models"
            )
        for one in gone:
            await self._unload(one, f"unloaded for {key}; it is loaded again when it is asked for")

    def _fail(self, key: Key, mark: str, error: Exception) -> StropError:
        self._failed[key] = mark
        self._loads.failed(key)
        served = key in self._loaded
        reason = f"its new bundle was refused, the old one answers: {error}" if served else str(error)
        self._catalogue.tell(key, State.READY if served else State.UNAVAILABLE, reason)
        return error if isinstance(error, StropError) else StropError(str(error))

    async def _unload(self, key: Key, reason: str) -> None:
        del self._loaded[key], self._sizes[key]
        await self._retiring.begin(self._catalogue.take_out(key))
        if reason:
            self._catalogue.tell(key, State.UNAVAILABLE, reason)
        else:
            self._catalogue.forget(key)


def _log(errors: Mapping[Key, StropError]) -> None:
    for key, error in errors.items():
        log.error("a model stays out: %s", error, extra={"facts": key._asdict()})
