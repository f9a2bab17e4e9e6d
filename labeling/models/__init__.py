"""The domain of human judgement, as tables. Each is written only by the module named after it.

Ids in these tables never reach a rater: an Assignment has a random public id of its own.
"""

from labeling.models.asked import CardQuestion
from labeling.models.boards import BoardPlace
from labeling.models.campaigns import (
    Campaign,
    GuidelinesConfirmed,
    GuidelineVersion,
    QuestionVersion,
)
from labeling.models.checks import (
    Contest,
    Gold,
    GoldResult,
    Qualification,
)
from labeling.models.comparisons import (
    Assignment,
    Comparison,
    ComparisonCompletion,
    Seat,
)
from labeling.models.completions import (
    Completion,
    SamplingBatch,
)
from labeling.models.consents import ConsentGiven, ConsentVersion
from labeling.models.earnings import PayDispute, PayRate, PayrollLine, PayrollPeriod
from labeling.models.groups import GroupMember, RaterGroup
from labeling.models.invitations import Acceptance, Invitation, Knock, PasswordRequest
from labeling.models.iterations import (
    Iteration,
    IterationEvent,
    Promotion,
    Snapshot,
)
from labeling.models.labels import (
    Boundary,
    Flag,
    Label,
    RaterText,
)
from labeling.models.notices import Notice, NoticeMail, Watch
from labeling.models.people import (
    Membership,
    User,
)
from labeling.models.pilots import (
    Pilot,
    PilotItem,
)
from labeling.models.prompts import (
    ImportBatch,
    Prompt,
    PromptSet,
)
from labeling.models.quotas import Quota
from labeling.models.reviews import (
    Adjudication,
    Dispute,
    DisputeCursor,
    Exclusion,
    Redaction,
    SendBack,
    SetAside,
)
from labeling.models.spend import (
    Budget,
    SpendPoint,
)
from labeling.models.talks import (
    TALK_WAITS,
    Conversation,
    Reply,
    Turn,
    waits_until,
)
from labeling.models.tallies import Tally, TallyCursor
from labeling.models.tokens import Token, TokenAnswer, TokenUse
from labeling.models.webhooks import Webhook, WebhookAttempt, WebhookMessage

__all__ = [
    "PayRate",
    "PayrollPeriod",
    "PayrollLine",
    "PayDispute",
    "CardQuestion",
    "BoardPlace",
    "Acceptance",
    "Adjudication",
    "Assignment",
    "Boundary",
    "Budget",
    "Campaign",
    "Comparison",
    "ComparisonCompletion",
    "Completion",
    "ConsentGiven",
    "ConsentVersion",
    "Contest",
    "Conversation",
    "Dispute",
    "DisputeCursor",
    "Exclusion",
    "Flag",
    "GroupMember",
    "Gold",
    "GoldResult",
    "GuidelineVersion",
    "GuidelinesConfirmed",
    "ImportBatch",
    "Invitation",
    "Iteration",
    "IterationEvent",
    "Knock",
    "Label",
    "Membership",
    "PasswordRequest",
    "Pilot",
    "PilotItem",
    "Promotion",
    "Prompt",
    "PromptSet",
    "Qualification",
    "QuestionVersion",
    "RaterGroup",
    "Quota",
    "RaterText",
    "Redaction",
    "Reply",
    "SamplingBatch",
    "Seat",
    "SendBack",
    "SetAside",
    "Snapshot",
    "SpendPoint",
    "TALK_WAITS",
    "Tally",
    "TallyCursor",
    "Token",
    "TokenAnswer",
    "TokenUse",
    "Turn",
    "User",
    "Notice",
    "NoticeMail",
    "Watch",
    "Webhook",
    "WebhookAttempt",
    "WebhookMessage",
    "waits_until",
]
