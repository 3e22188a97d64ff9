"""Compares two builds of spindle in turn: what a change of its inside costs in time and memory.

    python3 experiments/performance/pairs.py BEFORE AFTER OUT.csv [--rounds 20] [--only NAME,...]

Each round runs every workload with both binaries, the second first in every other round. OUT.csv has a row for each run
as soon as it is made; the table says, for each workload, the median ratio AFTER / BEFORE with the middle half of the
ratios. Prefill is processor time with one thread, which other work on the machine moves least.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

METHODS = "streaming-llm,snapkv,pyramidkv,tova,spindle"
NEEDLE = ["quickstart", "--depths", "50"]


def needle(length):
    return ["eval", *NEEDLE, "--lengths", str(length)]


WORKLOADS = {
    "sweep of 25 cells, wall": (
        ["sweep", *NEEDLE, "--lengths", "1024", "--methods", METHODS, "--retention", "0.15,0.2,0.25,0.3,0.4"],
        lambda run: run["wall"],
    ),
    "compression of 25 cells": ("sweep of 25 cells, wall", lambda run: run["compress"]),
    "memory of 25 cells": ("sweep of 25 cells, wall", lambda run: run["peak"]),
    "decode at 1k": ([*needle(1024), "--methods", "full,snapkv,spindle", "--retention", "0.3"], lambda run: run["decode"]),
    "decode at 8k": ([*needle(7900), "--methods", "full,snapkv", "--retention", "0.3"], lambda run: run["decode"]),
    "memory at 8k": ("decode at 8k", lambda run: run["peak"]),
    "prefill of 2k, processor": (
        [*needle(2048), "--methods", "full", "--threads", "1"],
        lambda run: run["processor"],
    ),
}


def run(binary, arguments):
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        process = subprocess.Popen(
            [binary, *arguments, "--out", f"{folder}/run"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        if status:
            sys.exit(f"{binary} {arguments} failed: {errors.decode()}")
        with open(f"{folder}/run/records.csv") as file:
            rows = list(csv.DictReader(file))
    return {
        "wall": wall,
        "processor": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / 1024,
        "compress": sum(float(row["compress_ms"]) for row in rows) / 1000,
        "decode": sum(float(row["decode_ms"]) for row in rows) / 1000,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", type=lambda names: names.split(","))
    given = parser.parse_args()
    binaries = {"before": given.before.resolve(), "after": given.after.resolve()}
    ratios = {name: [] for name in WORKLOADS if not given.only or any(part in name for part in given.only)}
    with given.out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["workload", "round", "build", "value"])
        for number in range(given.rounds):
            made = {}
            for name in ratios:
                arguments, value = WORKLOADS[name]
                source = arguments if isinstance(arguments, str) else name
                order = list(binaries) if number % 2 == 0 else list(binaries)[::-1]
                for build in order:
                    if (source, build) not in made:
                        made[source, build] = run(binaries[build], WORKLOADS[source][0])
                    writer.writerow([name, number, build, f"{value(made[source, build]):.4f}"])
                file.flush()
                ratios[name].append(value(made[source, "after"]) / value(made[source, "before"]))
    for name, all_ratios in ratios.items():
        quarters = statistics.quantiles(all_ratios, n=4) if len(all_ratios) > 1 else all_ratios * 3
        print(f"{name}: {statistics.median(all_ratios):.3f} ({quarters[0]:.3f} to {quarters[2]:.3f})")


main()
