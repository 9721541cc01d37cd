"""A page in a real browser; ``python -m strop.bench.page.browser`` makes what that takes beside one.

Playwright drives whatever Chromium the machine has, and axe-core looks for what keeps people from reading.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from strop.environment import Environment

ENVIRONMENT = Environment("page-browser", (("playwright==1.65.2", "axe-playwright-python==0.1.8"),))
SCRIPT = Path(__file__).with_name("browser_script.py")
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The machine's Chromium, if it has one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def look(url: str, pictures: Path, shown: str = "main") -> list[dict[str, Any]]:
    """Open a page on a phone and on a desktop, light and dark; leaves a picture of each in ``pictures``.

    It is looked at once an element is there that the selector ``shown`` finds. Gives for each: the
    picture's name, what the console said, what was fetched beyond ``url`` and what is beneath it,
    axe-core's violations, and by how many pixels the page is wider than its window. The environment and a
    Chromium must be there.
    """
    browser = chromium()
    assert browser is not None  # noqa: S101
    words = (str(ENVIRONMENT.python), str(SCRIPT), browser, url, str(pictures), shown)
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(ENVIRONMENT.make())
