"""The form of a batch of checkpoints: which steps of a run, and what raters compare them with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate.forms import option_field
from labeling.models import Campaign
from training.configs import CheckpointsConfig

STEPS = "steps"


class CheckpointsForm(forms.Form):
    """``steps`` are those that can be had now, the newest first; prompts are the campaign's."""

    def __init__(
        self, campaign: Campaign, steps: Sequence[int], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields[STEPS] = forms.TypedMultipleChoiceField(
            label=_("Steps"),
            choices=[(str(step), str(step)) for step in steps],
            coerce=int,
            initial=[str(step) for step in steps[:1]],
            widget=forms.SelectMultiple(attrs={"size": max(2, min(8, len(steps)))}),
            error_messages={"invalid_choice": _("Step %(value)s is gone: the run goes on.")},
        )
        for option in dataclasses.fields(CheckpointsConfig):
            self.fields[option.name] = option_field(option, option.default)
        self.fields["prompt_set"] = forms.TypedChoiceField(
            label=_("Prompt set"), choices=_sets(campaign), coerce=int, initial=0
        )

    def options(self) -> dict[str, Any]:
        """As training.checkpoint_batches.ask takes them."""
        named = (option.name for option in dataclasses.fields(CheckpointsConfig))
        return {name: self.cleaned_data[name] for name in named}


def _sets(campaign: Campaign) -> list[tuple[int, Any]]:
    return [(0, _("All prompts")), *campaign.prompt_sets.order_by("pk").values_list("pk", "name")]
