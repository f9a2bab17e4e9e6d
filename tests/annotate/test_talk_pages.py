"""The pages of a talk: who sees which, what each act does, and what no page may tell."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotate import talks
from labeling import care, conversations, replies
from labeling.care import Care
from labeling.conversations import NotNow
from labeling.models import Campaign, Completion, Conversation, Label, Reply, Turn, User
from models_runtime.models import Checkpoint
from tests.factories import CampaignFactory, Cast, PromptFactory, PromptSetFactory
from tests.talks import ARENA, CONVERSATION, HARMFUL, RED_TEAM, answer, begun, cast_of, judge, say

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def cast(db: Any) -> Cast:
    return cast_of(CONVERSATION)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(talk: Conversation, act: str = "") -> str:
    return f"/talks/{talk.public_id}/{act + '/' if act else ''}"


def body(client: Client, talk: Conversation) -> str:
    return client.get(address(talk), headers=HTMX).content.decode()


def stage_of(html: str) -> str:
    found = re.search(r'data-stage="(\w+)"', html)
    assert found is not None
    return found[1]


def keyed(**fields: str) -> dict[str, str]:
    return {"idempotency_key": str(uuid.uuid4()), **fields}


def test_a_whole_turn_without_scripts(cast: Cast) -> None:
    client = browser(cast.rater)
    assert b"Begin" in client.get("/talk/helpful/").content
    begun_at = client.post("/talk/helpful/").headers["Location"]
    talk = Conversation.objects.get()
    assert begun_at == address(talk)
    assert client.post(address(talk, "say"), keyed(text="Hello")).headers["Location"] == begun_at
    page = client.get(begun_at).content.decode()
    assert '<meta http-equiv="refresh" content="2">' in page
    answer(talk, "One.", "Two.")
    response = client.post(address(talk, "judge"), keyed(**{"preference-choice": "0:better"}))
    assert response.headers["Location"] == begun_at
    assert Label.objects.get().rater == cast.rater


def test_the_pair_is_shown_when_both_are_whole(cast: Cast) -> None:
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    first, second = Reply.objects.order_by("position")
    assert replies.take(first)
    replies.write(first, "The first words")
    assert "The first words" not in body(client, talk)
    assert replies.settle(first, talks_piece("The first words, whole"))
    html = body(client, talk)
    assert "The first words" not in html
    assert stage_of(html) == "waiting"
    assert replies.take(second)
    assert replies.settle(second, talks_piece("Others"))
    html = body(client, talk)
    assert stage_of(html) == "judging"
    assert "The first words, whole" in html
    assert "Others" in html


def test_a_single_reply_is_shown_as_it_is_written() -> None:
    cast = cast_of(RED_TEAM)
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    reply = Reply.objects.get()
    assert replies.take(reply)
    replies.write(reply, "First, <b>take")
    html = body(client, talk)
    assert "First, &lt;b&gt;take" in html
    assert 'hx-trigger="every 250ms"' in html


def test_the_page_asks_again_only_while_something_is_written(cast: Cast) -> None:
    talk, client = begun(cast), browser(cast.rater)
    assert "hx-trigger" not in body(client, talk)
    say(talk)
    assert "every 250ms" in body(client, talk)
    answer(talk, "One.", "Two.")
    assert "hx-trigger" not in body(client, talk)


@pytest.mark.parametrize("parts", [CONVERSATION, ARENA, RED_TEAM, HARMFUL])
def test_no_page_tells_which_model_wrote_what(parts: dict[str, Any]) -> None:
    cast = cast_of(parts)
    cast.campaign.plan = {"temperature": 0.8, "more_temperatures": [1.3], "max_new_tokens": 4321}
    cast.campaign.save()
    Completion.objects.all().delete()
    talk, client = begun(cast), browser(cast.rater)
    texts = ["Some words.", "Other words."][: len(talk.speakers)]
    pages = [body(client, talk)]
    say(talk)
    pages.append(body(client, talk))
    answer(talk, *texts)
    pages.append(body(client, talk))
    names = [cast.campaign.first_policy.name, "trained"]
    for html in pages:
        told = re.sub(r'(?s)value="[^"]*"|data-talk="[^"]*"|/talks/[^"]*"', "", html)
        for name in (*names, "4321", "1.3", "checkpoint", "seed", "token_count", "eos"):
            assert name not in told, name
    numbers = set(re.findall(r'(?:id|data-[a-z]+|name)="(\d+)"', pages[-1]))
    own = {str(row.pk) for row in Completion.objects.all()}
    assert not numbers & own - {str(n) for n in range(10)} - deadlines(pages[-1])


def deadlines(html: str) -> set[str]:
    return set(re.findall(r'data-deadline="(\d+)"', html))


def test_which_side_a_model_is_on_is_drawn() -> None:
    cast = cast_of(ARENA)
    seen = set()
    for _ in range(30):
        talk = begun(cast)
        say(talk)
        answer(talk, "First.", "Second.")
        seen.add(tuple(heard.html for heard in talks.build(talk).exchanges[0].heard))
        judge(talk, "0")
    assert len(seen) == 2


def test_a_slow_model_is_said_to_be_slow(cast: Cast) -> None:
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    assert "is slow to answer" not in body(client, talk)
    Reply.objects.update(asked_at=timezone.now() - timedelta(seconds=11))
    assert "is slow to answer" in body(client, talk)


def test_a_model_that_did_not_answer_can_be_asked_again(cast: Cast) -> None:
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    first, second = Reply.objects.order_by("position")
    for reply in (first, second):
        assert replies.take(reply)
    replies.give_up(first)
    assert stage_of(body(client, talk)) == "waiting"
    assert replies.settle(second, talks_piece("Two."))
    html = body(client, talk)
    assert stage_of(html) == "failed"
    assert "did not answer" in html
    for _ in range(2):
        again = client.post(address(talk, "again"), headers=HTMX)
        assert stage_of(again.content.decode()) == "waiting"
    answer(talk, "One.")
    assert stage_of(body(client, talk)) == "judging"
    assert Turn.objects.count() == 1


def test_names_come_with_the_vote_and_the_vote_stays() -> None:
    cast = cast_of(ARENA)
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    answer(talk, "One.", "Two.")
    key = keyed(**{"vote-choice": "both_bad"})
    html = client.post(address(talk, "judge"), key, headers=HTMX).content.decode()
    assert stage_of(html) == "over"
    assert "trained" in html
    client.post(address(talk, "judge"), key, headers=HTMX)
    assert client.post(address(talk, "undo"), headers=HTMX).status_code == 409
    assert client.post("/rate/helpful/undo/", headers=HTMX).status_code != 500
    assert Label.objects.count() == 1
    assert Label.objects.get().answer["parts"]["vote"]["outcome"] == "both_bad"


def test_each_name_stands_by_the_side_of_its_thread() -> None:
    cast = cast_of(ARENA)
    for _ in range(6):
        talk = begun(cast)
        say(talk)
        answer(talk, "Of the first.", "Of the second.")
        page = talks.build(talk)
        judge(talk, "0")
        talk.refresh_from_db()
        wrote = {
            row.text: row.checkpoint.name
            for row in Completion.objects.filter(reply__turn__conversation=talk)
        }
        for heard, (letter, name) in zip(
            page.exchanges[0].heard, talks.build(talk).names, strict=True
        ):
            text = "Of the first." if "Of the first." in heard.html else "Of the second."
            assert (heard.letter, name) == (letter, wrote[text])


def test_what_cannot_be_done_now_is_said_and_changes_nothing(cast: Cast) -> None:
    talk, client = begun(cast), browser(cast.rater)
    refused = client.post(address(talk, "judge"), keyed(**{"preference-choice": "0:better"}))
    assert refused.status_code == 409
    assert client.post(address(talk, "rate"), keyed()).status_code == 409
    assert client.post(address(talk, "undo")).status_code == 409
    assert client.post(address(talk, "say"), keyed(text="  ")).status_code == 400
    assert client.post(address(talk, "say"), {"text": "no key"}).status_code == 400
    assert Turn.objects.count() == 0


def test_a_session_whose_time_is_over_is_rated() -> None:
    cast = cast_of(RED_TEAM)
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    answer(talk, "No.")
    Conversation.objects.update(deadline=timezone.now() - timedelta(seconds=1))
    html = body(client, talk)
    assert stage_of(html) == "rating"
    assert "Unqualified advice" in html
    assert "Personal data" in html
    assert client.post(address(talk, "say"), keyed(text="More")).status_code == 409
    form = keyed(**{"session-success": "4", "session-category-privacy": "1", "session-tag-1": "1"})
    for _ in range(2):
        assert client.post(address(talk, "rate"), form, headers=HTMX).status_code == 200
    stored = Label.objects.get().answer["parts"]["session"]
    assert stored["categories"] == ["privacy"]
    assert stored["tags"] == ["flattery"]


@pytest.mark.parametrize("act", ["", "say", "judge", "rate", "undo", "again", "flag", "end"])
def test_a_talk_is_its_raters_alone(cast: Cast, act: str) -> None:
    talk = begun(cast)
    for user in (cast.other_rater, cast.lead, cast.researcher, cast.outsider):
        client = browser(user)
        method = client.post if act else client.get
        assert method(address(talk, act), keyed(text="Mine?")).status_code == 404
    visitor = Client().post(address(talk, act)) if act else Client().get(address(talk))
    assert visitor.status_code in (302, 405)
    wrong = browser(cast.rater)
    assert (wrong.get if act else wrong.post)(address(talk, act)).status_code == 405
    assert Turn.objects.count() == 0


def test_the_start_page_of_a_campaign_with_cards_leads_to_its_cards(cast: Cast) -> None:
    from tests.factories import CampaignFactory

    cards = CampaignFactory(project=cast.project, slug="cards")
    response = browser(cast.rater).get(f"/talk/{cards.slug}/")
    assert response.headers["Location"] == "/rate/cards/"


def test_a_poll_costs_few_queries(cast: Cast, django_assert_num_queries: Any) -> None:
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    with django_assert_num_queries(9):
        body(client, talk)


def talks_piece(text: str) -> Any:
    from models_runtime.serving import Piece

    return Piece(text, "eos", 5)


def test_the_queue_and_the_cards_address_lead_to_the_talk(cast: Cast) -> None:
    client = browser(cast.rater)
    assert 'href="/talk/helpful/">Talk</a>' in client.get("/rate/").content.decode()
    assert client.get("/rate/helpful/").headers["Location"] == "/talk/helpful/"


def test_a_campaign_with_a_warning_asks_for_consent_first(cast: Cast) -> None:
    settings = Care("It may be harsh.", needs_consent=True, daily_cards=1)
    care.settle(campaign=cast.campaign, care=settings)
    client = browser(cast.rater)
    for method in (client.get, client.post):
        assert method("/talk/helpful/").headers["Location"] == "/rate/helpful/care/"
    with pytest.raises(NotNow):
        begun(cast)
    care.consent(rater=cast.rater, campaign=cast.campaign)
    talk = begun(cast)
    say(talk)
    answer(talk, "One.", "Two.")
    judge(talk, "0:better")
    conversations.finish(talk=talk)
    with pytest.raises(NotNow):
        begun(cast)


@pytest.mark.parametrize(("parts", "choice"), [(CONVERSATION, "0:better"), (ARENA, "0")])
def test_the_text_under_a_is_the_one_that_pressing_a_chooses(
    parts: dict[str, Any], choice: str
) -> None:
    cast = cast_of(parts)
    for number in range(8):
        talk = begun(cast)
        say(talk)
        answer(talk, f"First {number}.", f"Second {number}.")
        shown = talks.build(talk).exchanges[0].heard[0]
        (stored,) = judge(talk, choice).answer["parts"].values()
        assert Completion.objects.get(pk=stored["chosen"]).text in shown.html
        conversations.finish(talk=talk)


def test_a_talk_may_begin_with_one_of_the_campaigns_prompts(cast: Cast) -> None:
    prompts = PromptSetFactory(campaign=cast.campaign)
    for number in range(5):
        PromptFactory(
            prompt_set=prompts, messages=[{"role": "user", "content": f'Why "{number}"?'}]
        )
    talk, client = begun(cast), browser(cast.rater)
    html = body(client, talk)
    assert html.count("data-starter=") == 3
    assert 'data-starter="Why &quot;' in html
    assert re.findall("data-starter=.*", html) == re.findall("data-starter=.*", body(client, talk))
    say(talk)
    assert "data-starter" not in body(client, talk)


def test_a_reply_that_is_to_be_edited_stands_in_its_box() -> None:
    cast = cast_of({**CONVERSATION, "edit": {"type": "rewrite", "required": False}})
    talk, client = begun(cast), browser(cast.rater)
    say(talk)
    answer(talk, "Water boils.", "Water freezes.")
    boxes = re.findall("(?s)<textarea[^>]*>(.*?)</textarea>", body(client, talk))
    assert sorted(box.strip() for box in boxes) == ["Water boils.", "Water freezes."]
    form = {"preference-choice": "0:better"}
    for place, heard in enumerate(talks.build(talk).exchanges[0].heard):
        form[f"edit-text-{place}"] = "Water boils." if "boils" in heard.html else "Water freezes."
    form["edit-text-0"] = "Water boils at 100 °C."
    assert client.post(address(talk, "judge"), keyed(**form), headers=HTMX).status_code == 200
    assert Completion.objects.filter(text="Water boils at 100 °C.").count() == 1


def test_an_arena_with_one_model_waits_and_says_so() -> None:
    cast = cast_of(ARENA)
    Checkpoint.objects.filter(name="trained").update(state="failed")
    client = browser(cast.rater)
    queue = client.get("/rate/").content.decode()
    assert "waits for models to talk with" in queue
    assert ">Talk<" not in queue
    page = client.get("/talk/helpful/").content.decode()
    assert "Waiting for models" in page
    assert ">Begin<" not in page
    Checkpoint.objects.filter(name="trained").update(state="ready")
    assert ">Talk<" in client.get("/rate/").content.decode()
    assert ">Begin<" in client.get("/talk/helpful/").content.decode()


def test_a_lead_does_not_open_an_arena_with_one_model() -> None:
    cast = cast_of(ARENA)
    Campaign.objects.update(state="draft")
    PromptFactory(prompt_set=PromptSetFactory(campaign=cast.campaign))
    Checkpoint.objects.filter(name="trained").update(state="failed")
    response = browser(cast.lead).post("/campaigns/helpful/open/", follow=True)
    assert "An arena needs two models" in response.content.decode()
    assert Campaign.objects.get().state == "draft"
    Checkpoint.objects.filter(name="trained").update(state="ready")
    browser(cast.lead).post("/campaigns/helpful/open/")
    assert Campaign.objects.get().state == "open"


def test_what_can_be_done_stands_above_what_waits(cast: Cast) -> None:
    made = CampaignFactory(project=cast.project, name="Newer", slug="newer", state="open")
    assert made.created_at > cast.campaign.created_at
    queue = browser(cast.rater).get("/rate/").content.decode()
    assert queue.index("Helpful") < queue.index("Newer")


def test_what_a_rater_says_is_rendered_too(cast: Cast) -> None:
    talk = begun(cast)
    say(talk, "Is **this** right?")
    assert "Is <strong>this</strong> right?" in body(browser(cast.rater), talk)
