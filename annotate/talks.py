"""What a rater sees of a talk with live models, and nothing more.

Blind by construction, as a card is: texts in their displayed order under the letters A and B, and
the talk's random id. A pair is shown once both replies are whole, so that neither who is done
first nor how fast it writes tells which model it is; a single reply is shown as it is written.
Names come only with a label that is stored and cannot be taken back.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain, groupby

from django.utils import timezone

from annotate.cards import Part, answer_of, said_html
from labeling import boundaries, conversations, questions, rendering, written
from labeling.conversations import Speaker, Stage
from labeling.models import (
    Assignment,
    Completion,
    Conversation,
    Prompt,
    QuestionVersion,
    Reply,
)
from labeling.questions import Shown
from models_runtime.models import Checkpoint, Endpoint

STARTERS = 3
SLOW = timedelta(seconds=10)  # without a word from a model


@dataclass(frozen=True)
class Heard:
    """A reply as it is shown; ``letter`` is empty where there is nothing to compare."""

    letter: str
    html: str  # safe
    text: str  # as the model wrote it
    cut_off: bool
    is_whole: bool

    @property
    def name(self) -> str:
        return self.letter.lower()


@dataclass(frozen=True)
class Exchange:
    """What was said, and the replies that are shown; none while they are written."""

    number: int  # from 1
    said: str  # safe
    text: str  # as the rater wrote it
    heard: list[Heard]


@dataclass(frozen=True)
class Page:
    """A talk on the page. ``instant``: one press is the whole judgement."""

    talk: uuid.UUID
    stage: Stage
    kind: str
    question: str
    goal: str
    deadline: datetime | None
    turns_left: int
    exchanges: list[Exchange]
    starters: list[str]  # the campaign's prompts to begin with, for who wants one
    parts: list[Part]
    instant: bool
    key: uuid.UUID
    is_slow: bool
    may_vote: bool
    may_say_last: bool
    may_take_back: bool
    names: list[tuple[str, str]]  # (letter, model), once they may be known
    is_abandoned: bool  # closed since nobody came back

    @property
    def has_pair(self) -> bool:
        """Whether there are two texts whose words can be compared."""
        return any(len(exchange.heard) == 2 for exchange in self.exchanges)

    @property
    def asks(self) -> str:
        """What its form is for: "judge" a pair, "rate" a session, "" nothing now."""
        if self.stage == "rating":
            return "rate"
        return "judge" if self.stage in ("judging", "voting") or self.may_vote else ""


def build(
    talk: Conversation, *, only_last: bool = False, refused: dict[str, str] | None = None
) -> Page:
    """The page of a talk, at the same number of queries however long it is. ``only_last`` leaves
    out all exchanges but the last, for a page that has them; ``refused`` is a judgement that was
    sent and not stored."""
    form, now_at = conversations.form_of(talk), conversations.stage(talk)
    judgement = conversations.judgement_of(talk)
    script = _script(talk, judgement, only_last)
    may_vote = conversations.may_vote(talk, now_at)
    judged = judgement is not None and judgement.state == "submitted"
    asks_pair = now_at in ("judging", "voting") or may_vote
    is_asked = asks_pair or now_at == "rating"
    parts = _parts(talk.question, judgement, now_at, refused or {}) if is_asked else []
    said = script.turns[-1][0].turn.number + 1 if script.turns else 0
    return Page(
        talk=talk.public_id,
        stage=now_at,
        kind=form.kind,
        question=talk.question.text if talk.question else "",
        goal=talk.goal,
        deadline=talk.deadline,
        turns_left=form.turns - said,
        exchanges=[_exchange(script, replies) for replies in script.turns],
        starters=[] if script.turns else _starters(talk),
        parts=parts,
        instant=_is_instant(parts),
        key=uuid.uuid4(),
        is_slow=now_at == "waiting" and _is_slow(script.turns[-1]),
        may_vote=may_vote,
        may_say_last=conversations.may_say_last(talk, now_at),
        may_take_back=form.each and judged and now_at in ("talking", "full", "rating"),
        names=_names(script) if talk.revealed_at else [],
        is_abandoned=talk.end_reason == "abandoned",
    )


@dataclass(frozen=True)
class _Script:
    """A talk as it is stored, read at once."""

    talk: Conversation
    judgement: Assignment | None
    turns: list[list[Reply]]  # each with its replies, by position

    @cached_property
    def continued(self) -> set[int | None]:
        """The completions that a later turn follows."""
        return {reply.completion.prompt.parent_completion_id for reply in chain(*self.turns)}

    @cached_property
    def sides(self) -> list[int]:
        """The positions of an arena's threads from left to right, as drawn."""
        if self.judgement is None:
            return [0, 1]
        rows = Reply.objects.filter(completion__in=self.judgement.order)
        position = dict(rows.values_list("completion", "position"))
        return [position[pk] for pk in self.judgement.order]


def _script(talk: Conversation, judgement: Assignment | None, only_last: bool) -> _Script:
    rows = Reply.objects.filter(turn__conversation=talk).order_by("turn__number", "position")
    if only_last:
        last = talk.turns.order_by("-number").values("number")[:1]
        rows = rows.filter(turn__number=last)
    replies = rows.select_related("turn", "completion__prompt")
    turns = [list(of) for _, of in groupby(replies, key=lambda reply: reply.turn_id)]
    return _Script(talk, judgement, turns)


def _starters(talk: Conversation) -> list[str]:
    """A few of the campaign's prompts of one message, the same ones as long as the talk lasts;
    none of a kind that the rater left."""
    limits = boundaries.of(talk.rater, talk.campaign, timezone.now())
    rows = Prompt.objects.filter(
        prompt_set__campaign=talk.campaign, split="train", withdrawn_at=None
    ).order_by("pk")
    draw = random.Random(talk.public_id.int)
    places = sorted(draw.sample(range(found := rows.count()), min(STARTERS, found)))
    prompts = [rows[place] for place in places]
    shown = [row for row in prompts if limits is None or limits.allow(row)]
    return [row.messages[0]["content"] for row in shown if len(row.messages) == 1]


def _exchange(script: _Script, replies: list[Reply]) -> Exchange:
    text = replies[0].completion.prompt.messages[-1]["content"]
    return Exchange(replies[0].turn.number + 1, said_html(text), text, _heard(script, replies))


def _heard(script: _Script, replies: list[Reply]) -> list[Heard]:
    written = [reply.completion for reply in replies]
    if len(written) == 1:
        return [_reply("", written[0])] if written[0].text else []
    if any(row.state != "done" for row in written):
        return []
    if conversations.form_of(script.talk).each:
        return _pair_or_the_one(script, written)
    return [  # an arena's two, each always on the side that was drawn for its thread
        _reply(letter, written[position])
        for letter, position in zip("AB", script.sides, strict=True)
    ]


def _pair_or_the_one(script: _Script, written: list[Completion]) -> list[Heard]:
    """Both while they are to be judged; then the one that went on."""
    for row in written:
        if row.pk in script.continued or row.pk == script.talk.continues_id:
            return [_reply("", row)]
    by_id, judgement = {row.pk: row for row in written}, script.judgement
    order = judgement.order if judgement and set(judgement.order) == set(by_id) else list(by_id)
    return [_reply(letter, by_id[pk]) for letter, pk in zip("AB", order, strict=True)]


def _reply(letter: str, row: Completion) -> Heard:
    whole = row.state == "done"
    html = rendering.stored(row.text, row.html, row.renderer) if whole else None
    return Heard(
        letter,
        html if html is not None else rendering.visible(row.text),
        row.text,
        cut_off=row.finish_reason == "length",
        is_whole=whole,
    )


def _parts(
    question: QuestionVersion | None,
    judgement: Assignment | None,
    now_at: Stage,
    refused: dict[str, str],
) -> list[Part]:
    """Those that are asked now: of the pair, or of the session that is over."""
    assert question is not None
    ids = [0] if now_at == "rating" else list(judgement.order if judgement else [])
    texts = judgement.completions if judgement and questions.needs_texts(question.parts) else {}
    shown = Shown(ids, texts={pk: row.text for pk, row in texts.items()})
    given = _given(question, None if now_at == "rating" else judgement, refused)
    may_be_best = replace(shown, best=ids[0] if len(ids) == 2 else None)  # once they choose
    found = []
    for key, config in question.parts.items():
        module = questions.load(config["type"])
        asked = module.asked(config, may_be_best) if hasattr(module, "asked") else len(ids) == 2
        if asked:
            controls = module.controls(config, shown)
            found.append(Part(key, config["type"], config, controls, given.get(key, {})))
    return found


def _given(
    question: QuestionVersion, judgement: Assignment | None, refused: dict[str, str]
) -> dict[str, dict[str, str]]:
    """What was refused just now, else what was said of this pair before it was taken back."""
    if refused or judgement is None:
        return answer_of(question, refused)
    return written.given(judgement, question)


def _is_instant(parts: list[Part]) -> bool:
    return questions.is_instant({part.key: part.config for part in parts}) if parts else False


def _is_slow(replies: list[Reply]) -> bool:
    waiting = [reply for reply in replies if reply.settled_at is None]
    since = timezone.now() - SLOW
    return any(max(reply.asked_at, reply.heard_at or reply.asked_at) < since for reply in waiting)


def _names(script: _Script) -> list[tuple[str, str]]:
    found = [_name(script.talk.speakers[position]) for position in script.sides]
    return list(zip("AB", found, strict=True))


def _name(speaker: Speaker) -> str:
    if "endpoint" in speaker:
        return Endpoint.objects.get(pk=speaker["endpoint"]).name
    return Checkpoint.objects.get(pk=speaker["checkpoint"]).name
