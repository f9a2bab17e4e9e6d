"""Forms of coming in: an invitation, signing up by it, the languages somebody reads, a forgotten
password, and a project's consent."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf.locale import LANG_INFO
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from annotate import language
from annotate.forms import RequestForm, RowsField, printable
from labeling import consents, invitations, password_mail, people
from labeling.invitations import Crowd, Terms
from labeling.models import Campaign, Invitation, Membership, RaterGroup, User
from labeling.people import NotPossible
from models_runtime.models import Project

# Each in its own words, by the first subtag of BCP 47; of Chinese Django names the scripts only.
_NAMED = {
    code: info["name_local"]
    for code, info in LANG_INFO.items()
    if "-" not in code and "name_local" in info
}
SPOKEN = sorted({**_NAMED, "zh": "中文"}.items(), key=lambda pair: pair[1].casefold())


class LanguagesField(forms.MultipleChoiceField):
    """The languages that somebody reads."""

    def __init__(self, **options: Any) -> None:
        given: dict[str, Any] = {
            "label": _("Languages you read well"),
            "choices": SPOKEN,
            "required": False,
            "widget": forms.SelectMultiple(attrs={"size": 6, "translate": "no"}),
            "help_text": _("Several with Ctrl or ⌘. You are asked about texts in these."),
        }
        super().__init__(**(given | options))


class NewPasswordField(forms.CharField):
    def __init__(self) -> None:
        super().__init__(
            label=_("Password"),
            strip=False,
            max_length=1000,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
            help_text=_(
                "At least eight characters, not only digits, and none of the passwords everybody "
                "uses."
            ),
        )


class AddressForm(forms.Form):
    """A mail address that nobody has to give, and what it is good for on this installation."""

    email = forms.EmailField(
        label=_("Mail address"),
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].help_text = (
            _("You need none; with one you can set a new password yourself.")
            if password_mail.can_send()
            else _("You need none: no mail is sent from here as yet.")
        )


class SignUpForm(AddressForm):
    """Somebody new, by an invitation."""

    field_order = ("username", "password", "email", "languages")

    username = forms.CharField(
        label=_("Name"),
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text=_("What you sign in with; your project's leads see it."),
    )
    password = NewPasswordField()
    languages = LanguagesField()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "username" in data:
            try:
                self.newcomer = people.newcomer(
                    data["username"],
                    email=data.get("email", ""),
                    languages=data.get("languages", []),
                )
            except NotPossible as error:
                self.add_error("username", language.said_by(error))
        if "password" in data and not self.errors:
            try:
                validate_password(data["password"], self.newcomer)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return data


class AboutForm(AddressForm, RequestForm):
    """What somebody says about themselves on their account page."""

    languages = LanguagesField()


class AskForm(forms.Form):
    email = forms.EmailField(
        label=_("Mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class SetPasswordForm(forms.Form):
    password = NewPasswordField()

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password, self.user)
        return password


class InvitationForm(forms.Form):
    """What a lead says about a link."""

    name = forms.CharField(
        label=_("What you call it"),
        max_length=100,
        validators=[printable],
        help_text=_("Only you and other leads see it: “Students, June”."),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Membership.ROLES, initial="rater")
    groups = RowsField(
        label=_("Groups and skills"), queryset=RaterGroup.objects.none(), required=False
    )
    campaign = forms.ModelChoiceField(
        label=_("Campaign to begin with"),
        queryset=Campaign.objects.none(),
        required=False,
        empty_label=_("the queue"),
    )
    places = forms.IntegerField(
        label=_("Places"), min_value=1, max_value=invitations.MOST_PLACES, initial=1
    )
    days = forms.IntegerField(
        label=_("Days it holds"), min_value=1, max_value=invitations.MOST_DAYS, initial=14
    )
    parameter = forms.RegexField(
        r"^[A-Za-z][A-Za-z0-9_]*$",
        label=_("Parameter with the participant's id"),
        required=False,
        max_length=40,
        help_text=_(
            "Of a crowd platform: PROLIFIC_PID for Prolific, workerId for Mechanical Turk."
        ),
        error_messages={"invalid": _("Letters, digits and _, a letter first.")},
    )
    answers = forms.IntegerField(
        label=_("Answers that earn the completion code"),
        required=False,
        min_value=1,
        max_value=1_000_000,
    )
    code = forms.CharField(
        label=_("Completion code"), required=False, max_length=100, validators=[printable]
    )
    url = forms.URLField(
        label=_("Address to go back to"),
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text=_("Shown with the code once the answers are given. It begins with https://."),
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = RaterGroup.objects.filter(project=project).order_by("kind", "name")
        field: Any = self.fields["groups"]
        field.queryset = rows
        campaigns: Any = self.fields["campaign"]
        campaigns.queryset = (
            Campaign.objects.filter(project=project).exclude(state="closed").order_by("name")
        )

    def terms(self) -> Terms:
        data = self.cleaned_data
        return Terms(
            name=data["name"],
            role=data["role"],
            groups=list(data["groups"]),
            campaign=data["campaign"],
            places=data["places"],
            days=data["days"],
            crowd=Crowd(data["parameter"], data["answers"] or 0, data["code"], data["url"]),
        )


class ParticipantForm(RequestForm):
    """What a crowd platform put into the address."""

    participant = forms.CharField(max_length=200, required=False, validators=[printable])

    @classmethod
    def of(cls, invitation: Invitation, query: Any) -> ParticipantForm:
        named = invitation.participant_parameter
        return cls({"participant": query.get(named, "") if named else ""})


class ConsentForm(forms.Form):
    """A project's consent in other words."""

    markdown = forms.CharField(
        label=_("What raters agree to"),
        required=False,
        max_length=consents.LONGEST,
        widget=forms.Textarea(attrs={"rows": 16, "class": "mono"}),
        help_text=_("Markdown. Empty: raters are asked for nothing."),
    )
    based_on = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
