"""Forms of questions about cards: a rater's, and a lead's answer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.forms import RequestForm
from labeling import card_questions
from labeling.card_questions import Reply


class AskForm(RequestForm):
    text = forms.CharField(
        max_length=card_questions.LONGEST,
        error_messages={"required": _("Write your question first.")},
    )


class AnswerForm(forms.Form):
    """Who reads the answer, and in which words the question stands beside it."""

    READERS = [
        ("asker", _("the one who asked")),
        ("all", _("all raters of the campaign")),
        ("guidelines", _("all raters, and it enters the guidelines as a new version")),
    ]
    answer = forms.CharField(
        label=_("Your answer, in Markdown"),
        max_length=card_questions.LONGEST_ANSWER,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        error_messages={"required": _("Write an answer first.")},
    )
    readers = forms.ChoiceField(label=_("Who reads it"), choices=READERS, initial="asker")
    told = forms.CharField(
        label=_("The question, in your own words"),
        required=False,
        max_length=card_questions.LONGEST,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("For everybody to read: the rater's own words stay between you and them."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("readers") in ("all", "guidelines") and not data.get("told"):
            said = _("Write the question in your own words, so that everybody can read it.")
            self.add_error("told", said)
        return data

    def reply(self) -> Reply:
        data = self.cleaned_data
        told = "" if data["readers"] == "asker" else data["told"]
        enters = data["readers"] == "guidelines"
        return Reply(data["answer"], told, gettext("Questions and answers") if enters else "")
