"""What somebody else's model server can do, found out by asking it once, before it is used.

"OpenAI-compatible" servers leave out what they do not know without a word: what talks need is
tried (the address answers, the model replies, and it streams), and what else a sampler could use
is noted (several choices, seeds, log-probabilities).
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any, Literal

from models_runtime import outbound, serving
from models_runtime.records import Message, Sampler
from models_runtime.serving import Address, Unanswered

SILENCE = 60.0  # seconds: some servers load a model when it is first asked for
LONGEST = 1 << 20  # bytes of one answer
ASKED: list[Message] = [{"role": "user", "content": "Count from one to ten, in words."}]
_SAMPLER = Sampler(checkpoint="", k=1, temperature=1.0, max_new_tokens=24, seed=1)
Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """``problem``: one sentence on why talks cannot use the server; empty where they can.

    ``listed``: it names the model among its own. ``streams``: a reply comes in pieces.
    ``several``: asked for two choices it gives two different ones. ``seeds``: the same seed
    twice gives the same reply. ``logprobs``: it tells them. Unknown is what could not be asked.
    """

    problem: str = ""
    listed: Answer = "unknown"
    streams: Answer = "unknown"
    several: Answer = "unknown"
    seeds: Answer = "unknown"
    logprobs: Answer = "unknown"

    def lines(self) -> list[str]:
        """The same for people, a line each."""
        asked = (
            ("names the model among its own", self.listed),
            ("streams a reply", self.streams),
            ("gives two different choices when asked for two", self.several),
            ("gives the same reply to the same seed", self.seeds),
            ("tells log-probabilities", self.logprobs),
        )
        return [f"{answer:<8}{what}" for what, answer in asked]


def probe(address: Address, *, silence: float = SILENCE) -> Verdict:
    """Ask the server what is needed and what is nice to know: five requests at most."""
    listed = _is_listed(address, silence)
    try:
        first = _pieces(address, silence)
    except Unanswered as error:
        return Verdict(_why_not(address, silence, str(error)), listed=listed)
    if not first[-1].strip():
        return Verdict("It replies without a word.", listed=listed)
    return Verdict(
        listed=listed,
        streams=_yes(len(first) > 1),
        several=_gives_several(address, silence),
        seeds=_repeats(address, silence, first[-1]),
        logprobs=_tells_logprobs(address, silence),
    )


def _why_not(address: Address, silence: float, sentence: str) -> str:
    """Whether it is the streaming alone that it cannot do."""
    if _choices(address, silence):
        return "It replies but does not stream, and talks show words as they are written."
    return sentence


def _is_listed(address: Address, silence: float) -> Answer:
    told = _call(address, "GET", "/models", None, silence)
    rows = told.get("data") if isinstance(told, dict) else None
    if not isinstance(rows, list):
        return "unknown"
    return _yes(address.model in [row.get("id") for row in rows if isinstance(row, dict)])


def _pieces(address: Address, silence: float) -> list[str]:
    """The reply as it grew, each piece longer than the one before. Raises Unanswered."""
    stream = serving.stream(address, ASKED, _SAMPLER, silence=silence, most_seconds=2 * silence)
    return list(dict.fromkeys(piece.text for piece in stream))


def _repeats(address: Address, silence: float, before: str) -> Answer:
    try:
        return _yes(_pieces(address, silence)[-1] == before)
    except Unanswered:
        return "unknown"


def _gives_several(address: Address, silence: float) -> Answer:
    found = _choices(address, silence, n=2)
    if not found:
        return "unknown"
    return _yes(len(found) == 2 and found[0].get("message") != found[1].get("message"))


def _tells_logprobs(address: Address, silence: float) -> Answer:
    found = _choices(address, silence, logprobs=True)
    return _yes(bool(found[0].get("logprobs"))) if found else "unknown"


def _choices(address: Address, silence: float, **more: Any) -> list[dict[str, Any]]:
    """The choices of a reply that is not streamed; none where it is refused."""
    body = {
        "model": address.model,
        "messages": ASKED,
        "temperature": _SAMPLER.temperature,
        "max_tokens": _SAMPLER.max_new_tokens,
        "seed": _SAMPLER.seed,
        **more,
    }
    told = _call(address, "POST", "/chat/completions", body, silence)
    rows = told.get("choices") if isinstance(told, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _call(address: Address, method: str, path: str, body: Any, silence: float) -> Any:
    """The JSON that it answers; None for a refusal, and for anything that is no JSON."""
    try:
        connection, base = outbound.connect(address.url)
    except outbound.Unreachable:
        return None
    connection.sock.settimeout(silence)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if address.key:
        headers["Authorization"] = f"Bearer {address.key}"
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, base + path, body=sent, headers=headers)
        response = connection.getresponse()
        return json.loads(_read(response, silence)) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, silence: float) -> bytes:
    """All of it, within bounds: a server may be broken, or mean no good. Raises ValueError."""
    until, found = time.monotonic() + 2 * silence, b""
    while piece := response.read1(1 << 16):
        found += piece
        if len(found) > LONGEST or time.monotonic() > until:
            raise ValueError("the answer has no end")
    return found


def _yes(holds: bool) -> Answer:
    return "yes" if holds else "no"
