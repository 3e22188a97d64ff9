"""Draws the curves of a results folder of measure.py from its measurements.csv: `curves.py FOLDER`."""

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

folder = Path(sys.argv[1])
with (folder / "measurements.csv").open() as file:
    rows = [row for row in csv.DictReader(file) if row["what"].startswith("curve ")]

figure, axes = plt.subplots(2, 3, figsize=(12, 7))
panels = [
    ("curve prefill", "prefill, s", "tokens of the prompt"),
    ("curve compress", "SpindleKV at 0.4, compression, s", "tokens of the prompt"),
    ("curve decode", "decode, full and SpindleKV at once, ms", "tokens of the prompt"),
    ("curve memory", "peak memory, MiB", "tokens of the prompt"),
    ("curve cells", "sweep of a 2k prompt, s", "cells"),
]
for axis, (what, title, across) in zip(axes.flat, panels):
    points = sorted((int(row["round"]), float(row["value"])) for row in rows if row["what"] == what)
    axis.plot(*zip(*points), marker="o")
    axis.set(title=title, xlabel=across)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
axes.flat[-1].axis("off")
figure.tight_layout()
for suffix in ["svg", "png"]:
    figure.savefig(folder / f"curves.{suffix}", dpi=110)
