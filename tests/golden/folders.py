"""Makes tests/golden/folders.json: tokenizers as people save them, and what `transformers` makes of each folder.

    pip install transformers==5.24.0 sentencepiece protobuf jinja2
    python tests/golden/folders.py tests/golden/folders.json

This version cleans up spaces in what a byte-level tokenizer decodes only where a second key asks for it; those that
LongBench was made with did so for `clean_up_tokenization_spaces` alone, as spindle does.
"""

import importlib.metadata
import json
import os
import sys
import tempfile
from datetime import datetime

import sentencepiece
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

TEXTS = [
    "Hello world",
    " leading and trailing ",
    "3.14159  00700 1,000,000",
    "I'll say it's what they've got , isn't it ? Yes !",
    "na\u00efve caf\u00e9 e\u0301 \u4f60\u597d \U0001f680",
    "<s>user\nhi</s>\n<|im_start|>a<|im_end|> <extra> <pad>x",
    "def f(x):\n    return x ** 2\n",
]
QUESTION = [{"role": "user", "content": "What is 12 + 30? \u00e9 <b>"}]
TALK = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "Capital of France?"},
    {"role": "assistant", "content": "Paris"},
    {"role": "user", "content": "  And of Spain?\n"},
]
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
EVERY = "".join(
    f"[{{{{ {name}_token }}}}]" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask", "image")
)
TEMPLATES = {
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}\n  {%- generation -%}\n"
    "{% set inner = 1 %}{{ m.content }}{{ loop.index }}\n  {% endgeneration %}\n{% else %}U {{ m.content }}"
    "{{ inner }}\n{% endif %}{% endfor %}{% raw %}{% generation %}{% endraw %}{{ '{% generation %}' }}",
    "json": "{% set v = {'b': [1, 2.5, true, none, 1e20, 1e-7, -0.0], 'a': {'\u00e9\U0001f680': '<\"\\\\\\n\\t'}, 'e': [], 'f': {}} %}"
    "{{ v | tojson }}|{{ v | tojson(indent=2) }}|{{ v | tojson(separators=(',', ':')) }}|"
    "{{ v | tojson(sort_keys=true) }}|{{ v | tojson(ensure_ascii=true) }}|{{ v | tojson(true, 1) }}|"
    "{{ v | tojson(indent=3, separators=(' ;', ' = '), sort_keys=true) }}|{{ v | tojson(indent='--') }}|"
    "{{ v | tojson(indent=0) }}|{{ messages | tojson }}|{{ 'x' | tojson }}|{{ {1: 2, none: 3, true: 4} | tojson }}",
    "strings": "{% set s = 'Abc-def-gHI' %}{{ s.removeprefix('Abc') }} {{ s.removesuffix('x') }} {{ s.partition('-') | list | tojson }} "
    "{{ s.rpartition('-') | list | tojson }} {{ s.partition('?') | list | tojson }} {{ s.rsplit('-', 1) | tojson }} "
    "{{ s.split('-', 1) | tojson }} {{ s.rsplit('-') | tojson }} {{ ' a  b c '.rsplit() | tojson }} {{ ' a  b c '.rsplit(none, 1) | tojson }} "
    "{{ s.index('d') }} {{ s.rindex('-') }} {{ s.find('zz') }} {{ s.swapcase() }} {{ 'Stra\u00dfe'.casefold() }} "
    "[{{ 'ab'.center(7, '*') }}] [{{ 'ab'.center(6) }}] [{{ 'abc'.center(8) }}] [{{ 'ab'.ljust(5) }}] [{{ 'ab'.rjust(5, '.') }}] "
    "{{ '-7'.zfill(4) }} {{ '7'.zfill(3) }} {{ 'a' in s }} {{ s[::-1] }} {{ s[1:3] }} {{ s.isdecimal() }} {{ '12'.isdecimal() }} "
    "{{ s.title() }} {{ s.capitalize() }} {{ s.count('-') }} {{ 'a\nb'.splitlines() | tojson }} {{ s.replace('-', '+', 1) }} "
    "{{ s.startswith(('x', 'A')) }} {{ '%s is %d' | format('x', 3) }} {{ '{} {}'.format(1, 'b') }} {{ 'xyx'.strip('x') }} "
    "{{ '-'.join(['a', 'b']) }} {{ s.upper() ~ s.lower() }}",
    "values": "{{ true }} {{ none }} {{ [1, 'a', none] }} {{ {'a': 1.0} }} {{ 1e20 }} {{ 7 // 2 }} {{ 2 ** 3 }} {{ -7 % 3 }} "
    "{{ undefined_thing is defined }} {{ tools is none }} {{ 1 if messages else 2 }} {{ messages | length }} "
    "{{ messages | map(attribute='role') | join(',') }} {{ (messages | selectattr('role', 'equalto', 'user') | list | length) }}",
    "helpers": "{% set sep = joiner(', ') %}{% set c = cycler('odd', 'even') %}{% set ns = namespace(n=0, seen=[]) %}"
    "{% for m in messages %}{{ sep() }}{{ c.next() }}:{% set ns.n = ns.n + m.content | length %}{{ m.role }}{% endfor %} {{ ns.n }}"
    "{% macro show(x, y='z') %}<{{ x }}{{ y }}>{% endmacro %}{{ show('a') }}{{ show('b', y='c') }}"
    "{%- for m in messages if m.role == 'user' %}{% if loop.first %}F{% endif %}{% if loop.last %}L{% endif %}{% endfor %}"
    "{% for k, v in {'x': 1, 'y': 2}.items() %}{{ k }}={{ v }};{% endfor %}",
    "date": "Today is {{ strftime_now('%d %b %Y, %A %H:%M:%S %j %-d') }}",
    "arguments": "{% if enable_thinking is defined and enable_thinking is false %}<no>{% endif %}{{ style | upper }}{{ limits.most + 1 }}",
}
ARGUMENTS = {"arguments": {"enable_thinking": False, "style": "terse", "limits": {"most": 4}}}
NOW = datetime(2024, 7, 26)
OF_BPE = "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"


class Fixed(datetime):
    @classmethod
    def now(cls, *_):
        return NOW


chat_template_utils.datetime = Fixed


def trained(special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 8, trainer)
    return tokenizer


def token(content, special=True, **more):
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {"content": content, **flags, "special": special, **more}


def written(content):
    """A token as special_tokens_map.json has it."""
    return {key: value for key, value in token(content).items() if key != "special"}


def sentencepiece_model(path):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 8),
        model_prefix=path,
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=0.98,
        minloglevel=2,
    )
    with open(path + ".model", "rb") as file:
        return file.read()


def cases():
    """Name, files, and more: `config`'s keys, texts of chats, whether only plain texts are compared."""
    plain = trained([])
    small = json.loads(plain.to_str())
    fast = {"tokenizer_class": "PreTrainedTokenizerFast"}
    names = {"bos_token": "<s>", "eos_token": "</s>"}
    size = plain.get_vocab_size()
    marks = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    decoder = {str(size + i): token(mark) for i, mark in enumerate(marks)}
    decoder[str(size + 4)] = token("<extra>", special=False, normalized=True, rstrip=True)
    folder = lambda config, **files: {"tokenizer.json": small, "tokenizer_config.json": {**fast, **config}, **files}
    yield "added tokens in tokenizer_config.json", folder(
        {**names, "added_tokens_decoder": decoder, "chat_template": CHATML}
    )
    yield "added_tokens.json", folder(
        {"chat_template": "{{ bos_token }}" + CHATML},
        **{
            "added_tokens.json": {"<|im_end|>": size + 1, "<|im_start|>": size, "<extra>": size + 2},
            "special_tokens_map.json": {
                "bos_token": written("<|im_start|>"),
                "eos_token": "<|im_end|>",
                "additional_special_tokens": ["<pad>", "<|im_start|>"],
            },
        },
    )
    yield "special_tokens_map.json over tokenizer_config.json", folder(
        {"bos_token": "<pad>", "eos_token": "</s>", "chat_template": EVERY + CHATML},
        **{"special_tokens_map.json": {"bos_token": {**written("<s>"), "lstrip": True}, "unk_token": "<extra>"}},
    )
    yield "special_tokens_map.json beside added_tokens_decoder", folder(
        {**names, "added_tokens_decoder": decoder, "chat_template": EVERY},
        **{"special_tokens_map.json": {"bos_token": "</s>", "pad_token": "<s>"}},
    )
    yield "every special token", folder(
        {
            **names,
            "unk_token": "<|im_start|>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "mask_token": "<extra>",
            "image_token": "<|im_end|>",
            "chat_template": EVERY + CHATML,
        }
    )
    yield "additional_special_tokens", folder({**names, "additional_special_tokens": ["<extra>", "<|im_end|>"]})
    start = {"__type": "AddedToken", **token("<|im_start|>", lstrip=True)}
    extra = {"image": "<extra>", "eos_token": "<|im_end|>", "start": start}
    shown = EVERY + "({{ image }}{{ start }}{{ end }})" + CHATML
    yield "extra_special_tokens by name", folder(
        {**names, "extra_special_tokens": extra, "additional_special_tokens": ["<pad>"], "chat_template": shown}
    )
    yield "additional_special_tokens by name", folder({**names, "additional_special_tokens": extra, "chat_template": shown})
    yield "two lists of special tokens", folder(
        {**names, "additional_special_tokens": ["<pad>"], "extra_special_tokens": ["<extra>"]}
    )
    yield "an empty list of special tokens beside another", folder(
        {**names, "additional_special_tokens": ["<pad>"], "extra_special_tokens": []}
    )
    yield "tokens by name in special_tokens_map.json", folder(
        {**names, "chat_template": shown}, **{"special_tokens_map.json": {"extra_special_tokens": {"end": "<pad>"}}}
    )
    # Without effect on a tokenizer that is read as its file has it.
    yield "add_prefix_space true beside tokenizer.json", folder({**names, "add_prefix_space": True})
    for value in (False, True):
        yield f"split_special_tokens {value}", folder({**names, "split_special_tokens": value})
        clean = {"clean_up_tokenization_spaces": value, OF_BPE: value}
        yield f"clean_up_tokenization_spaces {value}", folder({**names, **clean})
    named = {"rag": "RAG " + CHATML, "default": CHATML, "tool_use": "T"}
    yield "templates by name", folder({**names, "chat_template": named})
    as_list = [{"name": name, "template": template} for name, template in named.items()]
    yield "templates as a list", folder({**names, "chat_template": as_list})
    yield "templates in files", folder(
        {**names, "chat_template": "not this"},
        **{"chat_template.jinja": CHATML, "additional_chat_templates/rag.jinja": "RAG " + CHATML},
    )
    for name, template in TEMPLATES.items():
        yield f"template: {name}", folder({**names, "chat_template": template})
    around = Tokenizer.from_str(plain.to_str())
    around.add_special_tokens(marks)
    around.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", size), ("</s>", size + 1)]
    )
    yield "closes with an end token", {
        "tokenizer.json": json.loads(around.to_str()),
        "tokenizer_config.json": {**fast, **names, "chat_template": CHATML},
    }
    vocab, merges = small["model"]["vocab"], small["model"]["merges"]
    text = "#version: 0.2\n" + "\n".join(" ".join(merge) for merge in merges) + "\n"
    pairs = {"vocab.json": vocab, "merges.txt": text}
    qwen = {str(size + i): token(t) for i, t in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])}
    yield "vocab.json of Qwen2", {
        **pairs,
        "config.json": {"model_type": "qwen2"},
        "tokenizer_config.json": {
            "tokenizer_class": "Qwen2Tokenizer",
            "added_tokens_decoder": qwen,
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
            "bos_token": None,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": None,
            "chat_template": CHATML,
        },
    }
    yield "vocab.json of GPT-2", {
        **pairs,
        "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": True},
    }
    yield "vocab.json of GPT-2, with other files", {
        **pairs,
        "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"},
        "special_tokens_map.json": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<s>"},
        "added_tokens.json": {"<s>": size, "</s>": size + 1, "<extra>": size + 2},
    }


def write(folder, files):
    for name, content in {"config.json": {"model_type": "llama"}, **files}.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))


def measured(name, fast):
    """What the tokenizer of a folder makes of the texts, and its templates of the talks."""
    made = {"texts": []}
    for text in TEXTS:
        ids = fast.encode(text, add_special_tokens=False)
        made["texts"].append(
            {
                "text": text,
                "ids": ids,
                "around": fast.encode(text),
                "decoded": fast.decode(ids, skip_special_tokens=True),
            }
        )
    chats = []
    if fast.chat_template:
        arguments = ARGUMENTS.get(name.removeprefix("template: "), {})
        for which in [None, "rag"] if "rag" in fast.chat_template else [None]:
            for talk in (QUESTION, TALK):
                options = {"add_generation_prompt": talk is QUESTION, "chat_template": which, **arguments}
                shown = fast.apply_chat_template(talk, tokenize=False, **options)
                ids = fast.apply_chat_template(talk, return_dict=False, **options)
                messages = [[m["role"], m["content"]] for m in talk]
                prompt = options["add_generation_prompt"]
                chat = {"messages": messages, "prompt": prompt, "text": shown, "ids": ids}
                chats.append({**chat, "which": which, "arguments": arguments})
    made["chats"] = chats
    return made


def main():
    (target,) = sys.argv[1:]
    found = []
    for name, files in cases():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, files)
            try:
                fast = AutoTokenizer.from_pretrained(folder)
            except Exception as error:
                raise RuntimeError(name) from error
            found.append({"name": name, "files": files, **measured(name, fast)})
    # Read from tokenizer.model alone, beside what SentencePiece itself makes of a text without special tokens.
    pieces = []
    with tempfile.TemporaryDirectory() as folder:
        model = sentencepiece_model(os.path.join(folder, "tokenizer"))
        own = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "tokenizer.model"))
        texts = [text for text in TEXTS if "<s>" not in text]
        legacy = [{"text": text, "ids": own.encode(text)} for text in texts]
        config = {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": True}
        write(folder, {"tokenizer_config.json": config})
        fast = AutoTokenizer.from_pretrained(folder)
        first = [
            {"text": text, "ids": fast.encode(text, add_special_tokens=False)}
            for text in [*texts, "a<s>b", "<s> a</s>b"]
        ]
        pieces = {"model": model.hex(), "legacy": legacy, "first": first}
    golden = {
        "made_by": "tests/golden/folders.py",
        "versions": {n: importlib.metadata.version(n) for n in ("transformers", "tokenizers", "sentencepiece")},
        "folders": found,
        "sentencepiece": pieces,
    }
    # Each folder's tokenizer.json is the same but for one: it stands once.
    base = found[0]["files"]["tokenizer.json"]
    golden["tokenizer.json"] = base
    for folder in found:
        if folder["files"].get("tokenizer.json") == base:
            folder["files"]["tokenizer.json"] = None
    with open(target, "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
