"""Golden choices of whole methods on the default model: what they keep of two prompts, given its own keys, values and queries.

    python tests/golden/kept.py MODEL.gguf tests/golden/kept.json

Loads the GGUF with transformers (dequantised to f32, eager attention) and runs 300 and 1,200 tokens of the project's own
prose. In some of the layers, kvpress scores the layer's real inputs, and KVCache-Factory's formulas (restated, it is not a
package) its queries and keys; the best quarter is kept. Equal scores, of which max pooling makes many, go by position.
Prompts are stored as token ids, so that the comparison does not depend on a tokenizer; what is kept as one hexadecimal
text per row (a layer, its KV heads or its query heads): bit p % 8 of byte p / 8 is position p.
"""

import json
import os
import sys
from importlib.metadata import version

import torch
from compress import kvcache_factory, pyramid_kvcf, top
from kvpress import KnormPress, ObservedAttentionPress, SnapKVPress, StreamingLLMPress, TOVAPress
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

LAYERS = [0, 8, 15, 22, 29]
PROMPTS = [("02-a-library-built-twice.txt", 300), ("01-harbour-walls.txt", 1200)]
# The windows of SnapKV's and PyramidKV's LongBench configurations; KVCache-Factory's H2O takes the latter.
SNAPKV_WINDOW, WINDOW = 32, 8


def bits(positions, length):
    held = bytearray((length + 7) // 8)
    for p in positions:
        held[p // 8] |= 1 << p % 8
    return held.hex()


def states(module, hidden, embeddings):
    """Rotated queries and keys of a layer, [1, heads, len, head_dim]."""
    shape = (*hidden.shape[:2], -1, module.head_dim)
    queries = module.q_proj(hidden).view(shape).transpose(1, 2)
    keys = module.k_proj(hidden).view(shape).transpose(1, 2)
    values = module.v_proj(hidden).view(shape).transpose(1, 2)
    return *apply_rotary_pos_emb(queries, keys, *embeddings), values


def choices(module, hidden, embeddings, attention, layers):
    """What each method keeps in one layer: rows of positions."""
    length = hidden.shape[1]
    budget = length // 4
    queries, keys, values = states(module, hidden, embeddings)
    given = module, hidden, keys, values
    context = {"position_embeddings": embeddings}
    best = lambda scores, k=budget: [top(row, k) for row in scores]

    def and_latest(scores, window, k=budget):
        """The best before the window, and the window."""
        return [row + list(range(length - window, length)) for row in best(scores, k - window)]

    by_snapkv = kvcache_factory(queries[0, :, -SNAPKV_WINDOW:], keys[0])[1]
    by_pyramidkv = kvcache_factory(queries[0, :, -WINDOW:], keys[0])[1]
    pyramid = pyramid_kvcf(budget, length, WINDOW, layers)[module.layer_idx]
    observed = ObservedAttentionPress(0.75).score(*given, attention, context)[0]
    tova = TOVAPress(0.75).score(*given, None, context)[0]
    assert all(torch.equal(row, tova[0]) for row in tova)
    streaming = StreamingLLMPress(1 - budget / length).score(*given, None, context)[0]
    assert int(streaming[0].sum()) == budget
    return {
        "snapkv_kvcf": and_latest(by_snapkv, SNAPKV_WINDOW),
        "snapkv_kvpress": best(SnapKVPress(0.75, window_size=SNAPKV_WINDOW).score(*given, None, context)[0]),
        "pyramidkv_kvcf": and_latest(by_pyramidkv, WINDOW, pyramid),
        "h2o_kvcf": and_latest(attention[0, :, :, :-WINDOW].sum(dim=-2), WINDOW),
        "observed_kvpress": best(observed),
        "tova_kvpress": best(tova[:1]),
        "knorm_kvpress": best(KnormPress(0.75).score(*given, None, context)[0]),
        "streaming_llm_kvpress": best(streaming[:1]),
    }


def measure(model, tokens):
    kept = {}
    modules = [model.model.layers[layer].self_attn for layer in LAYERS]

    def see(module, args, given, output):
        rows = choices(module, given["hidden_states"], given["position_embeddings"], output[1], len(model.model.layers))
        for name, rows in rows.items():
            kept.setdefault(name, []).append([bits(row, len(tokens)) for row in rows])

    hooks = [module.register_forward_hook(see, with_kwargs=True) for module in modules]
    with torch.no_grad():
        model(torch.tensor([tokens]), use_cache=False)
    for hook in hooks:
        hook.remove()
    return {"tokens": tokens, "budget": len(tokens) // 4, "kept": kept}


def main():
    path, target = sys.argv[1:]
    folder, name = os.path.split(os.path.abspath(path))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager"
    )
    model.eval()
    prompts = []
    for file, length in PROMPTS:
        with open(os.path.join("datasets/haystack", file)) as text:
            tokens = tokenizer(text.read(), add_special_tokens=False)["input_ids"][:length]
        assert len(tokens) == length, f"{file} has {len(tokens)} tokens"
        prompts.append(measure(model, tokens))
    golden = {
        "script": "tests/golden/kept.py",
        "model": name,
        "made_with": {package: version(package) for package in ("torch", "transformers", "gguf", "kvpress")},
        "layers": LAYERS,
        "prompts": prompts,
    }
    with open(target, "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
