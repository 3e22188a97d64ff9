"""Writes tests/golden/configurations.json: log-likelihoods of small models whose files say things in many ways.

    python tests/golden/configurations.py tests/golden/configurations.json

Needs torch, transformers, safetensors, gguf and xllamacpp. Every weight follows from its name and index by whole
numbers (see `values`), so that the test can write the same files. Each case is a change of the configuration, of the
tensors or of the GGUF keys. Its result is the mean negative log-likelihood of TOKENS from START on: by Python
transformers (eager, f32) for folders, by llama.cpp (caches in f32) for GGUF files, null where the reference refuses it.
"""

import json
import os
import sys
import tempfile
import urllib.request
from importlib.metadata import version

import gguf
import numpy as np
import torch
import transformers
import xllamacpp
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

HIDDEN, INTERMEDIATE, LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCAB, CONTEXT = 32, 48, 2, 4, 2, 8, 64, 256
TOKENS = [(7 * i * i + 3 * i + 1) % VOCAB for i in range(40)]
START = 20


def values(name, shape):
    """Numbers from -1/2 to 1/2 by the name's bytes and the index, scaled for what the tensor is."""
    seed = sum((i + 1) * byte for i, byte in enumerate(name.encode()))
    i = np.arange(int(np.prod(shape)), dtype=np.int64)
    unit = ((i * 7919 + seed * 104729 + i * i * 31) % 65537).astype(np.float32) / np.float32(65536) - np.float32(0.5)
    if name.endswith("norm.weight"):
        unit = unit * np.float32(0.5) + np.float32(1)
    elif "q_proj" in name or "k_proj" in name:
        unit = unit * np.float32(2)
    return unit.reshape(shape)


def tensors(qkv_bias=False, o_bias=False, mlp_bias=False, qk_norm=False, head=False):
    query, key = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    shapes = {"model.embed_tokens.weight": [VOCAB, HIDDEN], "model.norm.weight": [HIDDEN]}
    if head:
        shapes["lm_head.weight"] = [VOCAB, HIDDEN]
    for i in range(LAYERS):
        layer = {"input_layernorm.weight": [HIDDEN], "post_attention_layernorm.weight": [HIDDEN]}
        for name, out, inputs, bias in [
            ("self_attn.q_proj", query, HIDDEN, qkv_bias),
            ("self_attn.k_proj", key, HIDDEN, qkv_bias),
            ("self_attn.v_proj", key, HIDDEN, qkv_bias),
            ("self_attn.o_proj", HIDDEN, query, o_bias),
            ("mlp.gate_proj", INTERMEDIATE, HIDDEN, mlp_bias),
            ("mlp.up_proj", INTERMEDIATE, HIDDEN, mlp_bias),
            ("mlp.down_proj", HIDDEN, INTERMEDIATE, mlp_bias),
        ]:
            layer[name + ".weight"] = [out, inputs]
            if bias:
                layer[name + ".bias"] = [out]
        if qk_norm:
            layer["self_attn.q_norm.weight"] = layer["self_attn.k_norm.weight"] = [HEAD_DIM]
        shapes.update({f"model.layers.{i}.{name}": shape for name, shape in layer.items()})
    return {name: values(name, shape) for name, shape in shapes.items()}


LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LINEAR = {"type": "linear", "factor": 4.0}
MIXED = ["full_attention", "sliding_attention"]
WINDOW = {"sliding_window": 16, "use_sliding_window": True}

# Name, family, changes of the configuration, kinds of tensor beside the usual ones.
FOLDERS = [
    ("plain", "llama", {}, []),
    ("attention and MLP biases", "llama", {"attention_bias": True, "mlp_bias": True},
     ["qkv_bias", "o_bias", "mlp_bias"]),
    ("tied, with a head of its own", "llama", {}, ["head"]),
    ("untied", "llama", {"tie_word_embeddings": False}, ["head"]),
    ("theta in rope_parameters", "llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}, []),
    ("linear beside default parameters", "llama",
     {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "rope_scaling": LINEAR}, []),
    ("llama3", "llama", {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 32}}, []),
    ("llama3, length at the top first", "llama",
     {"original_max_position_embeddings": 16, "rope_scaling": {**LLAMA3, "original_max_position_embeddings": 32}}, []),
    ("llama3, length of the context", "llama", {"rope_scaling": LLAMA3}, []),
    ("mistral, window null", "mistral", {"sliding_window": None}, []),
    ("mistral, window 16", "mistral", {"sliding_window": 16}, []),
    ("qwen2, window off", "qwen2", {"sliding_window": 16, "max_window_layers": 0}, ["qkv_bias"]),
    ("qwen2, first sliding layer absent", "qwen2", WINDOW, ["qkv_bias"]),
    ("qwen2, second layer slides", "qwen2", {**WINDOW, "max_window_layers": 1}, ["qkv_bias"]),
    ("qwen2, no layer slides", "qwen2", {**WINDOW, "max_window_layers": 2}, ["qkv_bias"]),
    ("qwen3, types say full", "qwen3",
     {**WINDOW, "max_window_layers": 0, "layer_types": ["full_attention"] * 2}, ["qk_norm"]),
    ("qwen3, types say the second slides", "qwen3", {**WINDOW, "layer_types": MIXED}, ["qk_norm"]),
    ("qwen3, types too few", "qwen3", {**WINDOW, "layer_types": ["full_attention"]}, ["qk_norm"]),
]

# Name, keys below `llama.`, kinds of tensor beside the usual ones.
FILES = [
    ("plain", {}, []),
    ("linear", {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, []),
    ("factor without a type", {"rope.scaling.factor": 4.0}, []),
    ("factor under its old name", {"rope.scale_linear": 4.0}, []),
    ("factor of zero", {"rope.scaling.factor": 0.0}, []),
    ("type none with a factor", {"rope.scaling.type": "none", "rope.scaling.factor": 4.0}, []),
    ("divisors", {}, ["divisors"]),
    ("divisors and linear", {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, ["divisors"]),
    ("attention and MLP biases", {}, ["qkv_bias", "o_bias", "mlp_bias"]),
    ("own head", {}, ["head"]),
]

DIVISORS = [1.0, 2.0, 4.0, 8.0]
MODULES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}


def configuration(family, changes):
    common = {
        "model_type": family, "architectures": [family.capitalize() + "ForCausalLM"], "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "vocab_size": VOCAB,
        "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
        "bos_token_id": 0, "eos_token_id": 0,
    }
    if "rope_parameters" not in changes:
        common["rope_theta"] = 10000.0
    return {**common, **changes}


def of_transformers(folder, family, changes, kinds):
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(configuration(family, changes), file)
    saved = {name: torch.from_numpy(value) for name, value in tensors(**{kind: True for kind in kinds}).items()}
    save_file(saved, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        with torch.no_grad():
            likely = torch.log_softmax(model(torch.tensor([TOKENS])).logits[0].double(), -1)
    except Exception:
        return None
    return -sum(likely[i - 1, TOKENS[i]].item() for i in range(START, len(TOKENS))) / (len(TOKENS) - START)


def gguf_name(name):
    if name.startswith("model.layers."):
        _, _, layer, rest = name.split(".", 3)
        module, kind = rest.rsplit(".", 1)
        return f"blk.{layer}.{MODULES[module]}.{kind}"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
            "lm_head.weight": "output.weight"}[name]


def interleave(name, value):
    """The order of rows that llama.cpp's RoPE wants of Llama."""
    heads = {"q_proj": HEADS, "k_proj": KV_HEADS}.get(name.split(".")[-2])
    if heads is None:
        return value
    halves = value.reshape(heads, 2, HEAD_DIM // 2, *value.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(value.shape))


def of_llama_cpp(path, keys, kinds):
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in {
        "context_length": CONTEXT, "embedding_length": HIDDEN, "feed_forward_length": INTERMEDIATE,
        "block_count": LAYERS, "attention.head_count": HEADS, "attention.head_count_kv": KV_HEADS,
        "rope.dimension_count": HEAD_DIM,
    }.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    for key, value in keys.items():
        add = writer.add_string if isinstance(value, str) else writer.add_float32
        add(f"llama.{key}", value)
    writer.add_string("tokenizer.ggml.model", "llama")
    writer.add_array("tokenizer.ggml.tokens", ["<unk>"] + [f"t{i}" for i in range(1, VOCAB)])
    writer.add_array("tokenizer.ggml.scores", [0.0] * VOCAB)
    writer.add_array("tokenizer.ggml.token_type", [2] + [1] * (VOCAB - 1))
    if "divisors" in kinds:
        writer.add_tensor("rope_freqs.weight", np.array(DIVISORS, dtype=np.float32))
    for name, value in tensors(**{kind: True for kind in kinds if kind != "divisors"}).items():
        writer.add_tensor(gguf_name(name), interleave(name, value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_gpu_layers, params.fit_params = path, CONTEXT, 0, False
    params.cpuparams.n_threads = 1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(params)
    total = 0.0
    for i in range(START, len(TOKENS)):
        # The bias makes one token of whole characters, with which probabilities are reported; they are those before it.
        body = {
            "prompt": TOKENS[:i], "n_predict": 1, "n_probs": VOCAB, "logit_bias": [[1, 200.0]], "cache_prompt": False,
        }
        request = urllib.request.Request(
            server.listening_address + "/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        found = json.load(urllib.request.urlopen(request))["completion_probabilities"][0]["top_logprobs"]
        total -= {entry["id"]: entry["logprob"] for entry in found}[TOKENS[i]]
    return total / (len(TOKENS) - START)


def main(output):
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    folders, files = [], []
    for name, family, changes, kinds in FOLDERS:
        with tempfile.TemporaryDirectory() as folder:
            nll = of_transformers(folder, family, changes, kinds)
        folders.append({"name": name, "config": configuration(family, changes), "tensors": kinds, "nll": nll})
    for name, keys, kinds in FILES:
        with tempfile.TemporaryDirectory() as folder:
            nll = of_llama_cpp(os.path.join(folder, "model.gguf"), keys, kinds)
        files.append({"name": name, "keys": keys, "tensors": kinds, "nll": nll})
    golden = {
        "script": "tests/golden/configurations.py",
        "versions": {name: version(name) for name in ["gguf", "torch", "transformers", "xllamacpp"]},
        "tokens": TOKENS, "start": START, "divisors": DIVISORS, "folders": folders, "files": files,
    }
    with open(output, "w") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
