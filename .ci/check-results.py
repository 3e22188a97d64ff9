"""Checks the rows of the `ci` experiment: complete, `full` right at 1k tokens, compressed cells smaller than full."""

import csv
import sys
from collections import defaultdict
from pathlib import Path

folder = Path(sys.argv[1])
rows = list(csv.DictReader((folder / "records.csv").open()))
assert rows, "records.csv has no rows"

failed = [row for row in rows if row["error"]]
assert not failed, f"cells failed: {[(row['method'], row['sample'], row['error']) for row in failed]}"

cells = {(row["method"], row["settings"]) for row in rows}
samples = {row["sample"] for row in rows}
assert len(rows) == len(cells) * len(samples), f"{len(rows)} rows for {len(cells)} cells x {len(samples)} samples"

layers = defaultdict(int)
for row in csv.DictReader((folder / "layers.csv").open()):
    layers[row["method"], row["settings"], row["sample"]] += 1
counts = {layers[row["method"], row["settings"], row["sample"]] for row in rows}
assert len(counts) == 1 and counts.pop() > 0, "every record has the same number of layer rows"

full = [float(row["score"]) for row in rows if row["method"] == "full" and row["sample"].startswith("length=1024;")]
assert full and min(full) == 1.0, f"full at 1k tokens scores {full}"

for row in rows:
    retention = float(row["retention"])
    assert retention == 1.0 if row["method"] == "full" else retention < 1.0, (row["method"], retention)

for name in ["experiment.toml", "run.json", "predictions.jsonl"]:
    assert (folder / name).stat().st_size > 0, name
figures = list((folder / "figures").iterdir())
assert {figure.suffix for figure in figures} == {".svg", ".png"}, figures
print(f"{len(rows)} rows, {len(cells)} cells, {len(samples)} samples, {len(figures)} figures: as expected")
