"""A pytest plug-in that ends a run by saying which lanes ran and why any did not.

A lane is a marker of pyproject.toml. Loaded by the Makefile with -p tests.lanes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

import pytest

LANES = ("training", "browser", "postgres", "redis", "long", "slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the lanes on the report: its keywords also hold the names of folders."""
    report = yield
    report.lanes = [lane for lane in LANES if item.get_closest_marker(lane)]
    return report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran, skipped, reasons = _count(terminalreporter)
    terminalreporter.section("lanes")
    for lane in ("plain", *LANES):
        line = f"{lane:<9} {ran[lane]} ran"
        if skipped[lane]:
            line += f", {skipped[lane]} skipped: {'; '.join(sorted(reasons[lane]))}"
        if not ran[lane] and not skipped[lane]:
            line += f": {_why_none(terminalreporter.config, lane)}"
        terminalreporter.line(line)


def _count(
    reporter: pytest.TerminalReporter,
) -> tuple[Counter[str], Counter[str], dict[str, set[str]]]:
    ran: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    reasons: dict[str, set[str]] = {lane: set() for lane in ("plain", *LANES)}
    for outcome in ("passed", "failed", "error"):
        for report in reporter.stats.get(outcome, []):
            if getattr(report, "when", "") in ("call", "setup"):
                ran.update(lanes_of(report))
    for report in reporter.stats.get("skipped", []):
        for lane in lanes_of(report):
            skipped[lane] += 1
            reasons[lane].add(_reason(report))
    return ran, skipped, reasons


def lanes_of(report: object) -> list[str]:
    """The lanes that a test's report belongs to; plain when it has no lane's marker."""
    return getattr(report, "lanes", []) or ["plain"]


def _reason(report: object) -> str:
    where = getattr(report, "longrepr", None)
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ").strip()


def _why_none(config: pytest.Config, lane: str) -> str:
    chosen = config.getoption("markexpr", "")
    if f"not {lane}" in chosen:
        return f"left out by -m '{chosen}' (make test-{lane} runs it)"
    return "no such test was collected"
