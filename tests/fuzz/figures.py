"""Adds a row for each target to results/fuzz/runs.csv, from the logs of libFuzzer: figures.py SECONDS TARGET..."""

import csv
import datetime
import pathlib
import re
import subprocess
import sys

COLUMNS = ["date", "commit", "processor", "target", "seconds", "executions", "per_second", "edges", "features",
           "corpus", "peak_rss_mb", "slowest_s", "faults"]
HERE = pathlib.Path(__file__).parent
RUNS = HERE / "../../results/fuzz/runs.csv"


def last(pattern, text):
    found = re.findall(pattern, text)
    return found[-1] if found else ""


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    return last(r"model name\s*: (.*)", text)


def row(target, seconds):
    log = (HERE / "logs" / f"{target}.log").read_text(errors="replace")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    faults = [path for path in (HERE / "artifacts" / target).iterdir() if path.stem.split("-")[0] != "slow"]
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "processor": processor(),
        "target": target,
        "seconds": seconds,
        "executions": last(r"stat::number_of_executed_units:\s*(\d+)", log),
        "per_second": last(r"stat::average_exec_per_sec:\s*(\d+)", log),
        "edges": last(r"cov: (\d+)", log),
        "features": last(r"ft: (\d+)", log),
        "corpus": last(r"corp: (\d+)", log),
        "peak_rss_mb": last(r"stat::peak_rss_mb:\s*(\d+)", log),
        "slowest_s": last(r"stat::slowest_unit_time_sec:\s*(\d+)", log),
        "faults": len(faults),
    }


def main():
    seconds, targets = sys.argv[1], sys.argv[2:]
    rows = [row(target, seconds) for target in targets]
    RUNS.parent.mkdir(parents=True, exist_ok=True)
    new = not RUNS.exists()
    with RUNS.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)
    for done in rows:
        print(" ".join(f"{key}={done[key]}" for key in COLUMNS[3:]))
    sys.exit(any(done["faults"] for done in rows))


main()
