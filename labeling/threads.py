"""What a talk's thread went on with after its first reply.

A comparison of whole threads (an arena's vote, a red team's session) names their first replies;
what follows each is read from the turns. A comparison of one turn's pair is about that pair alone.
"""

from __future__ import annotations

from django.db.models import QuerySet

from labeling.models import Comparison, Completion, Conversation, Prompt
from labeling.questions import live
from models_runtime.records import Message


def following(comparison: Comparison, roots: list[Completion]) -> dict[int, list[Message]]:
    """The messages after each of the comparison's completions, by its id: what was said next,
    the reply to it, and so on to the last reply. Empty where it is about one turn."""
    talk = comparison.conversation
    if talk is None or not _is_whole(talk, roots):
        return {}
    prompts = _prompts(comparison.prompt.item)
    after = {row.parent_completion_id: row for row in prompts if row.parent_completion_id}
    return {root.pk: _thread(root, after, talk) for root in roots}


def _is_whole(talk: Conversation, roots: list[Completion]) -> bool:
    form = live.of(talk.question.parts) if talk.question else None
    return form is not None and (form.kind == "arena" or len(roots) == 1)


def _prompts(item: str) -> QuerySet[Prompt]:
    return Prompt.objects.filter(item=item).prefetch_related("completions").order_by("pk")


def _thread(root: Completion, after: dict[int, Prompt], talk: Conversation) -> list[Message]:
    messages: list[Message] = []
    at: Completion | None = root
    while at is not None and (prompt := after.get(at.pk)):
        at = _went_on(prompt, after, talk)
        if at is not None:
            messages += [prompt.messages[-1], {"role": "assistant", "content": at.text}]
    return messages


def _went_on(prompt: Prompt, after: dict[int, Prompt], talk: Conversation) -> Completion | None:
    """The prompt's reply that the talk went on from; of a last pair that nobody judged, or that
    never was whole, none."""
    replies = list(prompt.completions.all())
    written = [row for row in replies if row.state == "done"]
    if len(replies) == 1:
        return next(iter(written), None)
    return next((row for row in written if row.pk in after or row.pk == talk.continues_id), None)
