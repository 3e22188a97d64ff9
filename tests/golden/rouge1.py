"""Writes the ROUGE-1 scores that tests/golden/rouge1.json holds.

    pip install rouge_score==0.1.2
    python tests/golden/rouge1.py datasets/haystack tests/golden/rouge1.json

Scores answers to the published needle with Google's rouge_score, stemmer on, as KVCache-Factory's
run_needle_in_haystack.py does; and sentences of the project's haystack with the one after, which
have more of the words that a stemmer changes. Each case is [expected, response, F-measure].
"""

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

from rouge_score import rouge_scorer

NEEDLE = "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day."
RESPONSES = [
    "",
    "...",
    NEEDLE,
    NEEDLE.upper(),
    "eat a sandwich and sit in Dolores Park on a sunny day",
    "Eating sandwiches, sitting in Dolores Park on sunny days.",
    "to eat a sandwich",
    "a a a a a",
    "The Golden Gate Bridge is the best thing to see.",
    "San-Francisco's park",
    "sandwich sandwich day day day park",
    "walk, visit museums and enjoy the sun",
    "I don't know; the book doesn't say!",
    "na\u00efve caf\u00e9 Dolores",
    "\u5728 Dolores Park \u5403\u4e09\u660e\u6cbb",
    "3 sandwiches in 24 hours",
    "\u0130stanbul \u017furf DOLORES",
]
SENTENCES = 80


def sentences(folder):
    for path in sorted(Path(folder).glob("*.txt")):
        text = " ".join(path.read_text(encoding="utf-8").split())
        found = re.split(r"(?<=[.!?]) ", text)
        yield from found[3:SENTENCES:5]


def main(folder, out):
    scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)
    known = list(sentences(folder))
    pairs = [(NEEDLE, response) for response in RESPONSES] + list(zip(known, known[1:]))[:150]
    cases = [[a, b, scorer.score(a, b)["rouge1"].fmeasure] for a, b in pairs]
    packages = {name: version(name) for name in ["rouge_score", "nltk"]}
    text = json.dumps({"packages": packages, "cases": cases}, ensure_ascii=False)
    Path(out).write_text(text + "\n", encoding="utf-8")


main(*sys.argv[1:])
