"""A new campaign from the literature's instruments: a preset, changed without a line of JSON."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from labeling import care, presets, questions
from labeling.care import Care
from labeling.models import Assignment, Campaign, Label, QuestionVersion
from labeling.presets import PRESETS
from tests.factories import Cast, open_comparisons

pytestmark = pytest.mark.django_db
PAGE = "/campaigns/new/"
FIELD = re.compile(r"<(input|select|textarea)\b([^>]*)>(?:(.*?)</\1>)?", re.DOTALL)


@pytest.fixture
def lead(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.lead)
    return client


def sent(body: str) -> dict[str, str]:
    """The fields of the page's form as a browser sends them, but for files and buttons."""
    form = body[body.index("page-form") : body.index("</main>")]
    found = {}
    for match in re.finditer(r"<input\b[^>]*>", form):
        said = attributes(match[0])
        kind, name = said.get("type", "text"), said.get("name")
        if not name or kind == "file" or (kind in ("radio", "checkbox") and "checked" not in said):
            continue
        found[name] = said.get("value", "on" if kind == "checkbox" else "")
    for match in re.finditer(r"<textarea\b([^>]*)>\n?(.*?)</textarea>", form, re.DOTALL):
        found[attributes(match[1])["name"]] = unescape(match[2])
    for match in re.finditer(r"<select\b([^>]*)>(.*?)</select>", form, re.DOTALL):
        options = re.findall(r"<option\b([^>]*)>", match[2])
        chosen = [one for one in options if "selected" in one] or options[:1]
        if chosen:
            found[attributes(match[1])["name"]] = attributes(chosen[0]).get("value", "")
    return found


def attributes(tag: str) -> dict[str, str]:
    pairs = re.findall(r'([a-z-]+)(?:="([^"]*)")?', tag)
    return {name: unescape(value) for name, value in pairs}


def press(client: Client, fields: dict[str, str], act: str, **more: str) -> dict[str, str]:
    """The form after a press that changes it."""
    response = client.post(PAGE, {**fields, "act": act, **more})
    assert response.status_code == 200
    return sent(response.content.decode())


def create(client: Client, fields: dict[str, str], **more: str) -> Campaign:
    response = client.post(PAGE, {**fields, "name": "Made here", **more})
    assert response.status_code == 302, errors(response)
    return Campaign.objects.get(slug="made-here")


def errors(response: Any) -> Any:
    form = response.context["form"]
    return form.errors, [part.errors for part in form.parts]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_the_campaign_it_describes(lead: Client, name: str) -> None:
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset=name)
    made = create(lead, fields)
    asked, wanted = made.question.parts, presets.parts(name, tie=False)
    assert list(asked) == list(wanted)
    for key, part in wanted.items():
        kept = {setting: str(asked[key].get(setting)) for setting in part}
        assert kept == {setting: str(value) for setting, value in part.items()}
    preset = PRESETS[name]
    assert made.question.trains_on == preset.trains_on
    assert made.guideline.markdown == preset.guidelines
    assert made.labels_per_comparison == preset.labels
    for setting, value in preset.settings().items():
        assert made.plan[setting] == value
    questions.check_parts(asked)


def test_a_part_is_changed_by_its_fields(lead: Client) -> None:
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset="tulu")
    changes = {
        "parts-0-title": "May it stand?",
        "parts-1-scale": "seven",
        "parts-2-aspects": "clear: Is it clear?\nfair: Is it fair?",
    }
    del fields["parts-2-required"]
    asked = create(lead, {**fields, **changes}).question.parts
    assert asked["acceptable"]["title"] == "May it stand?"
    assert asked["preference"]["scale"] == "seven"
    assert asked["instance"]["required"] is False
    assert asked["instance"]["aspects"] == {"clear": "Is it clear?", "fair": "Is it fair?"}


def test_parts_are_added_moved_and_removed_with_all_that_was_typed(lead: Client) -> None:
    fields = sent(lead.get(PAGE).content.decode())
    fields |= {"name": "Kept", "parts-0-title": "Kept too", "guidelines": "Mine."}
    fields = press(lead, fields, "add", added="rationale")
    fields = press(lead, fields, "add", added="rationale")
    fields["parts-2-min"] = "33"
    fields = press(lead, fields, "up-2")
    assert [fields[f"parts-{n}-key"] for n in range(3)] == [
        "preference",
        "rationale_2",
        "rationale",
    ]
    assert (fields["parts-1-min"], fields["name"], fields["guidelines"]) == ("33", "Kept", "Mine.")
    fields = press(lead, fields, "remove-2")
    asked = create(lead, fields).question.parts
    assert asked["preference"]["title"] == "Kept too"
    assert asked["rationale_2"]["min"] == 33
    assert list(asked) == ["preference", "rationale_2"]


def test_another_preset_keeps_what_the_lead_wrote(lead: Client) -> None:
    fields = sent(lead.get(PAGE).content.decode()) | {"guidelines": "My own.", "name": "Kept"}
    fields = press(lead, fields, "preset", preset="thumbs")
    assert (fields["guidelines"], fields["name"]) == ("My own.", "Kept")
    assert fields["completions_per_comparison"] == "1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "thumbs"}, "another instrument"),
        ({"completions_per_comparison": "4"}, "needs cards of 2 answers, and these have 4"),
        ({"parts-0-scale": "sliding"}, "Select a valid choice"),
        ({"parts-0-key": "No key"}, "A part needs another look"),
        ({"parts-1-type": "rationale", "parts-1-key": "preference"}, "Two parts have one name"),
        (
            {"parts-1-type": "rationale", "parts-1-key": "why", "parts-1-min": "0"},
            "The shortest text has 1 to",
        ),
        (
            {"parts-0-type": "safety_bin", "parts-0-key": "bin"},
            "place a part that compares before it",
        ),
        ({"veiled": "on"}, "Write the warning first"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_and_makes_nothing(
    lead: Client, cast: Cast, changes: dict[str, str], said: str
) -> None:
    fields = sent(lead.get(PAGE).content.decode()) | {"name": "Wrong", **changes}
    response = lead.post(PAGE, fields)
    assert response.status_code == 400
    assert said in unescape(response.content.decode())
    assert list(Campaign.objects.all()) == [cast.campaign]


@pytest.mark.parametrize("act", ["", "add"])
@pytest.mark.parametrize("rest", ['{"type": ["x"], "title": 5}', "[" * 100_000, "1" * 5_000])
def test_a_part_holds_nothing_that_its_type_does_not_offer(
    lead: Client, rest: str, act: str
) -> None:
    fields = sent(lead.get(PAGE).content.decode())
    extra = {"parts-0-rest": rest, "parts-0-nonsense": rest, "added": "rationale", "act": act}
    assert lead.post(PAGE, {**fields, "name": "Made here", **extra}).status_code in (200, 302)
    made = Campaign.objects.filter(slug="made-here").values_list("question__parts", flat=True)
    plain = {"type": "pairwise", "scale": "llama2", "tie": False, "both_bad": False}
    assert list(made) == ([] if act else [{"preference": {**plain, "unsure": False}}])


def test_a_card_cannot_show_more_answers_than_are_sampled(lead: Client) -> None:
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset="ranking9")
    response = lead.post(PAGE, {**fields, "name": "Nine", "k": "4"})
    assert "A card shows 9 answers" in response.content.decode()


def test_care_is_settled_with_the_campaign(lead: Client) -> None:
    fields = sent(lead.get(PAGE).content.decode())
    made = create(lead, fields, content_warning="Harsh words.", veiled="on", daily_cards="9")
    assert care.of(made) == Care("Harsh words.", veiled=True, daily_cards=9)


@pytest.mark.parametrize("name", PRESETS)
def test_the_card_is_seen_before_there_is_a_campaign(lead: Client, cast: Cast, name: str) -> None:
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset=name)
    response = lead.post(PAGE, {**fields, "name": "Unmade", "act": "preview"})
    body = response.content.decode()
    assert response.status_code == 200
    assert "This is a preview: nothing is stored" in body
    assert PRESETS[name].question in unescape(body)
    assert 'id="judge"' not in body
    assert list(Campaign.objects.all()) == [cast.campaign]
    assert QuestionVersion.objects.count() == 1


def test_the_preview_of_a_talk_says_how_it_goes(lead: Client) -> None:
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset="arena")
    body = lead.post(PAGE, {**fields, "name": "Unmade", "act": "preview"}).content.decode()
    assert "You write to two models at once" in body
    assert "Save and go on" not in body


def test_an_arena_with_one_policy_is_made_with_a_word_about_it(lead: Client) -> None:
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset="arena")
    page = lead.post(PAGE, {**fields, "name": "Duel"}, follow=True).content.decode()
    assert "An arena needs two models" in page
    assert Campaign.objects.get(slug="duel").state == "draft"


def test_a_campaign_is_previewed_with_its_first_comparison(lead: Client, cast: Cast) -> None:
    body = lead.get("/campaigns/helpful/preview/").content.decode()
    assert "Because it reflects the sea." in body
    open_comparisons(cast.campaign, 1, texts=("<i>Mine</i>", "Yours"))
    body = lead.get("/campaigns/helpful/preview/").content.decode()
    assert "&lt;i&gt;Mine&lt;/i&gt;" in body
    assert "Because it reflects the sea." not in body
    assert not Assignment.objects.exists()
    assert not Label.objects.exists()


def test_training_that_cannot_be_is_not_left_to_start_by_itself(lead: Client) -> None:
    fields = press(lead, sent(lead.get(PAGE).content.decode()), "preset", preset="thumbs")
    response = lead.post(PAGE, {**fields, "name": "Thumbs", "start_training": "auto"})
    assert "only a plan with the method kto or conditional can train" in response.content.decode()
    assert not Campaign.objects.filter(name="Thumbs").exists()
