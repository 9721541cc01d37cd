"""Runs in the environment of ``browser.py``: a Chromium, a page's URL, and a folder for pictures of it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

WIDTHS = {"phone": 360, "desktop": 1280}
SCHEMES = ("light", "dark")


def main(chromium: str, url: str, pictures: Path, shown: str) -> None:
    """Print what was found as JSON."""
    pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to be started by root.
        sandbox = os.geteuid() != 0
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=sandbox)
        found = [
            look(browser, url, shown, pictures / f"{name}-{scheme}.png", width, scheme)
            for name, width in WIDTHS.items()
            for scheme in SCHEMES
        ]
        browser.close()
    print(json.dumps(found))


def look(browser: Browser, url: str, shown: str, picture: Path, width: int, scheme: Any) -> dict[str, Any]:
    """One width and one colour scheme, with every table unfolded for axe-core."""
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    console: list[str] = []
    fetched: list[str] = []
    tab.on("console", lambda message: console.append(message.text))
    tab.on("pageerror", lambda error: console.append(str(error)))
    tab.on("request", lambda request: fetched.append(request.url))
    tab.goto(url)
    tab.locator(shown).first.wait_for()
    tab.screenshot(path=picture, full_page=True)
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    violations = Axe().run(tab).response["violations"]
    wider = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    tab.close()
    return {
        "picture": picture.name,
        "console": console,
        "fetched": [one for one in fetched if not one.startswith((url, "data:"))],
        "violations": [f"{one['id']}: {node['html']}" for one in violations for node in one["nodes"]],
        "wider": wider,
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
