"""Reward model by regression on the points that raters gave to single answers (HelpSteer, 2023).

Each answer goes forward once and its reward is pulled to its points, which are standardised over
the training rows, so that the same learning rates fit whatever the scale. It is measured as any
reward model is: by whether it orders held-out answers of one comparison as their points do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, pstdev

import torch

from models_runtime.chat import Encoded
from models_runtime.jobdir import BadInput
from models_runtime.loading import load_reward_model
from models_runtime.phrases import phrase
from models_runtime.records import Rated, jsonl_line
from training.configs import RegressionConfig
from training.data import RATINGS, Encoder, Group, Pair, read_ratings
from training.long_prompts import Room
from training.loop import Loop, Sums
from training.losses import squared_error
from training.mixture import drawn_from
from training.references import References
from training.reward_models import NORMALISATION, head_scores
from training.reward_report import judge, measure
from training.scoring import rewards
from training.task import Task


@dataclass(frozen=True)
class Example:
    """An answer and its points: the mean over raters, from 0 to 1, or standardised."""

    row: Encoded
    points: float


def train(task: Task) -> None:
    """Inputs policy and snapshot (with ratings.jsonl) -> a reward model in output."""
    policy = task.job.input_path("policy")
    config: RegressionConfig = task.config
    encoder = Encoder.of(policy, config)
    ratings = read_ratings(task.job.input_path("snapshot"))
    _require_aspect(ratings, config.aspect)
    kept = drawn_from(task, read_ratings)
    held = [row for row in ratings if _is_heldout(row, task)]
    held, _ = Room(task).kept(held, ratings, RATINGS)
    examples = rated_examples(kept, config.aspect, encoder, task.dropped)
    task.require(examples)
    mean, sd = _spread_of(examples)
    references = References.of(task, encoder, kept, [example.row for example in examples])
    torch.manual_seed(task.seed)  # the head is drawn here
    fresh = load_reward_model(policy, for_training=True, place=task.place)
    model = task.adapters.put_on(fresh)
    standardised = [Example(one.row, (one.points - mean) / sd) for one in examples]
    last = Loop(task, model, standardised, RegressionObjective()).run()
    rows = judge(model, by_points(held, config.aspect, encoder))
    unseen = rated_examples(held, config.aspect, encoder, Counter())
    normalisation = references.normalisation(model)
    published = {"heldout.jsonl": "".join(map(jsonl_line, rows))}
    task.publish_model(
        model, encoder.tokenizer, {**published, NORMALISATION: normalisation.text()}
    )
    metrics = measure(rows, task.selection.iteration)
    metrics["points"] = {"mean": mean, "sd": sd, **_error(model, unseen, mean, sd)}
    metrics["normalisation"] = {"mean": normalisation.mean, "sd": normalisation.sd}
    metrics["train"] = last
    task.finish(metrics, len(examples), encoder.prompts_cut)


class RegressionObjective:
    """The mean over answers of the squared distance of reward and points."""

    def units(self, example: Example) -> float:
        return 1.0

    def sums(self, model: torch.nn.Module, examples: Sequence[Example]) -> Sums:
        scores = rewards(model, [example.row for example in examples])
        targets = scores.new_tensor([example.points for example in examples])
        losses = squared_error(scores, targets)
        count = float(len(examples))
        return Sums(losses.sum(), {"rewards/mean": (scores.detach().sum().item(), count)})


def rated_examples(
    ratings: Iterable[Rated], aspect: str, encoder: Encoder, dropped: Counter[str]
) -> list[Example]:
    """Each answer that has points for the aspect, in the order of the snapshot."""
    examples = []
    for rated in ratings:
        points = points_for(rated, aspect)
        row = _encode(rated, encoder)
        if points is None:
            dropped["no points"] += 1
        elif row is None:
            dropped["too long"] += 1
        else:
            examples.append(Example(row, points))
    return examples


def points_for(rated: Rated, aspect: str) -> float | None:
    """The aspect's points, under its whole name or the part behind the dot."""
    if not aspect:
        return rated.overall
    named = {name: value for name, value in rated.points.items() if _names(aspect, name)}
    return fmean(named.values()) if named else None


def by_points(ratings: Iterable[Rated], aspect: str, encoder: Encoder) -> list[Group]:
    """The answers of each comparison as pairs, ordered by their points; equal ones are none."""
    groups: dict[int, list[tuple[Rated, Encoded, float]]] = defaultdict(list)
    for rated in ratings:
        points, row = points_for(rated, aspect), _encode(rated, encoder)
        if points is not None and row is not None:
            groups[rated.comparison_id].append((rated, row, points))
    found = [_group(members) for members in groups.values()]
    return [group for group in found if group.pairs]


def _group(members: list[tuple[Rated, Encoded, float]]) -> Group:
    rated = members[0][0]
    group = Group(rated.prompt_id, [row for _, row, _ in members])
    for one, other in combinations(range(len(members)), 2):
        gap = members[one][2] - members[other][2]
        if gap:
            ends = (one, other) if gap > 0 else (other, one)
            group.pairs.append(Pair(*ends, None, 1.0, rated.comparison_id, rated.iteration))
    return group


def _encode(rated: Rated, encoder: Encoder) -> Encoded | None:
    ended = rated.completion.finish_reason != "length"
    return encoder.encode(rated.messages, rated.completion.text, ended=ended)


def _names(aspect: str, name: str) -> bool:
    return aspect in (name, name.rpartition(".")[2])


def _require_aspect(ratings: Sequence[Rated], aspect: str) -> None:
    known = sorted({name for row in ratings for name in row.points})
    if aspect and not any(_names(aspect, name) for name in known):
        raise BadInput(
            phrase(
                "The snapshot has no points for the aspect %(aspect)s; it has %(known)s.",
                aspect=repr(aspect),
                known=", ".join(known) or phrase("none"),
            )
        )


def _spread_of(examples: Sequence[Example]) -> tuple[float, float]:
    """Mean and standard deviation of the points. Raises BadInput when all are the same."""
    points = [example.points for example in examples]
    sd = pstdev(points)
    if sd == 0:
        raise BadInput(
            phrase(
                "All %(n)s rated answers have the same points, so there is nothing to learn.",
                n=len(points),
            )
        )
    return fmean(points), sd


def _is_heldout(rated: Rated, task: Task) -> bool:
    selection = task.selection
    seen = selection.split == "train" and rated.iteration <= selection.iteration
    return seen and rated.split == "heldout"


def _error(
    model: torch.nn.Module, heldout: Sequence[Example], mean: float, sd: float
) -> dict[str, float | None]:
    """On held-out answers, in shares of the scale: the root of the mean squared error, and that of
    always saying the training rows' mean."""
    if not heldout:
        return {"rmse": None, "rmse_of_the_mean": None}
    scores = head_scores(model, [example.row for example in heldout])
    own = [(mean + sd * score[0] - one.points) for score, one in zip(scores, heldout, strict=True)]
    constant = [mean - one.points for one in heldout]
    return {"rmse": _root_mean_square(own), "rmse_of_the_mean": _root_mean_square(constant)}


def _root_mean_square(errors: Sequence[float]) -> float:
    return fmean(error * error for error in errors) ** 0.5
