"""What a snapshot freezes of one judged comparison, as the records that training reads. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from labeling import questions
from labeling.aggregation import Verdict, agreeing, source_of, voting
from labeling.exports import kto, sft
from labeling.judgements import SOURCES, Answer, Judged, JudgedCompletion
from models_runtime.records import (
    Demonstration,
    FinishReason,
    PreferenceRecord,
    Rated,
    SnapshotCompletion,
    under_system,
)


def preference(row: Judged, verdict: Verdict) -> PreferenceRecord:
    """Its line in preferences.jsonl, as the verdict on it has it."""
    voters = voting(row.answers)
    return PreferenceRecord(
        comparison_id=row.comparison,
        prompt_id=row.prompt,
        iteration=row.iteration,
        item=row.item,
        split=row.split,
        fold=row.fold,
        messages=under_system(row.messages, _shared_system_prompt(row)),
        completions=[_completion(c) for c in row.completions if not c.erased],
        preferences=verdict.preferences,
        ties=verdict.ties,
        labels=verdict.labels,
        source=verdict.source,
        agreement=agreeing(voters, verdict),
        **_filtered_by(row, voters),
    )


def _filtered_by(row: Judged, answers: Iterable[Answer]) -> dict[str, Any]:
    """What a run's filters read of the answers that a line is made of. Tags are the prompt's and
    the campaign's own words that raters chose (of a red team, of Llama 2's safety bins, of the
    criterion that decided), never what a rater typed."""
    given = list(answers)
    parts = [part for answer in given for part in answer.answer.get("parts", {}).values()]
    chosen = {tag for part in parts for tag in _chosen_tags(part)}
    return {
        "category": row.category,
        "tags": sorted({*row.tags, *chosen}),
        "labelled_at": max((answer.created_at for answer in given), default=""),
        "raters": sorted({answer.rater for answer in given}),
    }


def _chosen_tags(part: Mapping[str, Any]) -> list[str]:
    if part.get("type") == "red_team":
        return [*part.get("tags", []), *part.get("categories", [])]
    if part.get("type") == "criteria":
        return [f"decided:{part['decided']}"] if part.get("decided") else []
    return [part["bin"]] if part.get("type") == "safety_bin" else []


def demonstrations(row: Judged, counts: Counter[str]) -> Iterator[Demonstration]:
    """Its lines in demonstrations.jsonl: what raters wrote as answers. Where people answered,
    programs and simulated raters do not count. Only what is compared with something besides may
    be of the fold that judges: nobody judges by demonstrations."""
    people = [answer for answer in row.answers if answer.source == "person"]
    chosen = sft.Options(sources=("person",) if people else SOURCES)
    compared = any(answer.preferences or answer.ties for answer in row.answers)
    left_out: Counter[str] = Counter()
    by_label = {answer.label: answer for answer in row.answers}
    for found in sft.rows([row], chosen, left_out):
        counts[found["kind"]] += 1
        yield Demonstration(
            prompt_id=row.prompt,
            messages=under_system(
                row.messages, found["system_prompt"] or _shared_system_prompt(row)
            ),
            completion=found["completion"][0]["content"],
            item=row.item,
            split=row.split,
            fold=row.fold if compared else "policy",
            iteration=row.iteration,
            **_filtered_by(row, [by_label[found["label"]]]),
        )
    counts.update({why: left_out[why] for why in ("flagged", "erased") if left_out[why]})


def ratings(row: Judged, counts: Counter[str]) -> Iterator[Rated]:
    """Its lines in ratings.jsonl: every completion that votes gave points or a thumb."""
    voters = voting(row.answers)
    points, thumbs = _points(row, voters), kto.thumbs(voters)
    for completion in row.completions:
        given, up = points.get(completion.id, []), thumbs.get(completion.id, [])
        if not given and not up:
            continue
        why_not = _left_out(row, completion)
        counts[why_not or "completions"] += 1
        if not why_not:
            yield _rated(row, completion, given, up, voters)


def _points(row: Judged, voters: Iterable[Answer]) -> dict[int, list[dict[str, float]]]:
    """By completion id, what each voter gave it."""
    found: dict[int, list[dict[str, float]]] = defaultdict(list)
    for voter in voters:
        parts = row.asked.get(voter.question, {})
        said = questions.points_of(parts, voter.answer, voter.trains_on) if voter.answer else {}
        for pk, given in said.items():
            found[pk].append(given)
    return found


def _left_out(row: Judged, completion: JudgedCompletion) -> str:
    """Why what was said of it teaches nothing; empty where it does."""
    if row.flags:
        return "flagged"
    if completion.following:
        return "several turns"
    return "erased" if completion.erased else ""


def _rated(
    row: Judged,
    completion: JudgedCompletion,
    given: list[dict[str, float]],
    up: list[bool],
    voters: list[Answer],
) -> Rated:
    means = _means(given)
    even = 2 * up.count(True) == len(up)
    # Only what is compared can judge: the fold of the judge would train nothing here.
    compared = any(answer.preferences or answer.ties for answer in row.answers)
    return Rated(
        comparison_id=row.comparison,
        prompt_id=row.prompt,
        iteration=row.iteration,
        item=row.item,
        split=row.split,
        fold=row.fold if compared else "policy",
        messages=under_system(row.messages, completion.system_prompt),
        completion=_completion(completion),
        overall=means.pop("", None),
        points=means,
        desirable=None if even else 2 * up.count(True) > len(up),
        labels=max(len(given), len(up)),
        source=source_of(voters),
        **_filtered_by(row, voters),
    )


def _means(given: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """By aspect, in the order of the alphabet."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in given:
        for aspect, value in row.items():
            values[aspect].append(value)
    return {aspect: sum(of) / len(of) for aspect, of in sorted(values.items())}


def _completion(completion: JudgedCompletion) -> SnapshotCompletion:
    return SnapshotCompletion(
        completion.id,
        completion.text,
        completion.checkpoint,
        cast(FinishReason, completion.finish_reason),
        completion.on_policy,
    )


def _shared_system_prompt(row: Judged) -> str:
    """What every model that answered was asked under; none where they differ."""
    asked = {one.system_prompt for one in row.completions if not one.written}
    return asked.pop() if len(asked) == 1 else ""
