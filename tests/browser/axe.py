"""axe-core on a page: what it breaks of WCAG 2.2 A and AA, a line for each element."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
    "resultTypes": ["violations"],
}


def violations(page: Page) -> list[str]:
    """``rule: target · what is wrong``; target sizes of WCAG 2.2 are looked at too."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))} · {rule['help']}"
        for rule in found
        for node in rule["nodes"]
    ]
