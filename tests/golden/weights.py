"""Writes the reference weights that tests/golden/weights.json holds.

    python tests/golden/weights.py MODEL.gguf tests/golden/weights.json

Loads the GGUF with transformers, which dequantises it and puts the query and key rows back into the
Hugging Face order, and records the first columns of some rows, with the sum of absolute values of
the whole tensor.
"""

import json
import os
import sys
from importlib.metadata import version

import torch
from transformers import AutoModelForCausalLM

ROWS = {
    "model.embed_tokens.weight": [0, 198, 49151],
    "model.norm.weight": None,
    "model.layers.0.input_layernorm.weight": None,
    "model.layers.0.self_attn.q_proj.weight": [0, 1, 31, 32, 63, 64, 575],
    "model.layers.0.self_attn.k_proj.weight": [0, 1, 31, 32, 63, 64, 191],
    "model.layers.0.self_attn.v_proj.weight": [0, 1, 191],
    "model.layers.17.self_attn.q_proj.weight": [5, 130],
    "model.layers.17.self_attn.o_proj.weight": [0, 575],
    "model.layers.29.mlp.gate_proj.weight": [1535],
    "model.layers.29.mlp.down_proj.weight": [575],
}
COLUMNS = 32


def main():
    path, target = sys.argv[1:]
    folder, name = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    state = model.state_dict()
    tensors = {}
    for key, rows in ROWS.items():
        tensor = state[key]
        picked = [tensor] if rows is None else [tensor[row] for row in rows]
        tensors[key] = {
            "shape": list(tensor.shape),
            "abs_sum": tensor.double().abs().sum().item(),
            "rows": rows or [0],
            "values": [row[:COLUMNS].tolist() for row in picked],
        }
    record = {
        "script": "tests/golden/weights.py",
        "model": name,
        "versions": {package: version(package) for package in ("torch", "transformers", "gguf")},
        "tensors": tensors,
    }
    with open(target, "w") as file:
        json.dump(record, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
