"""Makes tests/golden/pre.json: how byte-level tokenizers split texts, by the name in tokenizer.ggml.pre.

    pip install tokenizers gguf xllamacpp numpy
    python tests/golden/pre.py tests/golden/pre.json

The ids are those of the published tokenizer.json of the family that a name stands for: its pattern, and whether it
normalises and ignores merges. llama.cpp reads each name too, from a GGUF file written here. Its ids are the same but on
the texts that DIFFERS names, where it approximates the published tokenizer. `default`, and no name at all, are
llama.cpp's own.
"""

import json
import os
import sys
import tempfile
import urllib.request

import numpy
import xllamacpp
from gguf import GGUFWriter, TokenType
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    "Hello world",
    " leading and trailing ",
    "3.14159  00700 1,000,000 x86_64 v2.0  42 1234567",
    "  7 spaces\n\n\n  then\t\ttabs \r\n end  ",
    "I'll say it's what they've got, we'd've HE'S DON'T",
    "HTTPServer camelCase XMLHttpRequest aB Ab ABc abC",
    "na\u00efve caf\u00e9 \u2014 \u201cquotes\u201d \u20ac5 \u00bd \u0664\u0662 \u00c9COLE \u00c9cole \u0416\u0443\u043a",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01 \u3053\u3093\u306b\u3061\u306f 2024\u5e74 \uc548\ub155",
    "\U0001f680\U0001f469\u200d\U0001f4bb emoji",
    "def f(x: int) -> int:\n    return x ** 2  # square\n\n\nprint(f(12))\n",
    '{"key": [1, 22, 333], "s": "a\\nb"}',
    "a/b //c http://x.y/z?q=1&r=<2>|3~^`$%",
    "a" * 40 + " " * 40 + "!" * 17,
    "a<|end|>b",
    "e\u0301 \u0928\u092e\u0938\u094d\u0924\u0947",
]
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
FIRST = r"[^\r\n\p{L}\p{N}]?"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
DEFAULT = [
    r"[\p{P}\$\+<=>\^~\|]+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
    r"\p{N}+",
    r"[0-9][0-9][0-9]",
]
# Name: patterns, NFC, ignore_merges, whether a text begins with BOS.
KINDS = {
    "gpt-2": ([GPT2], False, False, False),
    "smollm": ([r"\p{N}", GPT2], False, False, False),
    "qwen2": ([CONTRACTIONS + r"\p{N}" + REST], True, False, False),
    "llama3": ([CONTRACTIONS + r"\p{N}{1,3}" + REST], False, True, True),
    "llama-bpe": ([CONTRACTIONS + r"\p{N}{1,3}" + REST], False, True, True),
    "smaug-bpe": ([CONTRACTIONS + r"\p{N}{1,3}" + REST], False, False, False),
    "tekken": (
        [
            f"{FIRST}{UPPER}*{LOWER}+|{FIRST}{UPPER}+{LOWER}*|"
            + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ],
        False,
        True,
        True,
    ),
    "default": (DEFAULT, False, False, False),
    None: (DEFAULT, False, False, False),
}
# Texts, by number, that llama.cpp splits otherwise: it never normalises (qwen2), and takes a combining mark for no
# letter (tekken).
DIFFERS = {"qwen2": {14}, "tekken": {14}}


def trained():
    """Tokens and merges that cross every boundary, so that ids show where a text was split."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=620,
        special_tokens=["<|bos|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 8, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(m) for m in model["merges"]]


def published(tokens, merges, patterns, nfc, ignore_merges):
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, level])
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(["<|bos|>", "<|end|>"])
    return [tokenizer.encode(text).ids for text in TEXTS]


def write_gguf(path, tokens, merges, pre):
    """A Llama of one layer with this tokenizer; its weights are never used."""
    width = 32
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    if pre is not None:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL] * 2 + [TokenType.NORMAL] * (len(tokens) - 2))
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    zeros = lambda *shape: numpy.zeros(shape, dtype=numpy.float32)
    writer.add_tensor("token_embd.weight", zeros(len(tokens), width))
    writer.add_tensor("output_norm.weight", zeros(width))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", zeros(width, width))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", zeros(width))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_cpp(path):
    """Ids of the texts, and those before every text."""
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = 256
    params.warmup = False
    server = xllamacpp.Server(params)

    def encode(text, special):
        body = {"content": text, "parse_special": True, "add_special": special}
        request = urllib.request.Request(
            server.listening_address + "/tokenize", json.dumps(body).encode()
        )
        return json.load(urllib.request.urlopen(request))["tokens"]

    return [encode(text, False) for text in TEXTS], encode("a", True)[:-1]


def main():
    (target,) = sys.argv[1:]
    tokens, merges = trained()
    cases = []
    for pre, (patterns, nfc, ignore_merges, bos) in KINDS.items():
        ids = published(tokens, merges, patterns, nfc, ignore_merges)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.gguf")
            write_gguf(path, tokens, merges, pre)
            theirs, opening = llama_cpp(path)
        other = {i for i, (a, b) in enumerate(zip(ids, theirs)) if a != b}
        assert other == DIFFERS.get(pre, set()), (pre, other)
        assert opening == ([0] if bos else []), (pre, opening)
        cases.append({"pre": pre, "ids": ids, "opening": opening})
    golden = {
        "made_by": "tests/golden/pre.py",
        "tokens": tokens,
        "merges": [" ".join(merge) for merge in merges],
        "texts": TEXTS,
        "cases": cases,
    }
    with open(target, "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
