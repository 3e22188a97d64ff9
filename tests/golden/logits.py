"""Writes the reference logits that tests/golden/logits.json holds.

    python tests/golden/logits.py MODEL.gguf tests/golden/logits.json

Loads the GGUF with transformers (dequantised to f32), runs three prompts on the CPU and records,
for the last position of each: the 20 largest logits, every 16th logit of the vocabulary, and 16
tokens of greedy continuation. Prompts are stored as token ids, so that the comparison does not
depend on a tokenizer.
"""

import json
import os
import sys
from importlib.metadata import version

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

SENTENCE = "The lighthouse keeper counted the ships as they came in before the storm."

QUESTION = "Which planet is closest to the sun, and how long is its year?"

PROSE = '''A spindle turns loose fibre into thread. The weight of the whorl keeps it turning, and the
hand that draws out the fibre decides how thick the thread will be. Nothing is thrown away: what was a
cloud of wool becomes a line that can be measured, wound and woven. A cache of keys and values is a
cloud of the same kind. Most of its vectors say nearly what their neighbours say, and a few say
something that nobody else does.

def wind(fibres, tension):
    """Returns the thread and how much of the fibre it took."""
    thread, used = [], 0.0
    for fibre in fibres:
        if fibre.strength < tension:
            continue
        thread.append(fibre.twist(tension))
        used += fibre.length
    return thread, used / max(1, len(fibres))

The function above keeps the strong fibres and drops the weak ones. Whether that is wise depends on
the cloth. A sail wants every strand to hold; a blanket wants warmth, and the weak fibres are warm.
So the weaver asks first what the cloth is for, and only then how much of the wool to keep. In 1764
James Hargreaves set eight spindles side by side and turned them with one wheel. One hand could then
do the work of eight, and the price of thread fell by half within ten years. The weavers, who had
waited for thread, now waited for looms. The question that the weaver asks first is'''

STEP = 16
TOP = 20
CONTINUATION = 16


def prompts(tokenizer):
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}],
        add_generation_prompt=True,
        tokenize=False,
    )
    for name, text in [("sentence", SENTENCE), ("chat", chat), ("prose", PROSE)]:
        yield name, tokenizer(text, add_special_tokens=False)["input_ids"]


def measure(model, ids):
    tokens = torch.tensor([ids])
    with torch.no_grad():
        logits = model(tokens).logits[0, -1].double()
        out = model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            do_sample=False,
            num_beams=1,
            min_new_tokens=CONTINUATION,
            max_new_tokens=CONTINUATION,
            pad_token_id=0,
        )
    top = torch.topk(logits, TOP)
    return {
        "tokens": ids,
        "top": [[i, round(v, 5)] for i, v in zip(top.indices.tolist(), top.values.tolist())],
        "every_16th": [round(v, 5) for v in logits[::STEP].tolist()],
        "greedy": out[0, len(ids):].tolist(),
    }


def main():
    path, target = sys.argv[1:]
    folder, name = os.path.split(os.path.abspath(path))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    model.eval()
    record = {
        "script": "tests/golden/logits.py",
        "model": name,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "gguf": version("gguf"),
        },
        "prompts": {prompt: measure(model, ids) for prompt, ids in prompts(tokenizer)},
    }
    with open(target, "w") as file:
        json.dump(record, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
