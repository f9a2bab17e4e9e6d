"""Measure Concord against floors and peers on this machine; a table, and JSON in BENCH_JSON."""

from __future__ import annotations

import os
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.bench import results, suite
from annotate.bench.http_rater import Lost
from annotate.bench.place import Failed


class Command(BaseCommand):
    help = "Run the benchmarks; BENCH_JSON names a file for their figures."
    requires_system_checks: list[str] = []  # they use databases of their own

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", help="only these (default: all)")

    def handle(self, *, names: list[str], **_: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
            known = suite.benchmarks(Path(folder))
            if unknown := sorted(set(names) - set(known)):
                raise CommandError(
                    f"There is no benchmark {unknown[0]}; known: {', '.join(known)}."
                )
            self.stdout.write(f"{results.machine()}\n{results.HEADINGS}")
            measured = [one for name in names or known for one in self._run(name, known[name])]
        if target := os.environ.get("BENCH_JSON"):
            results.write(Path(target), measured)

    def _run(self, name: str, benchmark: Any) -> list[results.Measured]:
        """A benchmark's figures, shown as they come; one that cannot run says why."""
        begun = time.monotonic()
        found: list[results.Measured] = []
        try:
            for one in benchmark():
                found.append(one)
                self.stdout.write(results.line(one))
                self.stdout.flush()
        except (Failed, Lost) as error:
            self.stdout.write(f"{name}: not measured ({error})")
        self.stdout.write(f"({name}: {time.monotonic() - begun:.0f} s)")
        return found
