"""Runs in the browser's environment: uses the console, and prints what it sees as lines of JSON."""

import json
import os
import sys

from playwright.sync_api import sync_playwright


def say(**seen: object) -> None:
    sys.stdout.write(json.dumps(seen) + "\n")
    sys.stdout.flush()


def main(chromium: str, url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=os.geteuid() != 0)
        tab = browser.new_page()
        dialogs: list[str] = []
        tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        tab.goto(url)
        tab.locator("#models th[scope=row]").first.wait_for()
        tables = {
            name: tab.locator(f"#{name} tbody").inner_text() for name in ("models", "failures", "methods")
        }
        tab.get_by_label("Text", exact=True).fill("good film")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        tab.locator("#try-answer dd").first.wait_for()
        answer = tab.locator("#try-answer").inner_text()
        scripts = tab.locator("script").count()
        say(tables=tables, answer=answer, scripts=scripts, dialogs=dialogs)
        notice = tab.get_by_role("status").filter(has_text="server")
        notice.filter(has_text="does not answer").wait_for()
        say(notice=notice.inner_text(), status=tab.locator("#status").inner_text())
        notice.filter(has_text="started anew").wait_for()
        say(notice=notice.inner_text(), status=tab.locator("#status").inner_text())
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
