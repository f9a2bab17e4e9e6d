"""A rater's own keys: kept where the list allows them, printed on the card, else refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from annotate import keys
from tests.factories import Cast, open_comparisons

DEFAULTS = {name: code for name, (_does, code) in keys.COMMANDS.items()}


@pytest.fixture
def rater(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.rater)
    return client


def keep(client: Client, **chosen: str) -> Any:
    form = {"keys": "keep", "on": "on", "modifier": "none", **DEFAULTS, **chosen}
    return client.post("/account/", form)


def on_the_card(client: Client) -> dict[str, Any]:
    """What the page hands to its scripts."""
    body = client.get("/rate/helpful/").content.decode()
    handed = re.search(r'data-keys="([^"]+)"', body)
    assert handed
    found: dict[str, Any] = json.loads(handed[1].replace("&quot;", '"'))
    return found


def test_who_chose_nothing_has_what_everybody_has(rater: Client) -> None:
    assert on_the_card(rater) == {"on": True, "modifier": "none", "commands": DEFAULTS}


def test_a_moved_key_is_kept_and_printed(rater: Client, cast: Cast) -> None:
    open_comparisons(cast.campaign, 1)
    assert keep(rater, skip="KeyK", modifier="alt").status_code == 302
    handed = on_the_card(rater)
    assert (handed["modifier"], handed["commands"]["skip"]) == ("alt", "KeyK")
    body = rater.get("/rate/helpful/").content.decode()
    assert "Skip <kbd>k</kbd>" in body
    assert "<kbd>k</kbd></dt><dd>Skip, with a reason</dd>" in body


def test_keys_can_be_switched_off(rater: Client) -> None:
    form = {"keys": "keep", "modifier": "none", **DEFAULTS}
    assert rater.post("/account/", form).status_code == 302
    assert on_the_card(rater)["on"] is False
    assert "You have switched the keys off." in rater.get("/rate/helpful/").content.decode()


def test_two_commands_on_one_key_are_refused_in_a_sentence(rater: Client, cast: Cast) -> None:
    response = keep(rater, flag="KeyX")
    assert response.status_code == 400
    said = "“Flag something wrong and stay” and “Skip, with a reason” cannot both be on x."
    assert said in response.content.decode()
    cast.rater.refresh_from_db()
    assert cast.rater.preferences == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"skip": "Digit1"},
        {"skip": "KeyA"},
        {"skip": "<script>"},
        {"skip": ""},
        {"modifier": "meta"},
    ],
)
def test_what_is_not_on_the_list_is_refused(
    rater: Client, cast: Cast, wrong: dict[str, str]
) -> None:
    assert keep(rater, **wrong).status_code == 400
    cast.rater.refresh_from_db()
    assert cast.rater.preferences == {}


def test_other_preferences_and_the_password_stay(rater: Client, cast: Cast) -> None:
    cast.rater.preferences = {"theme": "dark"}
    cast.rater.save()
    keep(rater, raw="KeyW")
    before = cast.rater.password
    cast.rater.refresh_from_db()
    assert (cast.rater.preferences["theme"], cast.rater.password) == ("dark", before)


def test_a_key_that_left_the_list_falls_back(cast: Cast) -> None:
    cast.rater.preferences = {"keys": {"modifier": "gone", "commands": {"skip": "F13"}}}
    assert keys.of(cast.rater) == keys.Keys(True, "none", DEFAULTS)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        "keys",
        7,
        {"keys": None},
        {"keys": [1]},
        {"keys": "alt"},
        {"keys": {"on": "false", "modifier": ["alt"], "commands": {"skip": {"KeyK": 1}}}},
        {"keys": {"on": None, "modifier": {}, "commands": ["skip"]}},
        {"keys": {"on": 0, "modifier": None, "commands": "skip"}},
        {"keys": {"commands": {"skip": "KeyF"}}},
        {"keys": {"commands": {"skip": None, "</script>": "<script>", "flag": "KeyX\x00"}}},
    ],
)
def test_whatever_is_stored_there_are_keys(cast: Cast, rater: Client, stored: Any) -> None:
    """Never a page that cannot be drawn, nor two commands on one key."""
    cast.rater.preferences = stored
    assert keys.of(cast.rater) == keys.Keys(True, "none", DEFAULTS)
    if stored is not None:  # the column holds no null
        cast.rater.save()
    open_comparisons(cast.campaign, 1)
    assert rater.get("/rate/helpful/").status_code == 200
    assert on_the_card(rater)["commands"] == DEFAULTS
    assert keep(rater, skip="KeyK").status_code == 302
    assert on_the_card(rater)["commands"]["skip"] == "KeyK"
