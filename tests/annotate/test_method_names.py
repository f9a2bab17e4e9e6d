"""What a training method is called in a table: its usual abbreviation, never its name in code."""

from __future__ import annotations

import pytest
from django.utils import translation

from annotate.method_titles import TUNERS, short_name


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_table_shows_a_name_of_the_code(language: str) -> None:
    with translation.override(language):
        names = {method: short_name(method) for method in TUNERS}
    assert names["beta_dpo"] == "β-DPO"
    assert names["raft"] == "RAFT"
    assert names["simpo"] == "SimPO"
    assert not [name for name in names.values() if "_" in name]
    assert len(set(names.values())) == len(names)
