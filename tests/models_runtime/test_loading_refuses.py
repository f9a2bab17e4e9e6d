"""A model folder that is unsafe or broken is refused with one sentence that names the fault."""

from __future__ import annotations

import json
import shutil
import tracemalloc

import pytest
import torch

from models_runtime import loading
from models_runtime.jobdir import BadInput
from tests.models_runtime.tiny import DEMO_POLICY, make_job, run_entry, tiny_policy


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return tiny_policy(tmp_path_factory.mktemp("tiny") / "policy")


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "policy")


def edit(path, **changes):
    data = json.loads(path.read_text("utf-8"))
    data.update(changes)
    path.write_text(json.dumps({k: v for k, v in data.items() if v is not None}), "utf-8")


def refusal(folder) -> str:
    with pytest.raises(BadInput) as caught:
        loading.check_policy(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def test_the_demo_policy_is_accepted_with_its_facts():
    facts = loading.check_policy(DEMO_POLICY)
    assert facts["architecture"] == "LlamaForCausalLM"
    assert facts["parameters"] == 430_752
    assert facts["context_length"] == 256
    assert len(facts["template_sha256"]) == len(facts["tokenizer_sha256"]) == 64
    assert sum(p.stat().st_size for p in DEMO_POLICY.iterdir()) < 1_500_000


def test_facts_match_the_loaded_model(sound):
    facts = loading.check_policy(sound)
    assert facts["parameters"] == sum(p.numel() for p in loading.load_policy(sound).parameters())


def test_no_folder_and_no_config(tmp_path, folder):
    assert refusal(tmp_path / "nowhere") == f"There is no model folder at {tmp_path / 'nowhere'}."
    (folder / "config.json").unlink()
    assert refusal(folder) == "The model folder has no config.json."


def test_config_that_is_not_json(folder):
    (folder / "config.json").write_text("{", "utf-8")
    assert refusal(folder) == "config.json is not valid JSON."


@pytest.mark.parametrize("name", ["pytorch_model.bin", "m.pt", "m.pth", "sub/m.pkl"])
def test_a_pickle_is_refused_before_anything_is_read(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\x80\x04.")
    assert refusal(folder).startswith(f"{name} may run code when it is read (a pickle)")
    with pytest.raises(BadInput, match="pickle"):
        loading.load_policy(folder)


def test_code_is_refused(folder):
    (folder / "modeling.py").write_text("raise SystemExit\n", "utf-8")
    assert refusal(folder).startswith("modeling.py is code")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_auto_map_is_refused(folder, name):
    edit(folder / name, auto_map={"AutoModel": "modeling.Mine"})
    assert "auto_map" in refusal(folder)
    with pytest.raises(BadInput, match="auto_map"):
        loading.load_policy(folder)


def test_an_unknown_or_unfit_model_type(folder):
    edit(folder / "config.json", model_type="martian")
    assert refusal(folder) == "The model type martian is not known to this version."
    edit(folder / "config.json", model_type="llama", architectures=["LlamaModel"])
    assert refusal(folder) == "The model is not a causal language model (LlamaModel)."


@pytest.mark.parametrize(
    "header",
    [[1, 2], {}, {"w": 1}, {"w": {"shape": "zz", "data_offsets": [0, 0]}}, {"w": {"shape": [1]}}],
)
def test_a_header_of_the_wrong_shape(folder, header):
    raw = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw)
    assert refusal(folder) == "model.safetensors is torn or not a safetensors file."


def test_a_header_that_claims_gigabytes_is_not_read(folder):
    with (folder / "model.safetensors").open("wb") as handle:
        handle.write((1 << 30).to_bytes(8, "little"))
        handle.truncate(1 << 31)
    tracemalloc.start()
    try:
        assert refusal(folder) == "model.safetensors is torn or not a safetensors file."
        assert tracemalloc.get_traced_memory()[1] < 1 << 28
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("named", ["LlamaForCausalLM", [3], {}, []])
def test_an_architecture_of_the_wrong_shape(folder, named):
    edit(folder / "config.json", architectures=named)
    assert refusal(folder)


def test_no_weights_and_torn_weights(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    for length in (len(whole) - 1, 1000, 4):
        weights.write_bytes(whole[:length])
        assert refusal(folder).startswith("model.safetensors is torn")
    weights.unlink()
    assert refusal(folder) == "The model folder has no weights in safetensors."


def test_a_weight_that_is_missing_is_never_random(folder, sound):
    edit(folder / "config.json", num_hidden_layers=3)
    with pytest.raises(BadInput, match=r"model\.layers\.2.*is missing"):
        loading.load_policy(folder)


def test_no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()
    assert refusal(folder) == "The model folder has no tokenizer."


def test_no_chat_template(folder):
    (folder / "chat_template.jinja").unlink()
    assert refusal(folder) == "The tokenizer has no chat template."


def test_a_template_without_eos_after_the_assistants_turn(folder):
    text = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(text, "utf-8")
    assert "writes no end token (<|end|>)" in refusal(folder)


def test_a_template_that_fails(folder):
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}", "utf-8")
    assert refusal(folder).startswith("The chat template fails (no)")


def test_padding_with_eos_and_no_padding_token(folder):
    edit(folder / "tokenizer_config.json", pad_token="<|end|>")
    assert refusal(folder).startswith("The tokenizer pads with its end token (EOS)")
    edit(folder / "tokenizer_config.json", pad_token=None)
    assert refusal(folder).startswith("The tokenizer has no padding token")


def test_a_tokenizer_with_more_tokens_than_embeddings(folder):
    edit(folder / "config.json", vocab_size=100)
    assert refusal(folder) == "The tokenizer has more tokens than the model has embeddings."


def test_the_tokenizer_pads_left_and_models_come_ready(sound):
    assert loading.load_tokenizer(sound).padding_side == "left"
    policy = loading.load_policy(sound)
    assert not policy.training
    assert not any(p.requires_grad for p in policy.parameters())
    trainee = loading.load_policy(sound, for_training=True)
    assert trainee.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in trainee.parameters())


def test_a_reward_model_starts_from_a_policy_and_comes_back_as_saved(sound, tmp_path):
    torch.manual_seed(1)
    model = loading.load_reward_model(sound, for_training=True)
    assert model.score.weight.shape == (1, 32)
    assert 0.5 < float(model.score.weight.std().detach()) * 33**0.5 < 1.5  # N(0, 1 / (d + 1))
    loading.save_reward_model(model, loading.load_tokenizer(sound), tmp_path / "reward")
    again = loading.load_reward_model(tmp_path / "reward")
    assert torch.equal(again.score.weight, model.score.weight)
    assert again.config.pad_token_id == 0


def test_the_registration_check_writes_the_facts(sound, tmp_path):
    job = make_job(tmp_path / "job", {"checkpoint": "policy"}, policy=sound)
    assert run_entry("models_runtime.loading", job)[0] == 0
    facts = json.loads((job / "attempt-1/result.json").read_text("utf-8"))
    assert facts == loading.check_policy(sound)


def test_the_registration_check_refuses_with_a_sentence(folder, tmp_path):
    (folder / "pytorch_model.bin").write_bytes(b"")
    job = make_job(tmp_path / "job", {"checkpoint": "policy"}, policy=folder)
    assert run_entry("models_runtime.loading", job)[0] == 64
    error = json.loads((job / "attempt-1/error.json").read_text("utf-8"))
    assert error["sentence"].startswith("pytorch_model.bin may run code")
    assert not (job / "attempt-1/result.json").exists()
