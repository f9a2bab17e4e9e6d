"""What can be learned from the answers to a question, and by which method: said before anybody
waits for a job that cannot succeed."""

from __future__ import annotations

from labeling import questions
from labeling.iterations import Plan
from labeling.questions import Parts
from models_runtime.phrases import phrase

# Methods that learn from something else than preferences; all learn from those.
LEARN_FROM = {
    "sft": {"demonstrations"},
    "spin": {"demonstrations"},
    "kto": {"thumbs", "ratings"},
    "conditional": {"thumbs", "ratings"},
}
NOTHING = phrase(
    "The answers to this question are neither preferences nor demonstrations, so no reward model "
    "and no policy can be trained from them: collect on, and export them."
)
ONLY_DEMONSTRATIONS = phrase(
    "The answers to this question are demonstrations and no preferences, so no reward model can "
    "be trained from them: only a plan with the method sft or spin can train."
)
ONE_BY_ONE = phrase(
    "The answers to this question judge each text by itself and are no preferences: only a plan "
    "with the method kto or conditional can train from them."
)


def refusal(plan: Plan, parts: Parts) -> str:
    """Why an iteration of this plan cannot train on answers to these parts, in one sentence;
    empty where it can."""
    taught = questions.teaches(parts)
    if not taught:
        return NOTHING
    if "preferences" in taught or taught & LEARN_FROM.get(plan.method, set()):
        return ""
    return ONLY_DEMONSTRATIONS if "demonstrations" in taught else ONE_BY_ONE
