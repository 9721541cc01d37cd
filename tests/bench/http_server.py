"""An HTTP classifier in a process of its own: ``python http_server.py``; a text's label is its first word.

A text that starts with ``fail`` is refused, one that starts with ``hang`` is never answered, one that
starts with ``wrong`` is the caller's fault. Prints its port.
"""

import asyncio
import json
import sys

from aiohttp import web


async def classify(request: web.Request) -> web.Response:
    """{"texts": […]} to [{"label": …, "score": …}, …], after two milliseconds."""
    texts = json.loads(await request.text())["texts"]
    word = texts[0].partition(" ")[0]
    if word == "fail":
        return web.Response(status=503, text="the queue\n is full")
    if word == "wrong":
        return web.Response(status=422, text="no such text")
    await asyncio.sleep(3600 if word == "hang" else 0.002)
    connection = request.transport.get_extra_info("peername")[1] if request.transport else 0
    response = web.json_response(
        [{"label": text.partition(" ")[0], "score": 0.75, "connection": connection} for text in texts]
    )
    response.enable_compression()  # for those who say that they take it
    return response


async def main() -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_post("/classify", classify)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
