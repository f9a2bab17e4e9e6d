"""The shipped demo policy is what ``python -m training.demo_policy`` makes."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import mean

import pytest

from models_runtime import loading, world
from models_runtime.backends import LocalBackend
from models_runtime.jobdir import is_complete
from models_runtime.records import Sampler
from tests.models_runtime.tiny import DEMO_POLICY, world_prompts
from training import demo_policy

UNSEEN = 17  # a corpus seed that the policy was not taught with


def scores(folder, prompts: int = 141) -> dict[str, float]:
    """Perplexity on a fresh corpus, and what samples at temperature .8 are like."""
    model, tokenizer = loading.load_policy(folder), loading.load_tokenizer(folder)
    asked = world_prompts(prompts)
    rows = LocalBackend(model, tokenizer).sample(asked, Sampler("policy", k=4))
    items = {prompt.id: prompt.item for prompt in asked}
    judged = [(items[row.prompt_id], row.text) for row in rows]
    return {
        "perplexity": demo_policy.perplexity(model, tokenizer, world.corpus(UNSEEN, 500)),
        "utility": mean(world.utility(*pair) for pair in judged),
        "ended": mean(row.finish_reason == "eos" for row in rows),
        "distinct": len({(row.prompt_id, row.text) for row in rows}) / len(asked),
        "facts": mean(right for pair in judged if (right := world.is_right(*pair)) is not None),
        "rude": mean(any(s in text.lower() for s in world.RUDE_SIGNS) for _, text in judged),
    }


def test_the_shipped_policy_is_whole_and_its_tokenizer_is_the_commands(tmp_path):
    assert is_complete(DEMO_POLICY)
    rebuilt = demo_policy.build_tokenizer(world.corpus(0, demo_policy.ROWS))
    rebuilt.save_pretrained(str(tmp_path))
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (tmp_path / name).read_bytes() == (DEMO_POLICY / name).read_bytes()


def test_the_shipped_policy_answers_readably_differently_and_not_too_well():
    found = scores(DEMO_POLICY)
    assert found["perplexity"] < 1.3
    assert found["ended"] > 0.98
    assert 2.3 < found["distinct"] <= 4
    assert 0.6 < found["facts"] < 0.9
    assert 0.1 < found["rude"] < 0.35
    assert -0.15 < found["utility"] < 0.35


def test_the_same_seed_makes_the_same_small_policy(tmp_path):
    """A twentieth of the rows: the loss falls, and a second build gives the same bytes."""
    losses = [list(demo_policy.build(tmp_path / n, rows=320, epochs=3)) for n in ("a", "b")]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0] - 0.5
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert loading.check_policy(tmp_path / "a")["parameters"] > 300_000


def test_the_command_never_overwrites(tmp_path, capsys):
    assert demo_policy.main([str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_makes_an_equivalent_policy(tmp_path):
    """About 80 CPU seconds. Another CPU rounds otherwise, so the weights are compared by what
    they do: perplexity within 3 %, mean utility and facts right within .1."""
    folder = tmp_path / "policy"
    command = [sys.executable, "-m", "training.demo_policy", str(folder)]
    subprocess.run(command, cwd=DEMO_POLICY.parents[1], env=os.environ, check=True)
    made, shipped = scores(folder), scores(DEMO_POLICY)
    assert loading.check_policy(folder) == loading.check_policy(DEMO_POLICY)
    assert made["perplexity"] == pytest.approx(shipped["perplexity"], rel=0.03)
    assert made["utility"] == pytest.approx(shipped["utility"], abs=0.1)
    assert made["facts"] == pytest.approx(shipped["facts"], abs=0.1)
