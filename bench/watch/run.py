"""The life of a watch: lines in, labels asked for, alerts out, and what was learnt kept."""

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, BinaryIO

import uvloop

from strop.errors import InputError, StropError

from .config import WatchConfig
from .follow import Block, read_file, read_input
from .items import Item, read_item
from .labeller import Labeller, Scored
from .notices import tell
from .state import State
from .surge import Event, Watch

WAITING_BLOCKS = 2
"""Read ahead at most; what is behind waits in the file, or in the pipe."""
ALL = "all"
SAID = {
    Event.SURGE: "has surged",
    Event.OVER: "is back to what it was",
    Event.SETTLED: "has stayed high, which is usual from now on,",
}


class AlarmError(StropError):
    """The input ended, and there were alerts."""

    exit_code = 3


def run(config: WatchConfig) -> None:
    """Watch until the input ends or an interrupt; raises ``AlarmError`` if there was an alert."""
    state = State.load(config.state)
    with _output(config, state) as out:
        before = state.alarms
        try:
            uvloop.run(_watch(config, state, out))
        except BrokenPipeError as error:
            raise StropError("nobody reads the standard output any more") from error
    if alarms := state.alarms - before:
        raise AlarmError(f"{alarms} alert{'s' * (alarms > 1)}: {config.bad} surged")


async def _watch(config: WatchConfig, state: State, out: BinaryIO) -> None:
    async with AsyncExitStack() as stack:
        labellers = {
            one.name: await stack.enter_async_context(Labeller(one, config.timeout, config.access))
            for one in config.endpoints
        }
        async for block in _read_ahead(_blocks(config, state)):
            items = _items(block)
            if items:
                texts = [item.text for item in items]
                found = await asyncio.gather(*(one.label(texts) for one in labellers.values()))
                for place, item in enumerate(items):
                    labels = dict(zip(labellers, (part[place] for part in found), strict=True))
                    for line in _told(config, state, item, labels):
                        written = f"{json.dumps(line, ensure_ascii=False)}\n".encode()
                        state.out_bytes += out.write(written)
                out.flush()
            state.place = block.place
            if config.state is not None:
                state.save(config.state)


def _told(
    config: WatchConfig, state: State, item: Item, labels: dict[str, Scored]
) -> Iterator[dict[str, Any]]:
    """The lines that a labelled text makes: its own, and an alert's if it sets one off."""
    line: dict[str, Any] = {"text": item.text}
    if item.published is not None:
        line["published"] = item.published
    for name, (label, score) in labels.items():
        line[name] = {"label": label, "score": round(score, 6)}
    yield line
    model, bad = config.bad_label
    stream = ALL if config.by is None else labels[config.by][0]
    watch = state.watches.setdefault(stream, Watch())
    event = watch.observe(config.rules, bad=labels[model][0] == bad)
    if event is None:
        return
    state.alarms += event is Event.SURGE
    alert = {
        "alert": event.value,
        "stream": stream,
        "bad": config.bad,
        "share": round(watch.recent, 4),
        "usual": round(watch.usual, 4),
        "texts": watch.texts,
        "published": item.published,
    }
    tell(
        f"{event.value}: {config.bad} {SAID[event]} in {stream}, at text {watch.texts}:"
        f" {watch.recent:.0%} of the last, {watch.usual:.0%} of its history"
    )
    yield alert


def _blocks(config: WatchConfig, state: State) -> Iterator[Block]:
    if config.source is None:
        return read_input()
    return read_file(Path(config.source), follow=config.follow, place=state.place)


def _items(block: Block) -> list[Item]:
    found = []
    for line in block.lines:
        try:
            item = read_item(line.content)
        except InputError as error:
            # A stream goes on; what was left out is named by where it ended.
            tell(f"left out the line that ends at byte {line.end}: {error}")
            continue
        if item is not None:
            found.append(item)
    return found


async def _read_ahead(blocks: Iterator[Block]) -> AsyncIterator[Block]:
    """Blocks that a thread reads, which waits while enough are there."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Block | None] = asyncio.Queue(WAITING_BLOCKS)
    failed: list[Exception] = []

    def read() -> None:
        # Once the loop has ended nobody waits for more, and there is nobody to tell.
        with contextlib.suppress(RuntimeError):
            try:
                for block in blocks:
                    asyncio.run_coroutine_threadsafe(queue.put(block), loop).result()
            except (StropError, OSError) as error:
                failed.append(error)
            asyncio.run_coroutine_threadsafe(queue.put(None), loop).result()

    threading.Thread(target=read, name="reader", daemon=True).start()
    while (block := await queue.get()) is not None:
        yield block
    if failed:
        raise failed[0]


@contextlib.contextmanager
def _output(config: WatchConfig, state: State) -> Iterator[BinaryIO]:
    """Where lines go, cut back to what the state knows of."""
    path = config.out
    if path is None:
        yield sys.stdout.buffer
        return
    there = path.stat().st_size if path.exists() else 0
    if there < state.out_bytes or (there and not state.out_bytes):
        known = f"not what --state {config.state} goes on with" if config.state else "there already"
        raise InputError(f"--out {path} is {known}; give another name, or remove it")
    with path.open("ab") as file:
        file.truncate(state.out_bytes)
        yield file
