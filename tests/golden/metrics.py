"""Makes tests/golden/metrics.json: LongBench's metrics of many pairs, by the Python packages that it uses.

    pip install rouge==1.0.1 fuzzywuzzy==0.18.0 jieba==0.42.1      (and no python-Levenshtein)
    python tests/golden/metrics.py tests/golden/metrics.json

The packages do the work; what LongBench does around them (THUDM/LongBench, `LongBench/metrics.py` and `eval.py`) is
restated here. A metric is called at the depth at which `eval.py` calls it, because ROUGE's recursion error depends on
it: module, `scorer`, metric, package.
"""

import importlib.metadata
import json
import random
import re
import string
import sys
from collections import Counter

import jieba
from fuzzywuzzy import fuzz
from rouge import Rouge

PUNCTUATION_ZH = "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."


def f1(prediction, answer):
    shared = sum((Counter(prediction) & Counter(answer)).values())
    if shared == 0:
        return 0
    precision, recall = 1.0 * shared / len(prediction), 1.0 * shared / len(answer)
    return (2 * precision * recall) / (precision + recall)


def qa_f1(prediction, answer, classes):
    def words(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    return f1(words(prediction), words(answer))


def qa_f1_zh(prediction, answer, classes):
    dropped = set(string.punctuation + PUNCTUATION_ZH)

    def words(text):
        cut = jieba.cut(text, cut_all=False)
        bare = ("".join("".join(c for c in word.lower() if c not in dropped).split()) for word in cut)
        return [word for word in bare if word]

    return f1(words(prediction), words(answer))


def rouge(prediction, answer, classes):
    try:
        return Rouge().get_scores([prediction], [answer], avg=True)["rouge-l"]["f"]
    except Exception:
        return 0.0


def rouge_zh(prediction, answer, classes):
    prediction = " ".join(jieba.cut(prediction, cut_all=False))
    answer = " ".join(jieba.cut(answer, cut_all=False))
    return rouge(prediction, answer, classes)


def classification(prediction, answer, classes):
    named = [name for name in classes if name in prediction]
    for name in named:
        if name in answer and name != answer:
            named.remove(name)
    return 1.0 / len(named) if answer in named else 0.0


def count(prediction, answer, classes):
    numbers = re.findall(r"\d+", prediction)
    return sum(number == answer for number in numbers) / len(numbers) if numbers else 0.0


def retrieval(prediction, answer, classes):
    return count(prediction, re.findall(r"Paragraph (\d+)", answer)[0], classes)


def retrieval_zh(prediction, answer, classes):
    return count(prediction, re.findall(r"段落(\d+)", answer)[0], classes)


def code_sim(prediction, answer, classes):
    lines = prediction.lstrip("\n").split("\n")
    code = [line for line in lines if not any(mark in line for mark in ("`", "#", "//"))]
    return fuzz.ratio(code[0] if code else "", answer) / 100


def scorer(metric, prediction, answer, classes):
    return metric(prediction, answer, classes)


random.seed(5)
pick, chance = random.choice, random.random

WORDS = """the a an The river Ferry harbour keeper's lamp ledger of in and near north-east 1894 three 3.5 engine
signal yes no unanswerable Mrs. Oriel Danvers clerk (retired) "blue" granite e.g. mill U.S. co-operative naïve café
İzmir ΟΔΥΣΣΕΥΣ straße Ⅷ ½ ٣ a\u0301 _the_ an' x² —""".split()
GAPS = [" "] * 12 + ["  ", "\n", "\t", "\u00a0", "\u3000", "\x1c", ". ", ", ", ".", "\u2028"]


def text(least, most):
    count = random.randint(least, most)
    return "".join(pick(WORDS) + (pick(GAPS) if i + 1 < count else pick(["", "", ".", " "])) for i in range(count))


def altered(original, pieces, gap):
    """The same text with pieces lost, doubled, moved and added."""
    parts = original.split(gap) if gap else list(original)
    for _ in range(random.randint(0, max(2, len(parts) // 3))):
        at = random.randrange(len(parts) + 1)
        act = chance()
        if act < 0.35:
            parts[at:at + 1] = []
        elif act < 0.5:
            parts[at:at] = parts[at:at + 1]
        elif act < 0.75:
            parts.insert(at, pick(pieces))
        elif parts:
            parts.insert(at, parts.pop(random.randrange(len(parts))))
    changed = gap.join(parts)
    return changed.upper() if chance() < 0.05 else changed


FREQUENT = [line.split()[:2] for line in jieba.get_dict_file().read().decode().splitlines()]
COMMON = random.choices([word for word, _ in FREQUENT], [float(n) for _, n in FREQUENT], k=600)
RARE = random.choices([word for word, _ in FREQUENT], k=300)
MIXED = ["GPT-4", "3.5%", "1.2.3", "A4", "x_y", "v2.0-beta", "B超", "AT&T", "C++", "iPhone", "2024年", "10:30", "℃", "㐀㐁",
         "龥鿖", "鿋", "コード", "かな", "한글", "𠮷野", "·", "《", "》", "“", "”", "（", "）", "…", "——", "\r\n", "\n", " ",
         "\u3000", "．", "１２３", "a.b", "100%", "-5", "+86", "#1", "No.7", "U.S.A", "www.a-b.com", "e-mail", "%", "._-"]
MARKS = ["，", "。", "、", "！", "？", "；", "："]


def chinese(least, most):
    words = (pick(COMMON) if chance() < 0.7 else pick(RARE) if chance() < 0.6 else pick(MIXED)
             for _ in range(random.randint(least, most)))
    return "".join(word + (pick(MARKS) if chance() < 0.15 else "") for word in words)


def characters(count):
    """Frequent characters in any order: what the dictionary does not hold goes to the hidden Markov model."""
    return "".join(pick(pick(COMMON)) for _ in range(count))


NAMES = ["Other", "Other location", "location", "City", "City or town", "town", "Human", "Human group", "group", "Date",
         "Date of birth", "Number", "Number of something", "A", "AB", "ABC", "B", "体育", "体育新闻", "新闻"]
CODE = """return self.items[index] if index < len(self.items) else None
    let total: usize = parts.iter().map(|part| part.len()).sum();
public static final int MAX_RETRIES = 5;
        for (int i = 0; i < n; i++) { sum += values[i]; }
    def __init__(self, name, *, parent=None):
	if err != nil { return nil, err }
print("%s: %d" % (name, count))
const { data, error } = await client.from('rows').select('*');
}
    x = 1
assertEquals(expected, actual, "naïve → ünï");""".split("\n")
COMMENTS = ["# a comment", "// another", "```python", "    # indented", "", "   ", "`x`"]


def code_pair():
    line = pick(CODE) * pick([1, 1, 1, 1, 4, 9])
    other = altered(line, list("abc (_=;)"), "") if chance() < 0.8 else pick(CODE)
    lines = [pick(COMMENTS) for _ in range(random.randint(0, 2))] + [other] + [pick(CODE)] * random.randint(0, 2)
    return "\n".join(lines), line


def numbered(mark, unit):
    right = str(random.randint(1, 30))
    numbers = [right if chance() < 0.4 else str(random.randint(0, 40)) for _ in range(random.randint(0, 4))]
    numbers += random.choices(["", "０７", "٣", "1.5", "-2", "x²", "12abc3"], k=random.randint(0, 1))
    said = pick([", ", " ", "; ", " or "]).join(pick(["", mark, unit]) + number for number in numbers)
    return pick(["", "The answer is ", "答案是"]) + said, right


def steps(count):
    """A pair whose back-trace makes `count` calls: they share their first word alone."""
    half = count // 2
    return " ".join(["s"] + [f"p{i}" for i in range(half - 1)]), " ".join(["s"] + [f"r{i}" for i in range(count - half - 1)])


def path(count):
    """A pair whose back-trace makes `count` calls: they are the same."""
    words = " ".join(f"w{i}" for i in range(count - 1))
    return words, words


EDGES = ["", " ", ".", "...", " . ", "\n", "the", "a b", "x. . y", "。"]
edges = [(a, b) for a in EDGES[:6] for b in EDGES[2:8]]

pairs = {name: [] for name in ["qa_f1", "qa_f1_zh", "rouge", "rouge_zh", "classification", "count", "retrieval",
                               "retrieval_zh", "code_sim"]}
for _ in range(220):
    answer = text(1, 9)
    pairs["qa_f1"].append((altered(answer, WORDS, " "), answer))
    answer = chinese(1, 8)
    pairs["qa_f1_zh"].append((altered(answer, COMMON + MIXED, ""), answer))
    answer = text(1, 60)
    pairs["rouge"].append((altered(answer, WORDS, " "), answer))
    answer = chinese(1, 25)
    pairs["rouge_zh"].append((altered(answer, COMMON + MIXED, ""), answer))
    classes = random.sample(NAMES, random.randint(2, 9))
    named = random.sample(classes, random.randint(0, len(classes)))
    pairs["classification"].append((pick([" ", ", ", " or "]).join(named), pick(classes), classes))
    pairs["count"].append(numbered("", "paragraph "))
    said, right = numbered("Paragraph ", "paragraph")
    pairs["retrieval"].append((said, f"Paragraph {right}"))
    said, right = numbered("段落", "第")
    pairs["retrieval_zh"].append((said, f"段落{right}"))
    pairs["code_sim"].append(code_pair())
for name in ["qa_f1", "qa_f1_zh", "rouge", "rouge_zh"]:
    pairs[name] += edges
pairs["rouge"] += [steps(991), steps(992), path(991), path(992)]
pairs["rouge_zh"] += [steps(990), steps(991), path(990), path(991)]
# Halves of a percent, which Python rounds to even, and texts that are equal, empty or long.
pairs["code_sim"] += [("ab" + "x" * 14, "ab" + "y" * 14), ("abc" + "x" * 13, "abc" + "y" * 13), ("", ""), ("", "x"),
                      ("x", ""), ("#", ""), ("\n\nx = 1", "x = 1"), ("\n \nx = 1", "x = 1"), ("ab" * 120, "ba" * 120)]

result = {name: [] for name in pairs}
for name, list_of in pairs.items():
    for pair in list_of:
        score = scorer(globals()[name], pair[0], pair[1], pair[2] if len(pair) > 2 else None)
        result[name].append([pair[0], pair[1], score, *pair[2:]])

texts = [chinese(1, 30) for _ in range(400)] + [characters(random.randint(2, 30)) for _ in range(200)]
plain = ["".join(pick(COMMON) + (pick(MARKS) if chance() < 0.2 else "") for _ in range(25)) for _ in range(300)]
segmentation = {
    "mixed": [list(jieba.cut(text, cut_all=False)) for text in texts],
    "plain": [list(jieba.cut(text, cut_all=False)) for text in plain],
}

packages = ["rouge", "fuzzywuzzy", "jieba"]
versions = {"python": sys.version.split()[0], **{name: importlib.metadata.version(name) for name in packages}}
with open(sys.argv[1], "w", encoding="utf-8") as file:
    lines = [f'"made_by": "tests/golden/metrics.py", "versions": {json.dumps(versions)}']
    for part in [result, segmentation]:
        for name, rows in part.items():
            body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            lines.append(f'"{name}": [\n{body}\n]')
    file.write("{" + ",\n".join(lines) + "}\n")
print({name: len(rows) for name, rows in [*result.items(), *segmentation.items()]}, versions)
