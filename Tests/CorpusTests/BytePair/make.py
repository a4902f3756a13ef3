"""Makes the files in this folder, by hand, with the tokenizers library: small byte-level BPE tokenizers that cut words as GPT-2,
SmolLM, Llama 3 and Qwen do, and what they make of texts of all kinds.

    pip install tokenizers==0.23.3
    python make.py CORPUS
"""

import json
import os
import random
import sys
import unicodedata

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def level(cuts):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=cuts)


def split(expression):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), "isolated"), level(False)])


WAYS = {
    "gpt2": level(True),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level(True)]),
    "llama3": split(LLAMA),
    "qwen": split(LLAMA.replace(r"\p{N}{1,3}", r"\p{N}")),
}

draw = random.Random(7)
PARTS = [
    "the", " thethethethe", "Moses", "The", " and", "unto", "LORD", "'s", "'S", "'ll", "'RE", "'ve", "'d", "'ſ", "'", "''", "don't", "I'M", " ", "  ", "   ",
    "\n", "\n\n", "\r\n", "\t", " \n", "\n ", " \r", "\u00a0", "\u3000", "\u2028", "\u0085", "\x1c", "\x00", "\x7f", "1", "12",
    "345", "6789", " 2024", "½", "Ⅷ", "٣", "²", ".", ",", "...", "!?", " —", "(", ")", " (", "#", "$5", "_", "a_b", "x=1;", "é",
    "e\u0301", "ß", "Ω", "ночь", "한국어", "日本語", "。", "中", "文", "العربية", "עברית", "हिन्दी", "ไทย", "🙂", "👩‍👩‍👧", "🇫🇷", "\u200d", "\ufeff",
    "\ue000", "𝔘", "𐍈", "aaaaaaaaaaaaaaaa", "thethethethe", "<|endoftext", "\\n", "/", "//", "http://a.b/c?d=e", "Å", "ǅ",
]


def texts():
    found = ["", " ", "a", "\n", "In the beginning God created the heaven and the earth.\nAnd the earth was without form.\n"]
    for _ in range(400):
        found.append("".join(draw.choice(PARTS) for _ in range(draw.randrange(1, 12))))
    for _ in range(60):
        found.append("".join(chr(draw.choice([draw.randrange(0x20, 0x7F), draw.randrange(0x80, 0xD800), draw.randrange(0x10000, 0x1FFFF)]))
                             for _ in range(draw.randrange(1, 20))))
    # With something before and behind, so that it is cut into blocks with words at their edges.
    return found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        corpus = file.read()[:400_000]
    for name, way in WAYS.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
        tokenizer.pre_tokenizer = way
        tokenizer.decoder = decoders.ByteLevel()
        if name == "qwen":
            tokenizer.normalizer = normalizers.NFC()
        special = "<|end_of_text|>" if name == "llama3" else "<|endoftext|>"
        tokenizer.train_from_iterator([corpus, "日本語。中文 ночь 한국어 don't I'm 12 345 \n\n" * 50], trainers.BpeTrainer(
            vocab_size=418 if name == "llama3" else 420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[special], show_progress=False))
        path = os.path.join(HERE, f"{name}.json")
        tokenizer.save(path, pretty=False)
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        model = document["model"]
        if name == "llama3":
            # A word that no merges make, which is taken whole.
            model["vocab"]["Ġthethethethe"] = len(model["vocab"])
            model["vocab"]["Moses"] = len(model["vocab"])
        if name in ("gpt2", "llama3"):
            # As files of earlier years have them.
            model["merges"] = [" ".join(merge) for merge in model["merges"]]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, separators=(",", ":"))
        tokenizer = Tokenizer.from_file(path)
        cases = []
        for text in texts():
            text = unicodedata.normalize("NFC", text) if name == "qwen" else text
            cases.append({"text": text, "tokens": tokenizer.encode(text, add_special_tokens=False).ids})
        with open(os.path.join(HERE, f"{name}.cases.json"), "w") as file:
            json.dump(cases, file, separators=(",", ":"))


main()
