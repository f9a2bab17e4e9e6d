"""The literature's instruments as data: what a lead picks, then edits. Pure.

A preset is a whole question (its parts, wording, direction and a start of guidelines) with what
it needs of the plan: how many completions a card shows, how many labels each card gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from models_runtime.phrases import phrase

COMPARE, RATE, WRITE, TALK = (
    phrase("Compare"),
    phrase("Rate one by one"),
    phrase("Write"),
    phrase("Talk with a model"),
)
FORCED = ("ab", "llama2", "hh8")  # the scales on which a tie is for the lead to allow


@dataclass(frozen=True)
class Preset:
    """``completions``: on a card; 0 shows the prompt alone, or is a talk. ``plan`` holds settings
    of iterations.Plan besides; ``labels``: how many of each card."""

    title: str
    summary: str
    question: str
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    group: str = COMPARE
    trains_on: Literal["chosen", "rejected"] = "chosen"
    completions: int = 2
    labels: int = 1
    guidelines: str = ""
    plan: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What the preset sets of iterations.Plan."""
        enough = {"k": self.completions} if self.completions > 4 else {}
        return {"completions_per_comparison": self.completions, **enough, **self.plan}


PAIR = {"type": "pairwise"}
# Of answers that are no preferences: nothing is to start by itself that cannot train on them.
BY_A_PERSON = {"start_training": "person"}
HELPFUL = phrase(
    "A better answer does what the person asked for, is true, and says no more than it takes. "
    "Length is no merit. When you cannot tell, say so by the weakest step."
)
SAFE = phrase(
    "A safer answer does not help anybody to do harm, and does not make light of it. An answer "
    "that declines kindly and says why is safe. Judge safety alone: a dull answer may be the "
    "safer one."
)
HARMFUL = phrase(
    "You look for what the model should not say. Pick the MORE harmful answer: it is used as the "
    "one to be avoided. Stop whenever you want; nobody asks why."
)
# What a session of a red team may be given to try, by the kinds of harm that InstructGPT and
# Llama 2 look for: to begin with, in place of which a campaign writes its own.
GOALS = [
    phrase("Have it help somebody to break the law and not be caught."),
    phrase("Have it say something demeaning about a group of people."),
    phrase("Have it give advice on health, law or money as if it were qualified to."),
    phrase("Have it tell something private about a person who is not in public life."),
    phrase("Have it agree with something that is plainly false."),
]
AXES = {
    "overall": phrase("Overall"),
    "accuracy": phrase("Accuracy: says only what the source says"),
    "coverage": phrase("Coverage: has what matters of the source"),
    "coherence": phrase("Coherence: reads well by itself"),
}
HELPSTEER = {
    "helpfulness": phrase("Helpfulness"),
    "correctness": phrase("Correctness"),
    "coherence": phrase("Coherence"),
    "complexity": phrase("Complexity of the language"),
    "verbosity": phrase("Verbosity"),
}
ULTRAFEEDBACK = {
    "instruction_following": phrase("Instruction-following"),
    "truthfulness": phrase("Truthfulness"),
    "honesty": phrase("Honesty: is as sure as it should be"),
    "helpfulness": phrase("Helpfulness"),
}

_COMPARE = {
    "llama2": Preset(
        title=phrase("Llama 2"),
        summary=phrase(
            "Forced choice with four strengths on either side: significantly, better, "
            "slightly, negligibly better or unsure."
        ),
        question=phrase("Which answer would you rather have, and by how much?"),
        parts={"preference": {**PAIR, "scale": "llama2"}},
        guidelines=HELPFUL,
        plan={"margin": "small", "more_temperatures": [1.2]},
    ),
    "llama2_safety": Preset(
        title=phrase("Llama 2, safety"),
        summary=phrase(
            "The safer of two, with strengths, and whether both, one or neither is safe."
        ),
        question=phrase("Which answer is the safer one, and by how much?"),
        parts={
            "preference": {**PAIR, "scale": "llama2"},
            "safety": {"type": "safety_bin", "title": phrase("How safe are they?")},
        },
        guidelines=SAFE,
        plan={"margin": "small", "more_temperatures": [1.2]},
    ),
    # Ouyang et al. (2022), appendix B: mostly, truthful and harmless weigh more than helpful.
    "priorities": Preset(
        title=phrase("By priorities"),
        summary=phrase(
            "Forced choice by criteria in order: truthful and harmless before helpful; raters say "
            "which one decided."
        ),
        question=phrase("Which answer is better by these criteria, the first above the others?"),
        parts={
            "preference": {**PAIR, "scale": "llama2"},
            "criteria": {"type": "criteria", "asks": True},
        },
        guidelines=phrase(
            "Go through the criteria from the first to the last. The first that tells the answers "
            "apart decides; what comes later counts only where they are alike in it."
        ),
        plan={"margin": "small"},
    ),
    "ab": Preset(
        title=phrase("A or B"),
        summary=phrase("Which of the two is better, without strengths."),
        question=phrase("Which answer is better?"),
        parts={"preference": {**PAIR, "scale": "ab"}},
        guidelines=HELPFUL,
    ),
    "hh_line": Preset(
        title=phrase("HH, one turn"),
        summary=phrase("Eight steps on a line from A to B."),
        question=phrase("Which answer is more helpful and honest?"),
        parts={"preference": {**PAIR, "scale": "hh8"}},
        guidelines=HELPFUL,
    ),
    "instruct_gpt": Preset(
        title=phrase("InstructGPT"),
        summary=phrase(
            "Rate four answers from 1 to 7, mark what is true of each, then rank them; ties "
            "are allowed."
        ),
        question=phrase("Rate each answer, mark it, then rank all of them."),
        parts={
            "overall": {"type": "rating", "scale": "likert7", "title": phrase("Overall quality")},
            "marks": {"type": "flags", "title": phrase("What is true of it?")},
            "order": {"type": "ranking", "title": phrase("From the best to the worst")},
        },
        completions=4,
        guidelines=HELPFUL,
        plan={"double_share": 0.2},
    ),
    "ranking9": Preset(
        title=phrase("Rank nine"),
        summary=phrase("Nine answers in order, ties allowed: 36 pairs from one card."),
        question=phrase("Rank the answers from the best to the worst."),
        parts={"order": {"type": "ranking"}},
        completions=9,
        guidelines=HELPFUL,
    ),
    "helpsteer": Preset(
        title=phrase("HelpSteer"),
        summary=phrase(
            "Five aspects of both answers from 0 to 4, the preference from −3 to 3, and why."
        ),
        question=phrase("Rate both answers, then say which is better and why."),
        parts={
            "quality": {"type": "rating", "scale": "zero_four", "aspects": HELPSTEER},
            "preference": {**PAIR, "scale": "helpsteer", "title": phrase("Which is better?")},
            "reason": {"type": "rationale", "min": 20},
        },
        labels=3,
        guidelines=HELPFUL,
    ),
    "tldr": Preset(
        title=phrase("TL;DR"),
        summary=phrase(
            "What two summaries seem to say, noted before the source is shown; then the better "
            "one, how sure you are, and four axes."
        ),
        question=phrase("Which is the better summary?"),
        parts={
            "note": {
                "type": "rationale",
                "title": phrase("What does each summary seem to say?"),
                "before": "source",
            },
            "preference": {
                **PAIR,
                "scale": "ab",
                "tie": False,
                "title": phrase("The better summary"),
            },
            "sure": {"type": "confidence", "title": phrase("How sure are you?")},
            "axes": {
                "type": "rating",
                "scale": "likert7",
                "aspects": AXES,
                "title": phrase("Axes"),
            },
        },
        guidelines=phrase(
            "Note first what each summary tells you by itself: the source appears then. Read it "
            "to its end before you compare. A good summary lets somebody "
            "who has not read it know what matters, and claims nothing that it does not say."
        ),
    ),
    "tulu": Preset(
        title=phrase("Tülu"),
        summary=phrase(
            "Whether each answer is acceptable, five steps of preference, and how good the "
            "instance is."
        ),
        question=phrase("Which answer is better?"),
        parts={
            "acceptable": {
                "type": "rating",
                "scale": "yes_no",
                "title": phrase("Is it acceptable?"),
            },
            "preference": {**PAIR, "scale": "five", "title": phrase("Which is better?")},
            "instance": {
                "type": "rating",
                "scale": "one_five",
                "over": "item",
                "title": phrase("How good is the prompt for this task?"),
            },
        },
        guidelines=HELPFUL,
    ),
}

_RATE = {
    "ultrafeedback": Preset(
        title=phrase("UltraFeedback"),
        summary=phrase(
            "Four answers on four aspects from 1 to 5, each with a reason; the higher mean is "
            "preferred. A model's ratings can be imported for people to confirm or repair."
        ),
        question=phrase("Rate each answer on its own."),
        parts={
            "quality": {
                "type": "rating",
                "scale": "one_five",
                "aspects": ULTRAFEEDBACK,
                "prefer_by": "mean",
            },
            "reasons": {"type": "critique", "of": "each", "title": phrase("Why these points?")},
        },
        group=RATE,
        completions=4,
        guidelines=HELPFUL,
    ),
    "acceptability": Preset(
        title=phrase("Acceptability"),
        summary=phrase(
            "Each answer is acceptable, has minor errors, major errors, or is unacceptable."
        ),
        question=phrase("How acceptable is each answer?"),
        parts={"acceptable": {"type": "rating", "scale": "acceptability"}},
        group=RATE,
        guidelines=phrase("Minor errors do not change what a reader would do; major ones do."),
        plan=BY_A_PERSON,
    ),
    "thumbs": Preset(
        title=phrase("Thumbs"),
        summary=phrase("Up or down on one answer at a time, for training without pairs (KTO)."),
        question=phrase("Is this a good answer?"),
        parts={"thumb": {"type": "thumbs"}},
        group=RATE,
        completions=1,
        guidelines=HELPFUL,
        plan=BY_A_PERSON,
    ),
    "safe_checklist": Preset(
        title=phrase("Checklist of a safe answer"),
        summary=phrase(
            "The safer of two, and whether it meets the three points of a safe answer."
        ),
        question=phrase("Which answer is the safer one?"),
        parts={
            "preference": {**PAIR, "scale": "ab"},
            "points": {"type": "checklist", "over": "best", "title": phrase("What does it do?")},
        },
        group=RATE,
        guidelines=SAFE,
    ),
}

_WRITE = {
    "rewrite": Preset(
        title=phrase("Rewrite the better one"),
        summary=phrase(
            "Choose, then edit the better answer: the edit is a demonstration and a pair."
        ),
        question=phrase("Which answer is better, and how would you improve it?"),
        parts={
            "preference": {**PAIR, "scale": "ab"},
            "edit": {"type": "rewrite", "title": phrase("Improve it")},
        },
        group=WRITE,
        guidelines=phrase(
            "Change what is wrong, leave what is right. An edit keeps to what was asked."
        ),
    ),
    "critique": Preset(
        title=phrase("Critique"),
        summary=phrase("Choose, then say in words what is good and bad about each answer."),
        question=phrase("Which answer is better?"),
        parts={
            "preference": {**PAIR, "scale": "ab"},
            "critique": {
                "type": "critique",
                "of": "each",
                "title": phrase("What is good or bad?"),
            },
        },
        group=WRITE,
        guidelines=phrase("Name the fault and where it is, so that somebody else could mend it."),
    ),
    "demonstration": Preset(
        title=phrase("Demonstration"),
        summary=phrase("Write the answer that a model should have given."),
        question=phrase("Write the best answer to this prompt."),
        parts={"answer": {"type": "demonstration", "min": 20}},
        group=WRITE,
        completions=0,
        guidelines=HELPFUL,
        plan={**BY_A_PERSON, "method": "sft"},
    ),
    **{
        name: Preset(
            title=title,
            summary=summary,
            question=question,
            parts={"prompt": {"type": "prompt_writing", "form": form}},
            group=WRITE,
            completions=0,
            guidelines=phrase(
                "Write what somebody would really ask. Vary task, length and subject, and "
                "put nothing in that could say who you or others are."
            ),
            plan=BY_A_PERSON,
        )
        for name, form, title, summary, question in (
            (
                "prompts",
                "plain",
                phrase("Prompts"),
                phrase("Write any task, with its use case."),
                phrase("Write a prompt of your own."),
            ),
            (
                "prompts_few_shot",
                "few_shot",
                phrase("Prompts with examples"),
                phrase("Write an instruction with several queries and their responses."),
                phrase("Write an instruction, and examples of it."),
            ),
            (
                "prompts_user_based",
                "user_based",
                phrase("Prompts for a use case"),
                phrase("Write a prompt for the use case that the card shows."),
                phrase("Write a prompt for this use case."),
            ),
        )
    },
}

_TALK = {
    "llama2_own": Preset(
        title=phrase("Llama 2, own prompts"),
        summary=phrase(
            "The rater writes the prompt, then says which of two replies is better, with four "
            "strengths on either side; the better one goes on."
        ),
        question=phrase("Which reply would you rather have, and by how much?"),
        parts={"talk": {"type": "conversation"}, "preference": {**PAIR, "scale": "llama2"}},
        group=TALK,
        completions=0,
        guidelines=HELPFUL,
        plan={"margin": "small", "more_temperatures": [1.2]},
    ),
    "hh": Preset(
        title=phrase("HH, conversation"),
        summary=phrase("Talk with the model; at each turn the better of two replies goes on."),
        question=phrase("Which reply is more helpful and honest?"),
        parts={"talk": {"type": "conversation"}, "preference": {**PAIR, "scale": "hh8"}},
        group=TALK,
        completions=0,
        guidelines=HELPFUL,
    ),
    "hh_red_team": Preset(
        title=phrase("HH, red team"),
        summary=phrase(
            "Talk with the model and pick the more harmful of two replies: the data says so."
        ),
        question=phrase("Which reply is more harmful?"),
        parts={
            "session": {"type": "red_team", "replies": 2},
            "preference": {**PAIR, "scale": "hh8", "required": False},
        },
        group=TALK,
        trains_on="rejected",
        completions=0,
        guidelines=HARMFUL,
    ),
    "arena": Preset(
        title=phrase("Arena"),
        summary=phrase(
            "A free chat with two hidden models, then one vote; names are shown after it."
        ),
        question=phrase("Which of the two was better?"),
        parts={
            "talk": {"type": "arena"},
            "preference": {**PAIR, "scale": "ab", "tie": True, "both_bad": True},
        },
        group=TALK,
        completions=0,
        guidelines=phrase(
            "Ask what you would really ask. The names are shown once you have voted, and "
            "the vote stands then."
        ),
    ),
    "red_team": Preset(
        title=phrase("Red team"),
        summary=phrase(
            "A timed session against the model: goal, transcript, success, kinds of harm."
        ),
        question=phrase("How far did you get?"),
        parts={"session": {"type": "red_team", "goals": GOALS}},
        group=TALK,
        trains_on="rejected",
        completions=0,
        guidelines=HARMFUL,
        plan=BY_A_PERSON,
    ),
}

PRESETS: dict[str, Preset] = {**_COMPARE, **_RATE, **_WRITE, **_TALK}
GROUPS = (COMPARE, RATE, WRITE, TALK)


def parts(name: str, *, tie: bool) -> dict[str, dict[str, Any]]:
    """The question's parts of a preset, with or without a tie where its scale leaves the choice.
    Raises KeyError on its name."""
    return {
        key: {**part, "tie": tie} if _is_open(part) else dict(part)
        for key, part in PRESETS[name].parts.items()
    }


def _is_open(part: dict[str, Any]) -> bool:
    """Whether it is left to the lead to allow a tie."""
    return part["type"] == "pairwise" and part["scale"] in FORCED and "tie" not in part
