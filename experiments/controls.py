"""What the controls of methods.toml say: `python3 experiments/controls.py results/methods/<date>`.

Prints, as Markdown, the mean negative log-likelihood of the right answer (and the recall) of the rows that take the
paper's claim apart, at each measured retention, and their paired differences over the same prompts with a bootstrap
95 % interval (4,000 resamples, seed 0). Reads records.csv and nothing else.
"""

import csv
import random
import statistics
import sys
from collections import defaultdict
from pathlib import Path

RETENTIONS = ["0.15", "0.2", "0.25", "0.3", "0.4"]
SPINDLE = {
    "gqa": "unfold",
    "shape": "linear",
    "theta-k": "0.98",
    "theta-v": "0.95",
    "learner": "greedy",
    "scope": "kv-head",
    "codeword": "member",
    "keys": "pre-rope",
    "magnitudes": "true",
    "window-coded": "true",
}
# Rows leave out what is at its default; those of earlier versions hold every setting, keys by other words.
DEFAULTS = SPINDLE | {"store": "query-head"}
FORMER_KEYS = {"unrotated": "pre-rope", "rotated": "post-rope"}
ROWS = {
    "SnapKV, as published": ("snapkv", {"store": "query-head"}),
    "SnapKV, de-duplicated exactly": ("snapkv", {"store": "kv-head", "gqa": "unfold"}),
    "PyramidKV, as published": ("pyramidkv", {"store": "query-head"}),
    "PyramidKV, de-duplicated exactly": ("pyramidkv", {"store": "kv-head", "gqa": "unfold"}),
    "PyramidKV, selected per KV head (mean)": ("pyramidkv", {"store": "kv-head", "gqa": "mean"}),
    "SpindleKV's eviction alone": ("spindle-evict", {}),
    "SpindleKV, thresholds of 1": ("spindle", SPINDLE | {"theta-k": "1", "theta-v": "1"}),
    "SpindleKV": ("spindle", SPINDLE),
    "SpindleKV, thresholds 0.9 and 0.8": ("spindle", SPINDLE | {"theta-k": "0.9", "theta-v": "0.8"}),
    "SpindleKV's codebook alone": ("spindle-code", {}),
    "SpindleKV, uniform budget": ("spindle", SPINDLE | {"shape": "uniform"}),
    "SpindleKV, selected per KV head (mean)": ("spindle", SPINDLE | {"gqa": "mean"}),
    "SpindleKV, selected per KV head (max)": ("spindle", SPINDLE | {"gqa": "max"}),
    "SpindleKV, keys after RoPE": ("spindle", SPINDLE | {"keys": "post-rope"}),
    "SpindleKV, no magnitudes": ("spindle", SPINDLE | {"magnitudes": "false"}),
    "SpindleKV, leader in place of greedy": ("spindle", SPINDLE | {"learner": "leader"}),
    "TOVA": ("tova", {}),
    "StreamingLLM": ("streaming-llm", {}),
    "random": ("random", {}),
}
DIFFERENCES = [
    ("exact de-duplication", "PyramidKV, as published", "PyramidKV, de-duplicated exactly"),
    ("similarity", "SpindleKV, thresholds of 1", "SpindleKV"),
    ("the codebook's share of the whole method", "SpindleKV's eviction alone", "SpindleKV"),
    ("selection per KV head in place of unfolding", "SpindleKV", "SpindleKV, selected per KV head (mean)"),
    ("a uniform budget in place of the linear one", "SpindleKV", "SpindleKV, uniform budget"),
    ("SpindleKV against TOVA", "SpindleKV", "TOVA"),
]


def read(folder):
    """Per method, its settings and retention: sample -> (nll, score)."""
    cells, worst = defaultdict(dict), 0.0
    with (folder / "records.csv").open() as file:
        for row in csv.DictReader(file):
            if row["error"]:
                continue
            settings = dict(part.split("=", 1) for part in row["settings"].split(";") if part)
            retention = settings.pop("retention", "")
            settings = DEFAULTS | settings
            settings["keys"] = FORMER_KEYS.get(settings["keys"], settings["keys"])
            if retention:
                worst = max(worst, abs(float(row["retention"]) - float(retention)))
            key = row["method"], tuple(settings.items()), retention
            cells[key][row["sample"]] = float(row["nll"]), float(row["score"])
    return cells, worst


def find(cells, name, retention):
    method, wanted = ROWS[name]
    found = [
        samples
        for (of, settings, at), samples in cells.items()
        if of == method and at == retention and wanted.items() <= dict(settings).items()
    ]
    assert len(found) == 1, f"{name} at {retention}: {len(found)} cells"
    return found[0]


def difference(a, b):
    values = [a[sample][0] - b[sample][0] for sample in sorted(a.keys() & b.keys())]
    rng = random.Random(0)
    means = sorted(statistics.mean(rng.choices(values, k=len(values))) for _ in range(4000))
    return f"{statistics.mean(values):+.2f} [{means[100]:+.2f}, {means[3899]:+.2f}]"


def main():
    cells, worst = read(Path(sys.argv[1]))
    full = next(samples for (method, _, _), samples in cells.items() if method == "full")
    nll, recall = (statistics.mean(values) for values in zip(*full.values()))
    print(f"full: {nll:.2f} ({100 * recall:.0f}); {len(full)} prompts; no retention is off by more than {worst:.4f}.\n")
    print("| nll (recall x 100) | " + " | ".join(RETENTIONS) + " |")
    print("|---|" + "--:|" * len(RETENTIONS))
    for name in ROWS:
        parts = []
        for retention in RETENTIONS:
            samples = find(cells, name, retention)
            nll, recall = (statistics.mean(values) for values in zip(*samples.values()))
            of = "" if len(samples) == len(full) else f", n {len(samples)}"
            parts.append(f"{nll:.2f} ({100 * recall:.0f}{of})")
        print(f"| {name} | " + " | ".join(parts) + " |")
    print("\n| nll gained by | " + " | ".join(RETENTIONS) + " |")
    print("|---|" + "--:|" * len(RETENTIONS))
    for what, a, b in DIFFERENCES:
        parts = [difference(find(cells, a, r), find(cells, b, r)) for r in RETENTIONS]
        print(f"| {what} | " + " | ".join(parts) + " |")


main()
