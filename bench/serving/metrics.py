"""Numbers from a server's own metrics page."""

import asyncio
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


async def read_metrics(address: str) -> dict[str, float]:
    """Every sample of the page, by its name; samples of one name that differ in labels are added."""
    page = await asyncio.to_thread(_fetch, address)
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def _fetch(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
        text: str = page.read().decode()
    return text
