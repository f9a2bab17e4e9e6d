"""Words that rows, jobs and results carry as data and pages show: marked here for translation,
because where they are made knows no page. Pages show them through the filter ``translated``."""

from __future__ import annotations

from models_runtime.phrases import phrase

# Of every state machine (labeling.lifecycles, models_runtime.states).
STATES = (
    phrase("draft"), phrase("open"), phrase("paused"), phrase("closed"), phrase("sampling"),
    phrase("collecting"), phrase("training"), phrase("evaluating"), phrase("review"),
    phrase("promoted"), phrase("rejected"), phrase("failed"), phrase("leased"),
    phrase("submitted"), phrase("skipped"), phrase("expired"), phrase("complete"),
    phrase("discarded"), phrase("pending"), phrase("partial"), phrase("done"), phrase("staged"),
    phrase("live"), phrase("queued"), phrase("running"), phrase("stopped"), phrase("succeeded"),
    phrase("cancelled"), phrase("registering"), phrase("ready"), phrase("missing"),
    phrase("deleted"), phrase("withdrawn"), phrase("applying"), phrase("applied"),
    phrase("lifting"), phrase("lifted"),
)  # fmt: skip
# Beside states, in events.
EVENTS = (phrase("resumed"), phrase("retried"), phrase("raters talk with the models"))
# Who labelled, what an answer says, and how strongly.
ANSWERS = (
    phrase("person"), phrase("program"), phrase("simulated"), phrase("tie"), phrase("both bad"),
    phrase("significantly"), phrase("better"), phrase("slightly"), phrase("negligibly"),
)  # fmt: skip
# What jobs count (the unit of their bars), their queues, and how a text ended.
JOBS = (
    phrase("prompts"), phrase("completions"), phrase("labels"), phrase("steps"),
    phrase("embeddings"), phrase("comparisons"), phrase("rows"), phrase("texts"),
    phrase("default"), phrase("eos"), phrase("length"), phrase("stop"), phrase("cut off"),
    phrase("answers judged"),
)  # fmt: skip
# What a snapshot counts, and why a comparison gives no preference.
COUNTS = (
    phrase("late"), phrase("not counted"), phrase("kept"), phrase("flagged"), phrase("tied"),
    phrase("aggregated"),
    phrase("identical texts"), phrase("too long"), phrase("empty"),
    phrase("no label that counts"), phrase("no majority"), phrase("several turns"),
    phrase("preferences"), phrase("erased"), phrase("erased pairs"),
    phrase("superseded"), phrase("by source"),
)  # fmt: skip
# How pairs are selected (models_runtime.pairing), and question types (labeling.questions).
STRATEGIES = (
    phrase("random"), phrase("easy"), phrase("hard"), phrase("centroid"), phrase("across"),
)  # fmt: skip
QUESTION_TYPES = (
    phrase("pairwise"), phrase("ranking"), phrase("rating"), phrase("flags"),
    phrase("safety bin"), phrase("thumbs"), phrase("confidence"), phrase("checklist"),
    phrase("criteria"), phrase("rationale"), phrase("critique"), phrase("rewrite"),
    phrase("demonstration"), phrase("prompt writing"), phrase("conversation"), phrase("arena"),
    phrase("red team"),
)  # fmt: skip
# The filters of a run's data by name (training.configs.filters), what they may be, and what an
# imported set counts.
FILTERS = (
    phrase("Least strength"), phrase("Least agreement"), phrase("Tags"), phrase("Without tags"),
    phrase("Categories"), phrase("Since"), phrase("Until"), phrase("Without raters"),
    phrase("Duplicates"), phrase("any"), phrase("keep"), phrase("drop"), phrase("imported"),
)  # fmt: skip
# The options of recipes and of checkpoints put to raters, and why pairs of models are left out.
RECIPES = (
    phrase("Strong"), phrase("Weak"), phrase("Strong prompt"), phrase("Weak prompt"),
    phrase("Least gap"), phrase("Against"), phrase("Comparisons"), phrase("Prompt set"),
    phrase("Tag"), phrase("each other"), phrase("rewards alike"), phrase("checkpoints"),
)  # fmt: skip
# The options of training methods by name (training.configs), and what they may be.
OPTIONS = (
    phrase("Learning rate"), phrase("Epochs"), phrase("Batch size"), phrase("Micro batch size"),
    phrase("Schedule"), phrase("Final learning rate"), phrase("Warmup"), phrase("Weight decay"),
    phrase("Max grad norm"), phrase("Max length"), phrase("Max new tokens"),
    phrase("Save every"), phrase("Optimizer"), phrase("Margin"), phrase("Ties"),
    phrase("Mean over"), phrase("Centring"), phrase("Beta"), phrase("Reference"), phrase("K"),
    phrase("Temperature"), phrase("Top p"), phrase("Keep"), phrase("Prompts"),
    phrase("Sampling batch"), phrase("cosine"), phrase("linear"), phrase("constant"),
    phrase("drop"), phrase("half"), phrase("stated"), phrase("first"), phrase("parent"),
    phrase("Loss"), phrase("Shared prefix"), phrase("Heads"), phrase("Normalise"),
    phrase("Aspect"), phrase("Label smoothing"), phrase("Tau"), phrase("Discopop tau"),
    phrase("Margin weight"), phrase("Variant"), phrase("Alpha"), phrase("Momentum"),
    phrase("Gamma"), phrase("Odds weight"), phrase("Delta"), phrase("Likelihood weight"),
    phrase("Learn from"), phrase("Desirable weight"), phrase("Undesirable weight"),
    phrase("Earlier"), phrase("Reward"), phrase("Safety model"), phrase("Missing EOS penalty"),
    phrase("Guard"), phrase("Guard KL"), phrase("Guard valid text"),
    phrase("Guard length growth"), phrase("Rounds"), phrase("Rollouts"), phrase("KL coef"),
    phrase("KL target"), phrase("KL horizon"), phrase("Lam"), phrase("Clip"),
    phrase("Value clip"), phrase("Value coef"), phrase("Value"), phrase("Whiten rewards"),
    phrase("PTX coef"), phrase("PTX ratio"), phrase("Unbiased KL"), phrase("Standardise"),
    phrase("none"), phrase("small"), phrase("large"), phrase("all"), phrase("pairs"),
    phrase("auto"), phrase("on"), phrase("off"), phrase("answers"), phrase("demonstrations"),
    phrase("samples"), phrase("ratings"), phrase("model"), phrase("piecewise"), phrase("reward"),
    phrase("Phrases"), phrase("Good phrase"), phrase("Bad phrase"), phrase("Masked"),
    phrase("Teacher"), phrase("Preprompt"), phrase("Preprompts"), phrase("Mined"), phrase("Rise"),
    phrase("warn"), phrase("separate"), phrase("shared"), phrase("group"), phrase("batch"),
    phrase("Panel"), phrase("Best metric"), phrase("Patience"), phrase("Eval every"),
    phrase("Tensorboard"), phrase("Adapter"), phrase("Lora rank"), phrase("Lora alpha"),
    phrase("Lora targets"), phrase("Lora dropout"), phrase("Judge"), phrase("Judge rubric"),
    phrase("Judge calls"), phrase("Judge at once"), phrase("Judge seconds"),
    phrase("Judge failures"), phrase("judge"), phrase("Check memory"), phrase("Long prompts"),
    phrase("refuse"), phrase("cut"), phrase("Prompt tokens"), phrase("Prompt text"),
    phrase("Mixed precision"), phrase("Activation checkpointing"), phrase("Guard chosen"),
    phrase("Guard prompts"), phrase("Guard every"), phrase("Guard disagreement"),
    phrase("Packing"), phrase("Precompute reference"), phrase("Select"), phrase("Share"),
    phrase("per_prompt"), phrase("global"),
)  # fmt: skip
