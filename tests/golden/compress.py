"""Golden values of the compression building blocks on small random tensors, from the Python references (kept.py: on the
default model).

Run in the repository root with numpy, torch and kvpress installed; writes tests/golden/compress.json, which names their versions.
The formulas of KVCache-Factory, of CaM and of SpindleKV's Algorithm 1 are restated here (none is a package); kvpress is called.
"""

import json
from importlib.metadata import version
from types import SimpleNamespace

import numpy
import torch
import torch.nn.functional as F
from kvpress import KnormPress, ObservedAttentionPress, PyramidKVPress, TOVAPress
from kvpress.presses.snapkv_press import SnapKVPress
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaRotaryEmbedding, apply_rotary_pos_emb

WINDOW, GROUP, KV_HEADS, HEAD_DIM, LENGTH, HIDDEN = 8, 3, 2, 16, 70, 96


def flat(tensor):
    """The elements in the shortest form that gives the same f32 back."""
    return [float(str(x)) for x in tensor.detach().flatten().numpy()]


def top(scores, k):
    """Positions of the k best, ascending; equal scores (max pooling makes many) go by position, where torch.topk leaves it open."""
    return sorted(torch.sort(scores, descending=True, stable=True).indices[:k].tolist())


def attention():
    """A random Llama attention layer: rotated queries and keys, and kvpress' scores of the same input."""
    heads = GROUP * KV_HEADS
    config = LlamaConfig(hidden_size=HIDDEN, num_attention_heads=heads, num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM)
    module = LlamaAttention(config, layer_idx=0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.25)
    hidden = torch.randn(1, LENGTH, HIDDEN)
    embeddings = LlamaRotaryEmbedding(config)(hidden, torch.arange(LENGTH)[None])
    queries = module.q_proj(hidden).view(1, LENGTH, heads, HEAD_DIM).transpose(1, 2)
    keys = module.k_proj(hidden).view(1, LENGTH, KV_HEADS, HEAD_DIM).transpose(1, 2)
    queries, keys = apply_rotary_pos_emb(queries, keys, *embeddings)
    press = SnapKVPress(0.5, window_size=WINDOW, kernel_size=5)
    scores = press.score(module, hidden, keys, None, None, {"position_embeddings": embeddings})
    return queries[0], keys[0], scores[0, :, :-WINDOW], whole_prompt(module, hidden, queries, keys, embeddings)


def whole_prompt(module, hidden, queries, keys, embeddings, kept=20):
    """Methods that score the whole prompt: kvpress' TOVA, Knorm and observed attention, and H2O as KVCache-Factory has it."""
    given = module, hidden, keys, None
    causal = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
    logits = queries @ keys.repeat_interleave(GROUP, dim=1).transpose(2, 3) / HEAD_DIM**0.5
    attention = F.softmax(logits + causal, dim=-1, dtype=torch.float32)
    tova = TOVAPress(0.5).score(*given, None, {"position_embeddings": embeddings})[0]
    knorm = KnormPress(0.5).score(*given, None, {})[0]
    observed = ObservedAttentionPress(0.5).score(*given, attention, {})[0]
    sums = attention[0].sum(dim=1)
    recent = list(range(LENGTH - WINDOW, LENGTH))
    # PyramidInfer's choice after one layer, recent_ratio 0.2, 4 sinks, distance_weight 1.2.
    last = 1 + int(LENGTH * 0.2)
    to_context = attention[0].mean(dim=0)[-last:, :-last] * torch.linspace(1.0, 1.2, last)[:, None]
    to_context = to_context.mean(dim=0)
    to_context[:4] = float("inf")
    return {
        "kept": kept,
        "kvpress_tova": [top(row, kept) for row in tova],
        "kvpress_knorm": [top(row, kept) for row in knorm],
        "kvpress_observed": flat(observed),
        "pyramidinfer": top(to_context, kept) + list(range(LENGTH - last, LENGTH)),
        "h2o_kvcf": [top(row[:-WINDOW], kept - WINDOW) + recent for row in sums],
    }


def kvcache_factory(queries, keys):
    """SnapKVCluster.update_kv's scores: repeat_kv, f32 softmax, sum over the window, max pool of 7, average pool of 5.

    queries: [heads, window, head_dim], keys: [kv_heads, len, head_dim], both rotated.
    """
    heads, window, head_dim = queries.shape
    repeated = keys.repeat_interleave(heads // len(keys), dim=0)
    logits = queries @ repeated.transpose(1, 2) / head_dim**0.5
    mask = torch.full((window, window), torch.finfo(logits.dtype).min)
    cond = torch.arange(window)
    mask.masked_fill_(cond < (cond + 1).view(window, 1), 0)
    logits[:, -window:, -window:] += mask
    weights = F.softmax(logits, dim=-1, dtype=torch.float32)
    summed = weights[:, :, :-window].sum(dim=-2)
    pooled = F.max_pool1d(summed[None], kernel_size=7, padding=3, stride=1)[0]
    return summed, pooled, F.avg_pool1d(summed[None], kernel_size=5, padding=2, stride=1)[0]


def pyramid_kvcf(capacity, length, window, layers, beta=20):
    """PyramidKVCluster.update_kv: entries kept in each layer, window included."""
    budgets = []
    for layer in range(layers):
        low = (capacity - window) // beta
        high = (capacity - window) * 2 - low
        if high >= length - window:
            high = length - window
            low = (capacity - window) * 2 - high
        steps = (high - low) // (layers - 1)
        if length < capacity:
            budgets.append(length)
        elif length < (capacity - window) * 2:
            budgets.append(capacity)
        else:
            budgets.append(high - layer * steps + window)
    return budgets


def pyramid_kvpress(ratio, length, window, layers):
    press = PyramidKVPress(ratio, window_size=window)
    config = SimpleNamespace(num_hidden_layers=layers)
    return [press.get_layer_budget(SimpleNamespace(config=config, layer_idx=layer), length) for layer in range(layers)]


def algorithm_1(units, theta):
    """SpindleKV's Algorithm 1 with the degree of eq. 10."""
    graph = (units @ units.T > theta).int().fill_diagonal_(1)
    reference, codewords = torch.full((len(units),), -1), []
    while graph.any():
        i = int(torch.argmax(graph.sum(dim=1)))
        codewords.append(i)
        covered = graph[i] == 1
        reference[covered] = len(codewords) - 1
        graph = graph * torch.outer(~covered, ~covered)
    return {"codewords": codewords, "index": reference.tolist()}


def cam(length=40, start=5, recent=7, budget=4):
    """CaM's loop (utils_hh/modify_llama_cam.py), in numpy: as each token leaves the recent window, its value is spread over
    the next ones with a chance of its attention over the mean attention of the window. One row of attention for all
    steps, and the draws of the Bernoulli masks written down: 24 bits each, a share of 2^24.
    """
    rng = numpy.random.default_rng(20240721)
    attention = rng.random(length, dtype=numpy.float32)
    attention[[9, 20]] = 0.0  # never merged
    attention[[12, 25]] = 4.0  # always
    attention[26:34] = 0.0  # nothing against nothing, and 25 against nothing
    values = rng.standard_normal((length, 3), dtype=numpy.float32)
    draws = rng.integers(0, 1 << 24, length)
    draws[[14, 15]] = [0, (1 << 24) - 1]
    merged, taken = values.copy(), []
    for step in range(start + recent, length):
        leaving = step - recent
        with numpy.errstate(invalid="ignore", divide="ignore"):
            chance = attention[leaving] / attention[leaving + 1 : step + 1].mean(dtype=numpy.float32)
        chance = 0.0 if numpy.isnan(chance) else min(chance, 1.0)
        mask = draws[leaving - start] / (1 << 24) < chance
        taken.append(bool(mask))
        merged[leaving + 1 : leaving + budget + 1] += merged[leaving] * numpy.float32(mask) / numpy.float32(budget)
    assert 5 < sum(taken) < len(taken) - 5
    floats = lambda array: [float(str(x)) for x in array.flatten()]
    return {
        "budget": budget,
        "recent": recent,
        "evicted": list(range(start, length - recent)),
        "attention": floats(attention),
        "values": floats(values),
        "draws": draws[: len(taken)].tolist(),
        "merged": floats(merged),
    }


def clusters():
    """Vectors whose pairwise cosines all stay clear of the thresholds, so that rounding cannot decide."""
    thetas = [0.98, 0.95, 0.9]
    while True:
        centres = torch.randn(9, 12)
        vectors = centres[torch.randint(9, (60,))] + 0.22 * torch.rand(60, 1) * 2 * torch.randn(60, 12)
        vectors[17] = 0.0
        vectors[31] = vectors[5]
        units = F.normalize(vectors, dim=1)
        cosines = units @ units.T
        if min(float((cosines - theta).abs().min()) for theta in thetas) > 1e-5:
            return vectors, units, thetas


def main():
    torch.manual_seed(20250709)
    all_queries, keys, kvpress_scores, whole = attention()
    queries = all_queries[:, -WINDOW:]
    summed, pooled_max, pooled_avg = kvcache_factory(queries, keys)
    vectors, units, thetas = clusters()
    pyramids = [(64, 4000, 8, 32), (128, 240, 8, 32), (128, 241, 8, 32), (128, 100, 8, 30), (512, 4000, 8, 30), (512, 1100, 32, 28)]
    golden = {
        "made_with": {name: version(name) for name in ["torch", "numpy", "transformers", "kvpress"]},
        "shape": {"window": WINDOW, "group": GROUP, "kv_heads": KV_HEADS, "head_dim": HEAD_DIM, "len": LENGTH},
        "queries": flat(queries),
        "all_queries": flat(all_queries),
        "keys": flat(keys),
        "summed": flat(summed),
        "pooled_max_7": flat(pooled_max),
        "pooled_avg_5": flat(pooled_avg),
        "top_20_of_max": [top(row, 20) for row in pooled_max],
        "top_20_of_sum": [top(row, 20) for row in summed],
        "kvpress_snapkv": flat(kvpress_scores),
        "kvpress_top_20": [top(row, 20) for row in kvpress_scores],
        "pyramid_kvcf": [{"case": case, "budgets": pyramid_kvcf(*case)} for case in pyramids],
        "pyramid_kvpress": [
            {"ratio": ratio, "len": length, "layers": layers, "budgets": pyramid_kvpress(ratio, length, 8, layers)}
            for ratio, length, layers in [(0.5, 2000, 30), (0.75, 4096, 32), (0.8, 1900, 30)]
        ],
        "whole_prompt": whole,
        "cam": cam(),
        "vectors": flat(vectors),
        "d": vectors.shape[1],
        "algorithm_1": [{"theta": theta, **algorithm_1(units, theta)} for theta in thetas],
    }
    with open("tests/golden/compress.json", "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
