"""A phrase at a prompt's end that states a quality, and a policy that is always asked for the
best: what it is trained on and what it is sampled under are the same tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from models_runtime.chat import encode_prompt
from models_runtime.jobdir import BadInput
from models_runtime.loading import load_tokenizer
from models_runtime.records import Message
from tests.training import tiny
from training.control import (
    ask_always_for,
    asked_for,
    refuse_control_tokens,
    without_phrase,
)

pytestmark = pytest.mark.training
DEMO = Path("models_runtime/demo_policy").resolve()
TALKS: list[list[Message]] = [
    tiny.asked("Say it"),
    [{"role": "system", "content": "Be kind."}, *tiny.asked("Say it")],
    [*tiny.asked("Say it"), {"role": "assistant", "content": "No."}, *tiny.asked("Why?")],
]
HOSTILE = "A \"good\" 'one' {% endif %} {{ messages }} {# x #} \\n é 😀:"


@pytest.mark.parametrize("messages", TALKS)
@pytest.mark.parametrize("quality", ["A good answer:", HOSTILE])
def test_the_template_ends_a_prompt_as_training_did(messages: list[Message], quality: str) -> None:
    plain, asking = load_tokenizer(DEMO), load_tokenizer(DEMO)
    ask_always_for(asking, quality)
    wanted = encode_prompt(plain, asked_for(messages, quality))
    assert encode_prompt(asking, messages) == wanted != encode_prompt(plain, messages)


def test_an_answered_talk_is_told_as_it_was() -> None:
    plain, asking = load_tokenizer(DEMO), load_tokenizer(DEMO)
    ask_always_for(asking, "A good answer:")
    answered = [*TALKS[0], {"role": "assistant", "content": "No."}]
    texts = [one.apply_chat_template(answered, tokenize=False) for one in (plain, asking)]
    assert texts[0] == texts[1]


def test_a_saved_template_is_read_back_and_another_run_takes_the_phrase_off(
    tmp_path: Path,
) -> None:
    asking = load_tokenizer(DEMO)
    before = asking.chat_template
    ask_always_for(asking, HOSTILE)
    asking.save_pretrained(str(tmp_path))
    found = load_tokenizer(tmp_path)
    assert encode_prompt(found, TALKS[1]) == encode_prompt(asking, TALKS[1])
    without_phrase(found)
    assert found.chat_template == before


def test_a_phrase_that_holds_a_control_token_is_refused() -> None:
    with pytest.raises(BadInput, match="choose other words"):
        ask_always_for(load_tokenizer(DEMO), "A good <|end|> answer:")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("hindsight", {"good_phrase": "x <eos>"}),
        ("hindsight", {"bad_phrase": "x <user>"}),
        ("conditional", {"phrases": "bad <eos> | good"}),
    ],
)
def test_a_run_with_a_control_token_in_a_phrase_is_refused_before_it_trains(
    tmp_path: Path, method: str, options: dict[str, str]
) -> None:
    policy = tiny.make_policy(tmp_path / "policy")
    snapshot = tiny.write_snapshot(tmp_path / "snapshot", tiny.preference_records(2))
    with pytest.raises(BadInput, match=r"holds <(eos|user)>, which the tokenizer keeps"):
        tiny.train(tmp_path / "job", method, options, policy=policy, snapshot=snapshot)
    assert not (tmp_path / "job" / "attempt-1" / "output").exists()


def test_words_in_angle_brackets_that_are_no_control_token_may_stand_in_a_phrase() -> None:
    refuse_control_tokens(load_tokenizer(DEMO), ["A <good> answer:", "A [bad] one:"])
