"""Prints what a GGUF file says about its tokenizer, read by the gguf package of llama.cpp: vocabulary.py FILE.gguf"""

import sys

import gguf

field = {name.removeprefix("tokenizer.ggml."): value.contents() for name, value in gguf.GGUFReader(sys.argv[1]).fields.items()
         if name.startswith("tokenizer.ggml.")}
tokens, merges = field["tokens"], field["merges"]
assert len(tokens) == len(field["token_type"]) and not field["add_bos_token"]
for merge in merges:
    left, right = merge.split(" ")
    assert {left, right, left + right} <= set(tokens), merge
print(field["model"], field["pre"], len(tokens), "tokens", len(merges), "merges, end", tokens[field["eos_token_id"]])
print("\n".join(merges))
