"""What the training methods are called on pages, and where each comes from."""

from __future__ import annotations

import re

from django.utils.translation import gettext_lazy as _

from training.configs import METHODS

# Method -> (title, what it is and whose defaults it has), in the order of menus.
TITLES = {
    "raft": (
        _("Best of K, fine-tuned (RAFT)"),
        _(
            "Best-of-K fine-tuning. Defaults: RAFT (Dong et al., 2023), rejection sampling "
            "(Llama 2)."
        ),
    ),
    "dpo": (
        _("Direct preference optimisation (DPO)"),
        _("Direct preference optimisation. Defaults: Rafailov et al. (2023)."),
    ),
    "sft": (
        _("Supervised fine-tuning (SFT)"),
        _("Supervised fine-tuning, loss on completion tokens only. Defaults: Llama 2 (2023)."),
    ),
    "odpo": (
        _("DPO with margins by strength (ODPO)"),
        _(
            "A pair that was rated stronger is to be learned by a wider margin. Defaults: "
            "Amini et al. (2024)."
        ),
    ),
    "tdpo": (
        _("Token-level DPO (TDPO)"),
        _("The distance from the reference counts at every token. Defaults: Zeng et al. (2024)."),
    ),
    "beta_dpo": (
        _("DPO with a moving beta (β-DPO)"),
        _("Beta follows each batch, and outliers are left out. Defaults: Wu et al. (2024)."),
    ),
    "simpo": (
        _("Simple preference optimisation (SimPO)"),
        _(
            "Without a reference, answers compared by the mean of a token. Defaults: Meng et "
            "al. (2024)."
        ),
    ),
    "orpo": (
        _("Odds-ratio preference optimisation (ORPO)"),
        _(
            "Imitates the preferred answer and lowers the odds of the other, without a "
            "reference. Defaults: Hong et al. (2024)."
        ),
    ),
    "slic": (
        _("Sequence likelihood calibration (SLiC)"),
        _(
            "A margin between the likelihoods of both answers, without a reference. "
            "Defaults: Zhao et al. (2023)."
        ),
    ),
    "kto": (
        _("Kahneman-Tversky optimisation (KTO)"),
        _(
            "Learns from answers judged one by one, good or bad. Defaults: Ethayarajh et al. "
            "(2024)."
        ),
    ),
    "rrhf": (
        _("Rank responses (RRHF)"),
        _(
            "Orders the likelihoods of all answers as people ranked them. Defaults: Yuan et "
            "al. (2023)."
        ),
    ),
    "pro": (
        _("Preference ranking optimisation (PRO)"),
        _("Each answer of a ranking against all below it. Defaults: Song et al. (2023)."),
    ),
    "spin": (
        _("Self-play fine-tuning (SPIN)"),
        _("Learns to tell people's answers from its own. Defaults: Chen et al. (2024)."),
    ),
    "conditional": (
        _("Fine-tuning by quality"),
        _(
            "Imitates every answer under a phrase that says how good it is, and is then asked for "
            "the best. Defaults: those of fine-tuning (Llama 2, 2023)."
        ),
    ),
    "hindsight": (
        _("Chain of Hindsight"),
        _(
            "Imitates the better and the worse answer in a row, each after a phrase that says "
            "which it is. Defaults: Liu et al. (2023)."
        ),
    ),
    "distil": (
        _("Context distillation"),
        _(
            "Learns what a preprompt makes a teacher answer, where that is safer, without the "
            "preprompt. Defaults: Llama 2 (2023), Askell et al. (2021)."
        ),
    ),
    "ppo": (
        _("Proximal policy optimisation (PPO)"),
        _(
            "Samples answers and learns from their rewards. Defaults: InstructGPT (2022), "
            "Ziegler et al. (2019)."
        ),
    ),
    "ppo_ptx": (
        _("PPO with a share of imitation (PPO-ptx)"),
        _("PPO that imitates answers beside, against forgetting. Defaults: InstructGPT (2022)."),
    ),
    "grpo": (
        _("Group-relative policy optimisation (GRPO)"),
        _(
            "Rewards measured against other answers to the same prompt. Defaults: Shao et "
            "al. (2024)."
        ),
    ),
    "rloo": (
        _("REINFORCE leave-one-out (RLOO)"),
        _(
            "Rewards measured against the mean of the other answers. Defaults: Ahmadian et "
            "al. (2024)."
        ),
    ),
    "reward": (_("Reward model"), _("Learns to score answers from comparisons.")),
    "regression": (_("Reward model from ratings"), _("Learns to score answers from ratings.")),
}  # fmt: skip
# Recipe -> (title, what it is and whose defaults it has): graphs of jobs (training.pair_graphs).
RECIPE_TITLES = {
    "online_dpo": (
        _("Online iterative DPO"),
        _(
            "DPO on the policy's own samples, round after round: the best over the worst by a "
            "reward model. "
            "Defaults: Dong et al. (2024), Guo et al. (2024)."
        ),
    ),
    "contrast": (
        _("Contrast of a strong and a weak model"),
        _(
            "DPO on the answers of a better checkpoint, or under a better system prompt, over "
            "those of a weaker one. As RLCD (Yang et al., 2024); defaults: Rafailov et al. (2023)."
        ),
    ),
}
SCORERS = ("reward", "regression")  # they make a reward model, all others a policy
METHOD_TITLES = {name: title for name, (title, _about) in TITLES.items()}
ABOUT = {name: about for name, (_title, about) in TITLES.items()}
TUNERS = tuple(name for name in TITLES if name in METHODS and name not in SCORERS)
ACRONYMS = ("kl", "eos", "ptx")


def short_name(method: str) -> str:
    """What fits into a table: the abbreviation in which the title ends, as β-DPO; else it all."""
    title = str(METHOD_TITLES.get(method, method))
    found = re.search(r"\(([^()]+)\)$", title)
    return found[1] if found else title


def option_label(name: str) -> str:
    """An option's name as a label, in English: kl_coef is "KL coef"."""
    words = [word.upper() if word in ACRONYMS else word for word in name.split("_")]
    return words[0][:1].upper() + words[0][1:] + "".join(f" {word}" for word in words[1:])
