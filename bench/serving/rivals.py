"""Against padding: the same weights behind padded batches, in this server and in MLServer."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack

from strop.errors import StropError

from ..client import Client
from ..protocols import OpenInferenceWire, read_reply
from ..rivals.batching import Batching
from ..rivals.catalogue import RIVALS
from ..rivals.process import Material, Running, started
from ..targets.rows import Row, Target, ratios
from .offline import Offline
from .setting import Setting
from .traffic import IN_FLIGHT, Calls, Steady, alternate, encode, steady, unary
from .usage import Usage

BATCH_TEXTS = 16
PADDED = ("--layout", "padded", "--max-padding", 1, "--batch-texts", BATCH_TEXTS)
"""Batches as the texts come, however much of them is padding."""
RIVAL = RIVALS["mlserver"]
RATIO = Target("at least", 1.6)
CHECKED = 64
ALIKE = 0.95
"""Share of the texts checked that must get the same label; padding may tip a close call."""
TRIAL_SHARE = 0.5
"""Seconds of trying one of MLServer's settings, as a share of a measurement."""


async def padding(setting: Setting) -> list[Row]:
    """The packed server against itself with first-come padded batches."""
    with setting.server() as ours, setting.server(*PADDED) as padded:
        name = f"padded by {BATCH_TEXTS}"
        return await _duel(setting, name, (ours.address, ours.pid), (padded.address, padded.pid))


async def beside_mlserver(setting: Setting) -> list[Row]:
    """The server against MLServer at its best of several batchings, on the same graph."""
    setting.say("preparing MLServer's environment")
    python = RIVAL.python()
    with setting.server() as ours:
        rates = {}
        for batching in RIVAL.batchings:
            setting.say(f"trying MLServer with {batching}")
            rates[batching] = await _trial(setting, python, batching)
        best = max(rates, key=lambda batching: rates[batching])
        async with _mlserver(setting, python, best) as rival:
            rows = await _duel(setting, "MLServer", (ours.address, ours.pid), (rival.address, rival.pid))
    return [*rows, Row("MLServer at its best", [rates[best]], unit="texts/s", note=str(best))]


def _mlserver(setting: Setting, python: str, batching: Batching) -> AbstractAsyncContextManager[Running]:
    wire = OpenInferenceWire(setting.served)

    async def ask(address: str) -> object:
        async with Client(address) as client:
            return await client.ask(wire, [setting.texts[:1]])

    material = Material(setting.bundle.root, setting.variant, setting.model)
    return started(RIVAL, python, material, batching, ask)


async def _trial(setting: Setting, python: str, batching: Batching) -> float:
    async with AsyncExitStack() as stack:
        rival = await stack.enter_async_context(_mlserver(setting, python, batching))
        calls = await _calls(stack, setting, rival.address)
        await _check(setting, calls)
        seconds = setting.config.seconds * TRIAL_SHARE
        return (await steady(calls, IN_FLIGHT, seconds, Usage(rival.pid))).rate


async def _check(setting: Setting, calls: Calls) -> None:
    """``StropError`` when a rival's labels are not those of the same graph in-process."""
    count = min(CHECKED, len(setting.texts))
    offline = Offline(setting.bundle, setting.variant, setting.texts[:count])
    wanted = [setting.bundle.manifest.labels[int(row.argmax())] for row in offline.answers()]
    wire, task = OpenInferenceWire(setting.served), setting.bundle.task
    outcomes = [await calls.send(number) for number in range(count)]
    if failed := next((one for one in outcomes if one.status != "OK"), None):
        raise StropError(f"MLServer fails: {failed.detail} ({failed.status})")
    found = [task.verdict(read_reply(wire, one.reply, 1).results[0]) for one in outcomes]
    same = sum(a == b for a, b in zip(found, wanted, strict=True))
    if same < ALIKE * count:
        raise StropError(f"MLServer gives the label of the graph for only {same} of {count} texts")


async def _duel(setting: Setting, name: str, ours: tuple[str, int], rival: tuple[str, int]) -> list[Row]:
    """The rows of our server and a rival's, each an address and a process id, in turn."""
    async with AsyncExitStack() as stack:
        loads = {
            who: (await _calls(stack, setting, address), Usage(pid))
            for who, (address, pid) in {"packed": ours, name: rival}.items()
        }

        async def measure(who: str) -> Steady:
            calls, usage = loads[who]
            return await steady(calls, IN_FLIGHT, setting.config.seconds, usage)

        found = await alternate(
            setting.config.rounds,
            {"packed": lambda: measure("packed"), name: lambda: measure(name)},
            setting.say,
        )
    rates = [[one.rate for one in found[who]] for who in ("packed", name)]
    tails = [[one.p99 for one in found[who]] for who in ("packed", name)]
    return [
        Row(f"{name}: our rate", rates[0], unit="texts/s", note=f"{IN_FLIGHT} in flight"),
        Row(f"{name}: its rate", rates[1], unit="texts/s", note=f"{IN_FLIGHT} in flight"),
        Row(f"rate over {name}", ratios(*rates), RATIO),
        Row(f"{name}: our p99", [1e3 * value for value in tails[0]], unit="ms"),
        Row(f"{name}: its p99", [1e3 * value for value in tails[1]], unit="ms"),
        Row(f"p99 over {name}", ratios(*tails), Target("below", 1.0)),
    ]


async def _calls(stack: AsyncExitStack, setting: Setting, address: str) -> Calls:
    wire = OpenInferenceWire(setting.served)
    requests = encode(wire, setting.texts)
    return await stack.enter_async_context(unary(address, wire.method, requests))
