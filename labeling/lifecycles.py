"""The state machines of human judgement, as data. ``models_runtime.states.advance`` moves rows."""

CAMPAIGN = {
    "draft": ("open",),
    "open": ("paused", "closed"),
    "paused": ("open", "closed"),
    "closed": (),
}
# Pausing is a mark beside the state (paused_at), so that it can happen in any of them.
ITERATION = {
    "draft": ("sampling",),
    "sampling": ("collecting", "failed"),
    "collecting": ("training", "failed"),
    "training": ("evaluating", "failed"),
    "evaluating": ("review", "failed"),
    "review": ("promoted", "rejected", "failed"),
    "promoted": (),
    "rejected": (),
    # Retried, back to where it failed from, or given up: only then may the next one start.
    "failed": ("sampling", "collecting", "training", "evaluating", "review", "rejected"),
}
ASSIGNMENT = {
    "leased": ("submitted", "skipped", "expired"),
    "submitted": ("leased",),
    "skipped": ("leased",),
    "expired": ("leased", "submitted"),
}
COMPARISON = {
    "open": ("complete", "discarded", "withdrawn"),
    "complete": ("open", "discarded", "withdrawn"),
    # Personal data, says a rater: handed to nobody until a lead decides.
    "withdrawn": ("open", "complete", "discarded"),
    "discarded": ("open", "complete"),  # a lead takes the decision back
}
EXCLUSION = {
    "applying": ("applied", "lifting"),
    "applied": ("lifting",),
    "lifting": ("lifted",),
    "lifted": (),
}
COMPLETION = {
    "pending": ("partial", "done", "failed"),
    "partial": ("done", "failed"),
    "done": (),
    "failed": ("pending",),
}
IMPORT_BATCH = {"staged": ("live", "discarded"), "live": ("discarded",), "discarded": ()}
