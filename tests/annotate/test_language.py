"""The language of the pages: what the browser asks for, what is chosen, what an account keeps."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from annotate import charts
from tests.factories import PASSWORD, Cast


def spoken(response: Any) -> str:
    return response.content.decode().split('<html lang="')[1].split('"')[0]


def test_a_page_speaks_what_the_browser_asks_for_and_else_english(client: Client, db: Any) -> None:
    asked = ["de-AT,de;q=0.9,en;q=0.1", "en-US", "fi", ""]
    pages = [client.get("/sign-in/", headers={"Accept-Language": one}) for one in asked]
    assert [spoken(page) for page in pages] == ["de", "en-gb", "en-gb", "en-gb"]


def test_the_switch_works_before_signing_in_and_leads_back(client: Client, db: Any) -> None:
    chosen = client.post("/language/", {"language": "de", "next": "/sign-in/?next=/rate/"})
    assert (chosen.status_code, chosen["Location"]) == (302, "/sign-in/?next=/rate/")
    assert spoken(client.get("/sign-in/")) == "de"
    assert spoken(client.get("/nothing/")) == "de"


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "//elsewhere.example", ""])
def test_the_switch_leads_nowhere_else(client: Client, db: Any, address: str) -> None:
    chosen = client.post("/language/", {"language": "de", "next": address})
    assert chosen["Location"] == "/"


@pytest.mark.parametrize("address", ["nothing", "queue"])
def test_an_address_is_no_name_of_a_page(client: Client, db: Any, address: str) -> None:
    chosen = client.post("/language/", {"language": "de", "next": address})
    assert (chosen.status_code, chosen["Location"]) == (302, address)


def test_a_language_that_is_not_spoken_here_is_not_taken(client: Client, cast: Cast) -> None:
    client.force_login(cast.rater)
    chosen = client.post("/language/", {"language": "xx", "next": "/account/"}, follow=True)
    cast.rater.refresh_from_db()
    assert (spoken(chosen), cast.rater.locale) == ("en-gb", "")
    assert "That language is not spoken here." in chosen.content.decode()


def test_the_account_keeps_it_for_the_next_browser(client: Client, cast: Cast) -> None:
    client.force_login(cast.rater)
    client.post("/language/", {"language": "de", "next": "/account/"})
    cast.rater.refresh_from_db()
    assert cast.rater.locale == "de"

    elsewhere = Client()
    entered = elsewhere.post("/sign-in/", {"username": "rater", "password": PASSWORD}, follow=True)
    assert spoken(entered) == "de"


def test_an_account_without_a_language_leaves_the_browser_its_own(cast: Cast) -> None:
    browser = Client(headers={"Accept-Language": "de"})
    browser.post("/sign-in/", {"username": "rater", "password": PASSWORD})
    assert "language" not in browser.cookies
    assert spoken(browser.get("/account/")) == "de"


FIGURES = {
    "en-gb": "12,345|64.1 %|−0.25|0.00|2.5 s|2 h 10 min|0.1235|3 Oct 2026, 09:25 UTC",
    "de": "12.345|64,1 %|−0,25|0,00|2,5 s|2 h 10 min|0,1235|3. Okt. 2026, 09:25 UTC",
}


@pytest.mark.parametrize("code", FIGURES)
def test_figures_are_written_as_the_language_writes_them(code: str) -> None:
    page = Template(
        "{% load concord %}{{ n|count }}|{{ share|percent:1 }}|{{ low|decimal }}"
        "|{{ none|decimal }}|{{ few|span }}|{{ many|span }}|{{ metric|figure }}|{{ when|moment }}"
    )
    when = dt.datetime(2026, 10, 3, 9, 25, tzinfo=dt.UTC)
    values = {"n": 12345, "share": 0.6412, "low": -0.25, "none": -0.001, "few": 2.5, "many": 7801}
    with translation.override(code):
        said = page.render(Context({**values, "metric": 0.12347, "when": when}))
    assert said == FIGURES[code]


def test_a_chart_has_the_language_s_figures_and_svg_s_own_coordinates() -> None:
    page = Template('{% include "charts/bars.html" with label="Labels" %}')
    with translation.override("de"):
        drawn = page.render(Context({"chart": charts.bars([("10:00", 1234, 1), ("10:01", 3, 2)])}))
    assert "<title>10:00: 1.234 + 1</title>" in drawn
    assert re.findall(r'="[0-9.-]+,[0-9]', drawn) == []
