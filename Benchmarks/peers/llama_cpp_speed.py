"""How fast llama.cpp reads a prompt and writes tokens with a GGUF file.

    llama_cpp_speed.py MODEL.gguf --prompt N --after N --tokens N --rounds N --threads N

Prints a JSON object: tokens/s of reading a prompt of --prompt tokens at once, and of writing --tokens tokens, the likeliest ones, after
a prompt of --after tokens that is read before. Medians of the rounds; the first of them does not count.
"""

import argparse
import ctypes
import json
import statistics
import time

import llama_cpp
import numpy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    for option in ("prompt", "after", "tokens", "rounds", "threads"):
        parser.add_argument(f"--{option}", type=int, required=True)
    options = parser.parse_args()
    context = max(options.prompt, options.after + options.tokens)
    model = llama_cpp.Llama(options.model, n_ctx=context, n_batch=context, n_ubatch=min(512, context), n_threads=options.threads,
                            n_threads_batch=options.threads, verbose=False)
    vocabulary = model.n_vocab()

    def read(tokens):
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(model.ctx, llama_cpp.llama_batch_get_one(array, len(tokens))):
            raise SystemExit("llama.cpp could not read the tokens")

    def clear():
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(model.ctx), True)

    def likeliest():
        logits = llama_cpp.llama_get_logits_ith(model.ctx, -1)
        return int(numpy.ctypeslib.as_array(ctypes.cast(logits, ctypes.POINTER(ctypes.c_float)), (vocabulary,)).argmax())

    reading, writing = [], []
    for number in range(options.rounds + 1):
        clear()
        start = time.perf_counter()
        read([(7 * n + 3) % vocabulary for n in range(options.prompt)])
        likeliest()
        read_time = time.perf_counter() - start
        clear()
        read([(7 * n + 3) % vocabulary for n in range(options.after)])
        token = likeliest()
        start = time.perf_counter()
        for _ in range(options.tokens):
            read([token])
            token = likeliest()
        if number > 0:
            reading.append(options.prompt / read_time)
            writing.append(options.tokens / (time.perf_counter() - start))
    print(json.dumps({"prefill": statistics.median(reading), "decode": statistics.median(writing), "version": llama_cpp.__version__}))


if __name__ == "__main__":
    main()
