"""What one iteration came to, as figures for ``run_loop``'s report and a line of its table."""

from __future__ import annotations

import json
import math
from typing import Any

from django.db.models import Q, Sum

from labeling import agreement, snapshots
from labeling.models import Iteration
from models_runtime import jobs
from models_runtime.models import Job
from models_runtime.records import STRENGTHS
from training.models import Evaluation

POLICY_FIGURES = (
    "win_rate",
    "tie_rate",
    "win_rate_low",
    "win_rate_high",
    "proxy_win_rate",
    "facts_right",
    "facts_right_low",
    "facts_right_high",
    "distinct_2",
    "kl",
    "mean_length",
    "valid_text",
)
COLUMNS = ("iteration", "labels", "agree", "rm acc", "win rate", "95 %", "proxy", "facts", "valid",
           "KL", "seconds")  # fmt: skip
WIDTHS = (9, 7, 7, 7, 9, 13, 7, 7, 7, 6, 8)


def header() -> str:
    return " ".join(name.rjust(width) for name, width in zip(COLUMNS, WIDTHS, strict=True))


def line(figures: dict[str, Any], seconds: float) -> str:
    """One row of the table; a figure that is not there is a dash."""
    policy = figures["policy"]
    cells = (
        str(figures["iteration"]),
        str(figures["labels"]),
        _hundredths(figures["agreement"]["percent"]),
        _percent(figures["reward_model"]["accuracy"]),
        _percent(policy["win_rate"]),
        f"{_percent(policy['win_rate_low'])} - {_percent(policy['win_rate_high'])}",
        _percent(policy["proxy_win_rate"]),
        _percent(policy["facts_right"]),
        _percent(policy["valid_text"]),
        f"{policy['kl']:.1f}",
        f"{seconds:.0f}",
    )
    return " ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))


def figures(iteration: Iteration) -> dict[str, Any]:
    """The iteration's part of the report. Raises ValueError when it was not evaluated."""
    evaluation = iteration.evaluations.exclude(result={}).order_by("-id").first()
    run = iteration.runs.filter(role="policy").order_by("-id").first()
    if evaluation is None or run is None:
        raise ValueError(f"Iteration {iteration.number} was not evaluated.")
    metrics = evaluation.result["metrics"]
    return {
        "iteration": iteration.number,
        "state": iteration.state,
        "labels": iteration.labels_people + iteration.labels_others,
        "agreement": agreement_of(iteration),
        "reward_model": _reward_model(iteration),
        "policy": {"method": run.method, **{name: metrics.get(name) for name in POLICY_FIGURES}},
        "first_policy": _first_policy(evaluation),
        "self_win_rate": metrics["self_win_rate"],
        "self_pairs": metrics["self_pairs"],
        "cpu_seconds": _cpu_seconds(iteration),
    }


def strength_slope(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Does reward-model correctness rise with rated strength? Counts and accuracy by strength,
    and the slope of a logistic regression with its p, over the pairs of all iterations."""
    pairs = [
        pair
        for report in reports
        for iteration in report["iterations"]
        for pair in iteration["reward_model"]["pairs"]
    ]
    found = agreement.logistic_slope(
        [pair["correct"] for pair in pairs], [pair["strength"] for pair in pairs]
    )
    by_strength = {name: [p for p in pairs if p["strength"] == name] for name in STRENGTHS}
    return {
        "n": len(pairs),
        "slope": _number(found.slope),
        "standard_error": _number(found.se),
        "p": _number(found.p),
        "by_strength": {
            name: {"n": len(rows), "accuracy": _mean([row["correct"] for row in rows])}
            for name, rows in by_strength.items()
        },
    }


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def agreement_of(iteration: Iteration) -> dict[str, Any]:
    """Of two simulated raters on one comparison, how often they prefer the same completion."""
    rows = snapshots.judged(iteration.campaign, only=iteration.number)
    found = agreement.agreement(rows, source="simulated").directed
    return {
        "percent": _number(100 * found.mean),
        "low": _number(100 * found.low),
        "high": _number(100 * found.high),
        "n": found.n,
    }


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def _reward_model(iteration: Iteration) -> dict[str, Any]:
    """Held-out figures of the policy's reward model, with each pair for pooling."""
    run = iteration.runs.filter(role="reward_model").select_related("job").order_by("-id").first()
    if run is None or run.job.state != "succeeded":
        raise ValueError(f"Iteration {iteration.number} has no trained reward model.")
    metrics = run.job.result["metrics"]
    with (jobs.output_folder(run.job) / "heldout.jsonl").open(encoding="utf-8") as lines:
        pairs = [json.loads(line) for line in lines]
    return {
        **{name: metrics[name] for name in ("n", "accuracy", "accuracy_by_strength")},
        "this_iteration": metrics["this_iteration"],
        "length_baseline": metrics["length_baseline"],
        # This iteration's own: a pair counts once, however many reports are pooled.
        "pairs": [
            {name: pair[name] for name in ("comparison_id", "strength", "correct")}
            for pair in pairs
            if pair["iteration"] == iteration.number
        ],
    }


def _first_policy(evaluation: Evaluation) -> dict[str, Any]:
    """The start's own figures, for what must not get worse."""
    first = evaluation.result["policies"]["first"]
    return {name: first[name] for name in POLICY_FIGURES if name in first}


def _cpu_seconds(iteration: Iteration) -> float:
    owners = (
        Q(sampling_batch__iteration=iteration)
        | Q(training_run__iteration=iteration)
        | Q(evaluation__iteration=iteration)
    )
    total = Job.objects.filter(owners).aggregate(total=Sum("cpu_seconds"))["total"]
    return float(total or 0.0)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _hundredths(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"
