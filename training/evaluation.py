"""The evaluate job: a candidate policy against the first one and its parent, on held-out prompts.

Inputs: candidate, first, parent (optional), reward_model (optional, the judging one: trained on
labels that the policy's never saw), prompts, first_samples (optional: an earlier evaluation's
output, which saves sampling the first policy again).

All policies decode alike with different seeds, and every sample of one is compared with every
sample of the other on the same prompt. ``win_rate`` is by the demo world's noise-free utility
where ``world`` is set, else by the judging reward model; ``proxy_win_rate`` always by the latter.
A tie, identical texts among them, counts one half. Intervals are clustered by item.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models_runtime import world
from models_runtime.chat import Encoded
from models_runtime.jobdir import JobDir, publish, write_atomically
from models_runtime.loading import context_length_in, load_policy, load_tokenizer
from models_runtime.records import Sampler, jsonl_line, read_jsonl
from training.configs import EvaluationConfig, Guards, parse_evaluation
from training.intervals import clustered_mean
from training.length import share_of_gain
from training.reward_models import RewardModel
from training.sampling import Sample, encoded, read_prompts, sample
from training.scoring import in_batches, logps_at
from training.texts import repeats

FIRST_SAMPLES = "first.jsonl"
FIRST_KEY = "first.json"
SHOWN = {"first": "first policy"}  # in a progress bar: "12 / 45 prompts, first policy"
PERCENTILE = 99.0  # perplexity above this share of the first policy's own samples is invalid


@dataclass(frozen=True)
class Drawn:
    """All samples of one policy, with what is known about them; arrays are [prompts, k]."""

    samples: list[Sample]
    values: dict[str, np.ndarray[Any, Any]]  # by judge: utility, reward
    perplexity: np.ndarray[Any, Any]  # under the first policy, temperature 1, EOS included
    kl: float  # mean of log pi - log pi_first over the samples, at the sampling temperature


class Evaluation:
    """One evaluate job: what it compares, and how it samples."""

    def __init__(self, job: JobDir, config: EvaluationConfig, seed: int) -> None:
        self.job = job
        self.config = config
        self.seed = seed
        self.prompts = read_prompts(job.input_path("prompts"))
        self.first = job.input_path("first")
        self.has_judge = "reward_model" in job.inputs()
        self.prompts_cut = 0  # as the models that look at them see them
        self.items = [prompt.item or str(prompt.id) for prompt in self.prompts]

    # --- sampling ------------------------------------------------------------------------

    def sample(self, name: str, draw: int) -> list[Sample]:
        """Samples of the policy that is the input ``name``; each draw has a seed of its own."""
        c = self.config
        sampler = Sampler(
            name, c.samples_per_prompt, c.temperature, c.top_p, c.max_new_tokens,
            self.seed * 10 + draw,
        )  # fmt: skip
        folder = self.job.input_path(name)
        label, unit = f"{name} samples {draw}", f"prompts, {SHOWN.get(name, name)} {draw}"
        return sample(self.job, label, folder, self.prompts, sampler, c.sampling_batch, unit)

    def first_samples(self) -> tuple[list[Sample], list[Sample]]:
        """Two independent draws of the first policy, from an earlier evaluation if it fits."""
        found = self._earlier_first_samples()
        rows = found or self.sample("first", 1) + self.sample("first", 2)
        half = len(rows) // 2
        return rows[:half], rows[half:]

    def _earlier_first_samples(self) -> list[Sample]:
        if "first_samples" not in self.job.inputs():
            return []
        folder = self.job.input_path("first_samples")
        key = folder / FIRST_KEY
        if not key.is_file() or json.loads(key.read_text("utf-8")) != self.first_key():
            return []
        return list(read_jsonl(folder / FIRST_SAMPLES, Sample))

    def first_key(self) -> dict[str, Any]:
        """What the first policy's samples depend on; others are not reused."""
        c = self.config
        asked = "".join(map(jsonl_line, self.prompts))
        weights = self.job.inputs()["first"].sha256
        return {
            "weights": weights or str(self.first),
            "prompts": hashlib.sha256(asked.encode()).hexdigest(),
            "sampling": [c.samples_per_prompt, c.temperature, c.top_p, c.max_new_tokens],
        }

    # --- scoring -------------------------------------------------------------------------

    def drawn(self, name: str, samples: list[Sample]) -> Drawn:
        """Utilities, rewards, perplexities and KL of a policy's samples."""
        shape = (len(self.prompts), self.config.samples_per_prompt)
        own, first = self._logps(name, samples)
        lengths = np.array([len(one.ids) for one in samples])
        with np.errstate(over="ignore"):
            perplexity = np.exp(-first[:, 0] / lengths).reshape(shape)
        values = {name: row.reshape(shape) for name, row in self._values(samples).items()}
        return Drawn(samples, values, perplexity, float((own[:, 1] - first[:, 1]).mean()))

    def _logps(
        self, name: str, samples: list[Sample]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """(under the policy itself, under the first one), each [samples, 2]: at temperature 1
        and at the sampling temperature."""
        first = self._logps_under(self.first, samples)
        if name == "first":
            return first, first
        return self._logps_under(self.job.input_path(name), samples), first

    def _logps_under(self, folder: Path, samples: list[Sample]) -> np.ndarray[Any, Any]:
        self.job.check_stop()
        rows = self._rows(folder, samples)
        score = logps_at((1.0, self.config.temperature))
        return np.array(in_batches(score, load_policy(folder), rows))

    def _rows(self, folder: Path, samples: list[Sample]) -> list[Encoded]:
        """As the model in folder sees them. Raises nothing for a prompt beyond its context: it is
        cut as the sampler cut it, and counted."""
        longest = self.config.max_new_tokens
        context = context_length_in(folder)
        rows, cut = encoded(load_tokenizer(folder), self.prompts, samples, context, longest)
        self.prompts_cut = max(self.prompts_cut, cut)
        return rows

    def _values(self, samples: list[Sample]) -> dict[str, np.ndarray[Any, Any]]:
        values = {}
        if self.config.world:
            item = {prompt.id: prompt.item for prompt in self.prompts}
            worth = [world.utility(item[one.prompt_id], one.text) for one in samples]
            values["utility"] = np.array(worth)
        if self.has_judge:
            values["reward"] = self._rewards(samples)
        return values

    def _rewards(self, samples: list[Sample]) -> np.ndarray[Any, Any]:
        """Texts the judge sees alike get one score, whatever batch they would have been in."""
        self.job.check_stop()
        folder = self.job.input_path("reward_model")
        rows = self._rows(folder, samples)
        distinct = {tuple(row.ids): row for row in rows}
        scores = RewardModel(folder).score(list(distinct.values())).rewards
        by_ids = dict(zip(distinct, scores, strict=True))
        return np.array([by_ids[tuple(row.ids)] for row in rows])

    # --- comparing -----------------------------------------------------------------------

    def compare(self, one: Drawn, other: Drawn) -> dict[str, Any]:
        """Wins of one over other, every sample against every sample of the same prompt."""
        same = _identical(one.samples, other.samples, len(self.prompts))
        result: dict[str, Any] = {"pairs": int(same.size), "identical": int(same.sum())}
        for judge, prefix in (("utility", "utility_"), ("reward", "proxy_")):
            if judge in one.values:
                result |= self._outcome(one.values[judge], other.values[judge], same, prefix)
        if "reward" in one.values:
            result |= _gain(other, one)
        prefix = "utility_" if self.config.world else "proxy_"
        names = ("win_rate", "win_rate_low", "win_rate_high", "tie_rate")
        return {**result, **{name: result.get(prefix + name) for name in names}}

    def _outcome(
        self,
        one: np.ndarray[Any, Any],
        other: np.ndarray[Any, Any],
        same: np.ndarray[Any, Any],
        prefix: str,
    ) -> dict[str, float | None]:
        gap = np.where(same, 0.0, one[:, :, None] - other[:, None, :])
        tied = np.abs(gap) < 1e-9
        score = np.where(tied, 0.5, gap > 0)
        estimate = clustered_mean(score.mean(axis=(1, 2)), self.items)
        return {
            f"{prefix}win_rate": estimate.mean,
            f"{prefix}win_rate_low": estimate.low,
            f"{prefix}win_rate_high": estimate.high,
            f"{prefix}tie_rate": float(tied.mean()),
        }

    def describe(self, drawn: Drawn, perplexity_limit: float) -> dict[str, Any]:
        """Figures of one policy by itself."""
        valid = self._valid(drawn, perplexity_limit)
        lengths = np.array([len(one.ids) for one in drawn.samples])
        right = self._facts(drawn.samples)
        return {
            "valid_text": float(valid.mean()),
            "truncated": _share(drawn.samples, lambda one: one.finish_reason == "length"),
            "empty": _share(drawn.samples, lambda one: not one.text.strip()),
            "mean_length": float(lengths.mean()),
            "distinct_2": distinct_2([one.text for one in drawn.samples]),
            "duplicates": _duplicates(drawn.samples),
            "kl": drawn.kl,
            "perplexity": float(np.median(drawn.perplexity)),
            "facts_right": right.mean,
            "facts_right_low": right.low,
            "facts_right_high": right.high,
            "facts": right.n,
            **{f"mean_{judge}": float(v.mean()) for judge, v in drawn.values.items()},
        }

    def _valid(self, drawn: Drawn, limit: float) -> np.ndarray[Any, Any]:
        ended = [one.finish_reason == "eos" for one in drawn.samples]
        good = [bool(one.text.strip()) and not repeats(one.text) for one in drawn.samples]
        return np.array(ended) & np.array(good) & (drawn.perplexity.ravel() <= limit)

    def _facts(self, samples: list[Sample]) -> Any:
        """The share of facts stated correctly; null outside the demo world."""
        right, items = [], []
        item = {prompt.id: prompt.item for prompt in self.prompts}
        for one in samples if self.config.world else []:
            verdict = world.is_right(item[one.prompt_id], one.text)
            if verdict is not None:
                right.append(float(verdict))
                items.append(item[one.prompt_id])
        return clustered_mean(right, items)

    def panel(self, drawn: dict[str, Drawn]) -> list[dict[str, Any]]:
        """The first sample of every policy on one prompt of each of the first items, always the
        same ones."""
        k = self.config.samples_per_prompt
        firsts = sorted({item: n for n, item in reversed(list(enumerate(self.items)))}.values())
        return [
            {
                "prompt_id": self.prompts[number].id,
                "item": self.prompts[number].item,
                "messages": self.prompts[number].messages,
                **{name: one.samples[number * k].text for name, one in drawn.items()},
            }
            for number in firsts[: self.config.panel]
        ]


def run(job: JobDir, spec: dict[str, Any]) -> None:
    """Evaluate, publish the samples, write result.json. Raises BadInput or BadOption."""
    config = parse_evaluation(spec.get("config", {}))
    seed = int(spec.get("seed", 0))
    resolved = {"options": dataclasses.asdict(config), "seed": seed}
    write_atomically(job.folder / "config.json", json.dumps(resolved, sort_keys=True))
    torch.manual_seed(seed)
    evaluation = Evaluation(job, config, seed)
    one, two = evaluation.first_samples()
    drawn = {"candidate": evaluation.drawn("candidate", evaluation.sample("candidate", 3))}
    drawn["first"] = evaluation.drawn("first", one)
    again = evaluation.drawn("first", two)
    if "parent" in config.against and "parent" in job.inputs():
        drawn["parent"] = _parent(evaluation, drawn["first"])
    result = _result(evaluation, drawn, again)
    _publish(evaluation, drawn, two)
    job.finish(result)


def _parent(evaluation: Evaluation, first: Drawn) -> Drawn:
    """In the first iteration the parent is the first policy: its samples serve for both."""
    inputs = evaluation.job.inputs()
    if inputs["parent"].path == inputs["first"].path:
        return first
    return evaluation.drawn("parent", evaluation.sample("parent", 4))


def _result(evaluation: Evaluation, drawn: dict[str, Drawn], again: Drawn) -> dict[str, Any]:
    limit = float(np.percentile(drawn["first"].perplexity, PERCENTILE))
    policies = {name: evaluation.describe(one, limit) for name, one in drawn.items()}
    names = [name for name in evaluation.config.against if name in drawn]
    against = {name: evaluation.compare(drawn["candidate"], drawn[name]) for name in names}
    own = evaluation.compare(drawn["first"], again)
    metrics = {**policies["candidate"], **against.get("first", {})}
    metrics |= {"self_win_rate": own["win_rate"], "self_pairs": own["pairs"]}
    return {
        "metrics": metrics,
        "dropped": {},
        "prompts_cut": evaluation.prompts_cut,
        "rows": len(drawn["candidate"].samples),
        "policies": policies,
        "against": against,
        "self": own,
        "judged_by": "utility" if evaluation.config.world else "reward_model",
        "kl_estimator": "k1 at the sampling temperature, nats a completion",
        "perplexity_limit": limit,
        "guards": verdicts(evaluation.config.guards, policies["candidate"], policies["first"]),
        "panel": evaluation.panel(drawn),
    }


def _publish(evaluation: Evaluation, drawn: dict[str, Drawn], again: list[Sample]) -> None:
    """output/: every policy's samples, and the first policy's two draws for the next time."""
    with publish(evaluation.job.output) as folder:
        for name, one in drawn.items():
            rows = one.samples + (again if name == "first" else [])
            text = "".join(map(jsonl_line, rows))
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
        (folder / FIRST_KEY).write_text(json.dumps(evaluation.first_key()), encoding="utf-8")


def verdicts(
    guards: Guards, candidate: dict[str, Any], first: dict[str, Any]
) -> list[dict[str, Any]]:
    """[{"name", "value", "limit", "ok", "sentence"}] for every guard that is switched on."""
    growth = candidate["mean_length"] / max(1e-9, first["mean_length"])
    rows = [
        ("valid_text", candidate["valid_text"], guards.valid_text, "least",
         "{value:.1%} of the samples are valid text; at least {limit:.1%} must be."),
        ("kl", candidate["kl"], guards.kl, "most",
         "The policy is {value:.1f} nats from the first one; at most {limit:.1f} are allowed."),
        ("length_growth", growth, guards.length_growth, "most",
         "Answers are {value:.2f} times as long as at first; at most {limit:.2f} is allowed."),
        ("duplicates", candidate["duplicates"], guards.duplicates, "most",
         "{value:.1%} of the samples repeat another; at most {limit:.1%} may."),
    ]  # fmt: skip
    return [_verdict(*row) for row in rows if row[2] >= 0]


def _verdict(name: str, value: float, limit: float, side: str, sentence: str) -> dict[str, Any]:
    """A value that is no number fails its guard."""
    ok = value >= limit if side == "least" else value <= limit
    said = sentence.format(value=value, limit=limit)
    return {
        "name": name,
        "value": value if math.isfinite(value) else None,
        "limit": limit,
        "ok": bool(ok),
        "sentence": said,
    }


def _gain(before: Drawn, after: Drawn) -> dict[str, float | None]:
    """How much more the reward model gives, and which share of that length explains."""
    scored = [_by_length(drawn) for drawn in (before, after)]
    found = share_of_gain(*scored)
    return {"proxy_gain": found["gain"], "proxy_gain_by_length": found["by_length"]}


def _by_length(drawn: Drawn) -> list[tuple[int, float]]:
    given = drawn.values["reward"].ravel().tolist()
    return [(len(one.ids), reward) for one, reward in zip(drawn.samples, given, strict=True)]


def distinct_2(texts: Sequence[str]) -> float:
    """Distinct word pairs over all word pairs (Li et al., 2016); 0 where there is none."""
    pairs = [pair for text in texts for pair in zip(text.split(), text.split()[1:], strict=False)]
    return len(set(pairs)) / len(pairs) if pairs else 0.0


def _duplicates(samples: Sequence[Sample]) -> float:
    """The share of samples whose text an earlier sample of the same prompt already has."""
    return 1 - len({(one.prompt_id, one.text) for one in samples}) / len(samples)


def _share(samples: Sequence[Sample], test: Callable[[Sample], bool]) -> float:
    return sum(map(test, samples)) / len(samples)


def _identical(
    one: Sequence[Sample], other: Sequence[Sample], prompts: int
) -> np.ndarray[Any, Any]:
    """Bool [prompts, k, k]: whether two samples of a prompt have the same text."""
    left = np.array([row.text for row in one], dtype=object).reshape(prompts, -1)
    right = np.array([row.text for row in other], dtype=object).reshape(prompts, -1)
    return np.asarray(left[:, :, None] == right[:, None, :], dtype=bool)
