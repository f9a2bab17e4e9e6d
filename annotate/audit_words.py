"""What the audit log's verbs are in words. A verb is its own English; marked here, because what
writes it knows no page. tests/annotate/test_audit_words.py finds one that is missing."""

from __future__ import annotations

from models_runtime.phrases import phrase

VERBS = (
    phrase("campaign created"), phrase("campaign moved"), phrase("question revised"),
    phrase("guideline revised"), phrase("care settled"), phrase("pay settled"),
    phrase("prompts imported"), phrase("consent given"), phrase("consent withdrawn"),
    phrase("flag resolved"), phrase("comparison discarded"),
    phrase("iteration moved"), phrase("paused"), phrase("resumed"), phrase("freeze requested"),
    phrase("aggregation settled"), phrase("labels frozen"), phrase("preferences imported"),
    phrase("suggestions imported"), phrase("suggesters named"), phrase("suggesters hidden"),
    phrase("snapshot holds erased texts"),
    phrase("exported"), phrase("snapshot downloaded"), phrase("audit log exported"),
    phrase("project created"), phrase("person added"), phrase("role given"),
    phrase("role taken"), phrase("password reset"), phrase("password changed"),
    phrase("person deactivated"), phrase("person reactivated"), phrase("rater erased"),
    phrase("signed in"), phrase("signed out"), phrase("sign-in failed"),
    phrase("job submitted"), phrase("job moved"), phrase("job stop requested"),
    phrase("job run again"), phrase("run started"), phrase("checkpoint registered"),
    phrase("checkpoints asked about"), phrase("endpoint added"),
    phrase("pair graph started"), phrase("pair graph stopped"), phrase("pair graph resumed"),
    phrase("pair graph cancelled"),
    phrase("campaign cloned"), phrase("budget settled"), phrase("budget reached"),
    phrase("quotas settled"), phrase("queue settled"), phrase("overlap changed"),
    phrase("pilot begun"), phrase("pilot decided"),
    phrase("checks settled"), phrase("gold added"), phrase("gold imported"),
    phrase("gold corrected"), phrase("gold retired"), phrase("gold restored"),
    phrase("gold contested"), phrase("contest upheld"), phrase("contest rejected"),
    phrase("contest reopened"), phrase("test passed"), phrase("test not passed"),
    phrase("explanation read"), phrase("verdict read"), phrase("decision read"),
    phrase("sent to training"), phrase("test given again"), phrase("let in without test"),
    phrase("put into group"), phrase("taken out of group"),
    phrase("labels excluded"), phrase("exclusion applied"), phrase("exclusion lifted"),
    phrase("comparison withdrawn"), phrase("comparison put back"),
    phrase("decision taken back"), phrase("label sent back"), phrase("send back taken back"),
    phrase("comparison decided"), phrase("labels let back"), phrase("personal data redacted"),
    phrase("card question asked"), phrase("card question answered"),
    phrase("card answer withdrawn"),
    phrase("invitation made"), phrase("invitation revoked"), phrase("invitation accepted"),
    phrase("person signed up"), phrase("account described"), phrase("consent published"),
    phrase("consent accepted"), phrase("guidelines confirmed"),
    phrase("guideline confirmation settled"), phrase("order settled"),
    phrase("group made"), phrase("group renamed"),
    phrase("group removed"), phrase("password link drawn"), phrase("password set by link"),
    phrase("person's data downloaded"), phrase("rater anonymised"),
    phrase("pay disputed"), phrase("pay dispute withdrawn"), phrase("pay dispute answered"),
    phrase("board switched"), phrase("board place chosen"),
    phrase("payroll closed"), phrase("payroll downloaded"),
    phrase("webhook added"), phrase("webhook changed"), phrase("webhook removed"),
    phrase("webhook secret drawn"), phrase("webhook switched on"), phrase("webhook switched off"),
    phrase("webhook tested"), phrase("webhook message sent again"),
    phrase("token made"), phrase("token revoked"),
)  # fmt: skip
# Where an act came from.
CHANNELS = (phrase("page"), phrase("worker"), phrase("command line"), phrase("API"))
