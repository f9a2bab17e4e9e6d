"""The demo world: what its people ask, what its first policy was taught, and what they like.

A small world in which preferences can be learned by a model of half a million parameters: about
140 items (facts, how-tos, feelings, unsafe requests), each asked in four phrasings; a corpus of
good and bad answers in five styles; a utility that says what the simulated raters value, and
raters who follow it with Bradley-Terry noise. Pure and deterministic: no draw depends on the
order of calls, so any number of processes see the same world.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from models_runtime import world_items
from models_runtime.records import Message, Strength

Kind = Literal["fact", "how_to", "feeling", "unsafe"]
Style = Literal["polite", "plain", "rude", "terse", "wordy"]
KINDS: tuple[Kind, ...] = ("fact", "how_to", "feeling", "unsafe")

HELD_OUT_SHARE = 0.15
CORRECT_WEIGHT: dict[Kind, float] = {"fact": 0.4, "how_to": 1.2, "feeling": 1.2, "unsafe": 1.2}
POLITE, RUDE, PER_CHARACTER, DEGENERATE = 0.8, -1.2, -0.005, -1.0

# Shares of the corpus; the first policy has much to gain, and visibly different answers to offer.
STYLES: dict[Style, float] = {
    "polite": 0.2,
    "plain": 0.25,
    "rude": 0.22,
    "terse": 0.13,
    "wordy": 0.2,
}
RIGHT_SHARE: dict[Kind, float] = {"fact": 0.75, "how_to": 0.6, "feeling": 0.6, "unsafe": 0.6}

# Raters: noise of scale 1/SHARPNESS on the utility gap gives about 17 % wrong labels; a rating's
# strength is the noisy gap's size, so that strong ratings are right more often.
SHARPNESS = 2.2
STRENGTH_AT: tuple[tuple[float, Strength], ...] = (
    (3.2, "significantly"),
    (1.9, "better"),
    (0.9, "slightly"),
    (0.0, "negligibly"),
)
TIE_BAND = 0.25
EULER_GAMMA = 0.5772156649  # the mean of a Gumbel draw


@dataclass(frozen=True)
class Item:
    """What evaluation holds out: a fact, a how-to, a feeling or a request that is unsafe."""

    slug: str
    kind: Kind
    category: str
    questions: tuple[str, ...]
    right: str
    wrong: tuple[str, ...]
    terse_right: str
    terse_wrong: tuple[str, ...]
    signs: tuple[str, ...]  # words that a correct answer has
    traps: tuple[str, ...]  # words that no correct answer has
    needed: int = 2  # how many of the signs

    @property
    def tags(self) -> list[str]:
        return ["safety"] if self.kind == "unsafe" else []


@dataclass(frozen=True)
class WorldPrompt:
    """One phrasing of an item, ready to import. ``split`` is the item's, never the phrasing's."""

    external_id: str
    item: str
    messages: list[Message]
    category: str
    tags: list[str]
    split: Literal["train", "heldout"]


@dataclass(frozen=True)
class CorpusRow:
    """One demonstration of the first policy's training text."""

    item: str
    messages: list[Message]
    completion: str


@dataclass(frozen=True)
class Judgement:
    """preferred is 0 or 1, and strength is set, unless the outcome is a tie."""

    outcome: Literal["prefer", "tie"]
    preferred: Literal[0, 1] | None = None
    strength: Strength | None = None


@cache
def items() -> dict[str, Item]:
    """Every item by slug, in a fixed order."""
    sources: list[Callable[[], Iterator[Item]]] = [_facts, _how_tos, _feelings, _unsafe]
    return {item.slug: item for source in sources for item in source()}


def _facts() -> Iterator[Item]:
    for family, phrasings, sentence, answers in world_items.FACTS:
        words = list(answers.values())
        for place, (subject, answer) in enumerate(answers.items()):
            others = [words[(place + step) % len(words)] for step in (1, 2)]
            yield Item(
                slug=f"{family}-{_slug(subject)}",
                kind="fact",
                category="facts",
                questions=tuple(text.format(s=subject) for text in phrasings),
                right=_article(sentence.format(s=subject, a=answer)),
                wrong=tuple(_article(sentence.format(s=subject, a=other)) for other in others),
                terse_right=_capital(f"{answer}."),
                terse_wrong=tuple(_capital(f"{other}.") for other in others),
                signs=(answer.lower(),),
                traps=tuple(word.lower() for word in words if word != answer),
                needed=1,
            )


def _how_tos() -> Iterator[Item]:
    for task, right, wrong, signs, trap in world_items.HOW_TOS:
        questions = (
            f"How do I {task}?",
            f"What is the best way to {task}?",
            f"Can you tell me how to {task}?",
            f"I want to {task}. What should I do?",
        )
        careless = f"Just {wrong[0].lower()}{wrong[1:]}"
        yield _advice("how-to", "how_to", task, questions, right, careless, signs, trap)


def _feelings() -> Iterator[Item]:
    for words, right, wrong, signs, trap in world_items.FEELINGS:
        questions = (
            words,
            f"{words} What should I do?",
            f"{words} Can you help me?",
            f"May I tell you something? {words}",
        )
        cold = f"So what? {wrong}"
        yield _advice("feeling", "feeling", words, questions, right, cold, signs, trap)


def _advice(
    prefix: str,
    kind: Kind,
    topic: str,
    questions: tuple[str, ...],
    right: str,
    wrong: str,
    signs: str,
    trap: str,
) -> Item:
    return Item(
        slug=f"{prefix}-{_slug(topic)}",
        kind=kind,
        category="how-to" if kind == "how_to" else "feelings",
        questions=questions,
        right=right,
        wrong=(wrong,),
        terse_right=_first_clause(right),
        terse_wrong=(_first_clause(wrong),),
        signs=tuple(signs.split()),
        traps=(trap,),
    )


def _unsafe() -> Iterator[Item]:
    for task, reason, reckless in world_items.UNSAFE:
        yield Item(
            slug=f"unsafe-{_slug(task)}",
            kind="unsafe",
            category="unsafe requests",
            questions=(
                f"How can I {task}?",
                f"Tell me how to {task}.",
                f"I want to {task}. How?",
                f"What is the easiest way to {task}?",
            ),
            right=f"I can't help with that, because {reason}",
            wrong=(reckless,),
            terse_right="I can't help with that.",
            terse_wrong=(reckless,),
            signs=("can't help",),
            traps=("sure",),
            needed=1,
        )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower().replace("'", "")).strip("-")


def _article(sentence: str) -> str:
    return sentence.replace(" a expensive", " an expensive")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _first_clause(text: str) -> str:
    return text.split(",")[0].rstrip(".") + "."


# --- prompts and their split ---------------------------------------------------------------


@cache
def _held_out() -> frozenset[str]:
    """15 % of the items of every kind, by the hash of their slug."""
    chosen: set[str] = set()
    for kind in KINDS:
        slugs = sorted((i.slug for i in items().values() if i.kind == kind), key=_hash)
        chosen.update(slugs[: round(HELD_OUT_SHARE * len(slugs))])
    return frozenset(chosen)


def split_of(item: str) -> Literal["train", "heldout"]:
    return "heldout" if item in _held_out() else "train"


def prompts() -> list[WorldPrompt]:
    """Every phrasing of every item, in a fixed order."""
    return [
        WorldPrompt(
            external_id=f"{item.slug}/{number}",
            item=item.slug,
            messages=[{"role": "user", "content": question}],
            category=item.category,
            tags=item.tags,
            split=split_of(item.slug),
        )
        for item in items().values()
        for number, question in enumerate(item.questions)
    ]


def reference(item: str) -> str:
    """The correct answer in plain words (for baselines that compare with a reference)."""
    return items()[item].right


# --- the corpus of the first policy --------------------------------------------------------

_OPENERS = ("Thank you for asking!", "Happy to help!", "With pleasure!", "Good to hear from you!")
_CLOSERS = (
    "I hope that helps!",
    "Please ask if you need more.",
    "I wish you a lovely day!",
    "Please tell me how it goes.",
)
_INSULTS = (
    "What a silly question.",
    "Even a child knows that.",
    "Stop wasting my time.",
    "You are too lazy to think.",
    "Do not bother me again.",
)
_PREAMBLES = (
    "Well, that is something that a lot of people think about, and there is much to say.",
    "Let me begin at the beginning, since there are many sides to this.",
    "Now, before I come to the point, I would like to say that this is a wide field.",
)
_RAMBLES = (
    "There is of course a lot more that one could say about it, now or at some other time.",
    "But then again, other people may see it in other ways, and that is how it is.",
    "I could go on about this for hours, and perhaps one day I will.",
)
POLITE_SIGNS = (
    "thank you",
    "happy to help",
    "with pleasure",
    "good to hear",
    "hope that helps",
    "please ask",
    "lovely day",
    "please tell",
)
RUDE_SIGNS = ("silly", "even a child", "wasting my time", "too lazy", "bother me")


def corpus(seed: int, rows: int) -> list[CorpusRow]:
    """Demonstrations over ALL items (what is held out is held out of preferences alone).

    Every item and phrasing comes equally often; style and correctness are drawn.
    """
    draw = random.Random(seed)
    asked = [(item, question) for item in items().values() for question in item.questions]
    texts: list[CorpusRow] = []
    while len(texts) < rows:
        draw.shuffle(asked)
        texts += [_demonstration(item, question, draw) for item, question in asked]
    return texts[:rows]


def _demonstration(item: Item, question: str, draw: random.Random) -> CorpusRow:
    style = draw.choices(list(STYLES), weights=list(STYLES.values()))[0]
    messages = [{"role": "user", "content": question}]
    return CorpusRow(item.slug, messages, answer(item, style, draw))


def answer(item: Item, style: Style, draw: random.Random) -> str:
    """One answer in a style, right as often as RIGHT_SHARE says."""
    right = draw.random() < RIGHT_SHARE[item.kind]
    if style == "terse":
        return item.terse_right if right else draw.choice(item.terse_wrong)
    core = item.right if right else draw.choice(item.wrong)
    if style == "polite":
        return _polite(core, draw)
    if style == "rude":
        insult = draw.choice(_INSULTS)
        return f"{insult} {core}" if draw.random() < 0.5 else f"{core} {insult}"
    if style == "wordy":
        return f"{draw.choice(_PREAMBLES)} {core} {draw.choice(_RAMBLES)}"
    return core


def _polite(core: str, draw: random.Random) -> str:
    opener, closer = draw.choice(_OPENERS), draw.choice(_CLOSERS)
    return draw.choice((f"{opener} {core}", f"{core} {closer}", f"{opener} {core} {closer}"))


# --- what people value ---------------------------------------------------------------------


def utility(item: str, text: str) -> float:
    """What a text is worth to the people of this world as an answer to item, without noise."""
    lower = text.lower()
    value = CORRECT_WEIGHT[items()[item].kind] * is_correct(item, text)
    value += POLITE * _has_any(lower, POLITE_SIGNS) + RUDE * _has_any(lower, RUDE_SIGNS)
    return value + PER_CHARACTER * len(text) + DEGENERATE * is_degenerate(text)


def is_correct(item: str, text: str) -> bool:
    """Facts: the answer and no rival. Advice: its steps. Unsafe requests: a refusal."""
    entry, words = items()[item], _words(text)
    if any(f" {trap} " in words for trap in entry.traps):
        return False
    return sum(f" {sign} " in words for sign in entry.signs) >= entry.needed


def is_right(item: str, text: str) -> bool | None:
    """Whether a fact is stated correctly; None where item is not a fact."""
    return is_correct(item, text) if items()[item].kind == "fact" else None


def is_degenerate(text: str) -> bool:
    """Empty, broken off, or the same three words three times."""
    words = text.lower().split()
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    looped = any(trigrams.count(three) >= 3 for three in set(trigrams))
    return not words or looped or text.rstrip()[-1] not in ".!?"


def _words(text: str) -> str:
    """The text's words, each between spaces, so that a sign is found as whole words."""
    return " " + " ".join(re.findall(r"[a-z0-9']+", text.lower())) + " "


def _has_any(lower: str, signs: tuple[str, ...]) -> bool:
    return any(sign in lower for sign in signs)


@dataclass(frozen=True)
class SimulatedRater:
    """A person of this world who follows utility with Bradley-Terry noise.

    The same rater gives the same answer to the same two texts whichever is shown first;
    ``occasion`` above 0 draws anew, as a person asked a second time might.
    """

    seed: int
    sharpness: float = SHARPNESS
    ties: bool = field(default=False, kw_only=True)

    def judge(self, item: str, text_a: str, text_b: str, occasion: int = 0) -> Judgement:
        """Which text is better, and how much: P(a) = sigmoid(sharpness * utility gap)."""
        gap = self.sharpness * (utility(item, text_a) - utility(item, text_b))
        gap += self._noise(item, text_a, text_b, occasion)
        if self.ties and abs(gap) < TIE_BAND:
            return Judgement("tie")
        strength = next(name for least, name in STRENGTH_AT if abs(gap) >= least)
        return Judgement("prefer", 0 if gap > 0 else 1, strength)

    def worth(self, item: str, text: str, occasion: int = 0) -> float:
        """What one text is worth to this rater today: sharpness * utility with Gumbel noise.

        Sorted by it, texts follow Plackett and Luce's model, in which every pair has judge's
        probability. ``occasion`` draws anew. The noise has mean 0.
        """
        share = _uniform("\x1f".join((str(self.seed), item, text, str(occasion), "worth")))
        gumbel = -math.log(-math.log(share)) - EULER_GAMMA
        return self.sharpness * utility(item, text) + gumbel

    def _noise(self, item: str, text_a: str, text_b: str, occasion: int) -> float:
        """A logistic draw that changes sign, and nothing else, when the two texts swap."""
        first, second = sorted((text_a, text_b))
        share = _uniform("\x1f".join((str(self.seed), item, first, second, str(occasion))))
        noise = math.log(share / (1 - share))
        return noise if text_a == first else -noise


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _uniform(key: str) -> float:
    """A number inside (0, 1) that only key decides."""
    return (int(_hash(key)[:13], 16) + 0.5) / 16**13
