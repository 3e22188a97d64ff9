"""One peer of measure.py, loaded once: `peers.py NAME GGUF`. A JSON request a line in, a JSON answer a line out."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

NAME, MODEL = sys.argv[1], Path(sys.argv[2])
ANSWERS = sys.stdout
sys.stdout = sys.stderr


def answer(value):
    ANSWERS.write(json.dumps(value) + "\n")
    ANSWERS.flush()


def timed(work):
    start = time.monotonic()
    work()
    return time.monotonic() - start


def prompt(tokens):
    return [100 + i * 7919 % 40000 for i in range(tokens)]


def torch_model():
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(MODEL.parent, gguf_file=MODEL.name, attn_implementation="sdpa")
    return model.float().eval()


def transformers():
    import torch

    model = torch_model()

    def serve(request):
        with torch.inference_mode():
            if "matmul" in request:
                return {"flops": matmul(torch)}
            ids = torch.tensor([prompt(request["prefill"])])
            return {"seconds": timed(lambda: model(ids, use_cache=True, logits_to_keep=1))}

    return ["torch", "transformers"], serve


def matmul(torch):
    """FLOP/s sustained over the linear layers of the whole model at 512 tokens, about as long as a prefill takes."""
    shapes = [(960, 576), (576, 576), (3072, 576), (576, 1536)] * 30
    pairs = [(torch.randn(512, k), torch.randn(n, k)) for n, k in shapes]

    def once():
        for x, weight in pairs:
            torch.nn.functional.linear(x, weight)

    once()
    flop = sum(2 * 512 * n * k for n, k in shapes)
    return 3 * flop / timed(lambda: [once() for _ in range(3)])


def llama_cpp():
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(MODEL)
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_parallel = 8192, 2048, 512, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    params.warmup = False
    server = xllamacpp.Server(params)

    def serve(request):
        reply = {}
        body = {"prompt": prompt(request["prefill"]), "n_predict": 1, "cache_prompt": False}
        server.handle_completions(json.dumps(body), lambda chunk: reply.update(parse(chunk)))
        return {"seconds": reply["timings"]["prompt_ms"] / 1e3}

    def parse(chunk):
        return json.loads(chunk) if isinstance(chunk, (str, bytes)) else chunk

    return ["xllamacpp"], serve


def kvpress():
    import kvpress as presses
    import torch

    model = torch_model()
    kinds = [
        presses.StreamingLLMPress,
        presses.SnapKVPress,
        presses.PyramidKVPress,
        presses.TOVAPress,
        presses.KnormPress,
    ]

    def generate(press, ids, new_tokens):
        from transformers import DynamicCache

        cache = DynamicCache()
        with torch.inference_mode():
            with press(model):
                logits = model(ids, past_key_values=cache, logits_to_keep=1).logits
            position = ids.shape[1]
            for step in range(new_tokens):
                token = logits[:, -1:].argmax(-1)
                positions = torch.tensor([[position + step]])
                logits = model(token, past_key_values=cache, position_ids=positions, logits_to_keep=1).logits

    def serve(request):
        ids = torch.tensor([prompt(request["presses"])])
        cells = [kind(compression_ratio=1 - request["kept"]) for kind in kinds]
        return {"seconds": timed(lambda: [generate(cell, ids, request["new_tokens"]) for cell in cells])}

    return ["torch", "transformers", "kvpress"], serve


packages, serve = {"transformers": transformers, "llama.cpp": llama_cpp, "kvpress": kvpress}[NAME]()
answer({package: version(package) for package in packages})
for line in sys.stdin:
    answer(serve(json.loads(line)))
