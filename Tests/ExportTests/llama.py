"""Reads an exported model with numpy and compares its logits with those of a file: llama.py DIR|FILE.gguf LOGITS [BOUND].

Written from the formulas of Llama, Qwen3 and GPT-2 and the safetensors format; GGUF files are read by the gguf package of
llama.cpp's authors, and the queries and keys of its llama turn as llama.cpp turns them. Nothing of foretop is used.
"""

import json
import os
import struct
import sys

import numpy as np


def tensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        assert (8 + length) % 8 == 0
        header = json.loads(file.read(length))
        data = file.read()
    assert header.pop("__metadata__")["format"] == "pt"
    end = 0
    found = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32" and entry["data_offsets"][0] == end, name
        end = entry["data_offsets"][1]
        values = np.frombuffer(data[entry["data_offsets"][0]:end], "<f4")
        found[name] = values.reshape(entry["shape"]).astype(np.float64)
    assert end == len(data)
    return found


def normed(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def turned(x, theta, neighbours):
    """Rotary positions of x [heads, T, h]: lane i pairs with lane i + h/2, or 2i with 2i + 1."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[1]), theta ** (-np.arange(half) / half))
    a, b = (x[..., 0::2], x[..., 1::2]) if neighbours else (x[..., :half], x[..., half:])
    turned = a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)
    return np.stack(turned, -1).reshape(x.shape) if neighbours else np.concatenate(turned, -1)


def attended(q, k, v):
    """Causal attention of [heads, T, h], heads side by side afterwards."""
    length, width = q.shape[1:]
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(width) + np.triu(np.full((length, length), -np.inf), 1)
    share = np.exp(scores - scores.max(-1, keepdims=True))
    share /= share.sum(-1, keepdims=True)
    return (share @ v).transpose(1, 0, 2).reshape(length, -1)


def llama(config, weights, tokens):
    is_qwen = config["model_type"] == "qwen3"
    assert config["architectures"] == ["Qwen3ForCausalLM" if is_qwen else "LlamaForCausalLM"]
    assert config["hidden_act"] == "silu"
    heads, groups, width = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    epsilon = config["rms_norm_eps"]
    length = len(tokens)
    x = weights["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        def weight(name):
            return weights[f"model.layers.{layer}.{name}.weight"]

        h = normed(x, weight("input_layernorm"), epsilon)

        def split(name, count):
            return (h @ weight(f"self_attn.{name}_proj").T).reshape(length, count, width).transpose(1, 0, 2)

        q, k, v = split("q", heads), split("k", groups), split("v", groups)
        if is_qwen:
            q, k = normed(q, weight("self_attn.q_norm"), epsilon), normed(k, weight("self_attn.k_norm"), epsilon)
        q, k = (turned(part, config["rope_theta"], config.get("neighbours", False)) for part in (q, k))
        k, v = (np.repeat(part, heads // groups, axis=0) for part in (k, v))
        x = x + attended(q, k, v) @ weight("self_attn.o_proj").T
        h = normed(x, weight("post_attention_layernorm"), epsilon)
        gate, up = h @ weight("mlp.gate_proj").T, h @ weight("mlp.up_proj").T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weight("mlp.down_proj").T
    return normed(x, weights["model.norm.weight"], epsilon), "model.embed_tokens.weight"


def gpt2(config, weights, tokens):
    assert config["architectures"] == ["GPT2LMHeadModel"] and config["activation_function"] == "gelu_new"
    heads, width = config["n_head"], config["n_embd"]
    length = len(tokens)

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred * centred).mean(-1, keepdims=True) + config["layer_norm_epsilon"])
        return centred / scale * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = weights["transformer.wte.weight"][tokens] + weights["transformer.wpe.weight"][:length]
    for layer in range(config["n_layer"]):
        name = f"transformer.h.{layer}"
        joint = linear(norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn")
        q, k, v = (part.reshape(length, heads, -1).transpose(1, 0, 2) for part in np.split(joint, 3, axis=1))
        x = x + linear(attended(q, k, v), f"{name}.attn.c_proj")
        u = linear(norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc")
        assert u.shape[1] == config["n_inner"] and x.shape[1] == width
        x = x + linear(0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3))), f"{name}.mlp.c_proj")
    return norm(x, "transformer.ln_f"), "transformer.wte.weight"


GGUF_NAMES = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


GGUF_GPT2_NAMES = {
    "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
}


def gguf_numbers(tensor):
    import gguf

    numbers = gguf.dequantize(tensor.data, tensor.tensor_type)
    return numbers.reshape(tuple(int(n) for n in tensor.shape[::-1])).astype(np.float64)


def read_gguf(path):
    """The same two values as a model folder gives: configuration and tensors."""
    import gguf

    reader = gguf.GGUFReader(path)
    field = {name: value.contents() for name, value in reader.fields.items()}
    kind = field["general.architecture"]
    assert field["GGUF.version"] == 3 and kind in ("llama", "qwen3", "gpt2")
    assert len(field["tokenizer.ggml.tokens"]) == field[f"{kind}.vocab_size"]
    if kind == "gpt2":
        return read_gguf_gpt2(reader, field)
    weights = {}
    for tensor in reader.tensors:
        assert tensor.data_offset % 32 == 0
        words = tensor.name.split(".")
        name = (
            f"model.layers.{words[1]}.{GGUF_NAMES[words[2]]}.weight" if words[0] == "blk" else
            {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}[words[0]] + ".weight")
        weights[name] = gguf_numbers(tensor)
    config = {
        "architectures": ["LlamaForCausalLM" if kind == "llama" else "Qwen3ForCausalLM"], "model_type": kind,
        "hidden_act": "silu", "num_attention_heads": field[f"{kind}.attention.head_count"],
        "num_key_value_heads": field[f"{kind}.attention.head_count_kv"],
        "head_dim": field[f"{kind}.rope.dimension_count"],
        "rms_norm_eps": field[f"{kind}.attention.layer_norm_rms_epsilon"],
        "rope_theta": field[f"{kind}.rope.freq_base"], "num_hidden_layers": field[f"{kind}.block_count"],
        "tie_word_embeddings": "lm_head.weight" not in weights,
        # llama.cpp's llama turns neighbouring lanes, its qwen3 those half a head apart.
        "neighbours": kind == "llama",
    }
    print(field["tokenizer.ggml.model"], *sorted({tensor.tensor_type.name for tensor in reader.tensors}))
    return config, weights


def read_gguf_gpt2(reader, field):
    weights = {}
    for tensor in reader.tensors:
        assert tensor.data_offset % 32 == 0
        *words, part = tensor.name.split(".")
        numbers = gguf_numbers(tensor)
        if words[0] == "blk":
            name = f"transformer.h.{words[1]}.{GGUF_GPT2_NAMES[words[2]]}"
            # llama.cpp multiplies with [out, in], GPT-2's own code with [in, out].
            numbers = numbers.T
        else:
            name = {"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output": "lm_head",
                    "output_norm": "transformer.ln_f"}[words[0]]
        if numbers.ndim == 1 or name == "transformer.wpe":
            assert tensor.tensor_type.name == "F32", tensor.name
        weights[f"{name}.{part}"] = numbers
    config = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "n_embd": field["gpt2.embedding_length"], "n_head": field["gpt2.attention.head_count"],
        "n_inner": field["gpt2.feed_forward_length"], "n_layer": field["gpt2.block_count"],
        "layer_norm_epsilon": field["gpt2.attention.layer_norm_epsilon"],
        "tie_word_embeddings": "lm_head.weight" not in weights,
    }
    assert weights["transformer.wpe.weight"].shape == (field["gpt2.context_length"], config["n_embd"])
    print(field["tokenizer.ggml.model"], *sorted({tensor.tensor_type.name for tensor in reader.tensors}))
    return config, weights


def logits(path, tokens):
    if path.endswith(".gguf"):
        config, weights = read_gguf(path)
    else:
        with open(os.path.join(path, "config.json")) as file:
            config = json.load(file)
        weights = tensors(os.path.join(path, "model.safetensors"))
    hidden, embedding = (gpt2 if config["model_type"] == "gpt2" else llama)(config, weights, tokens)
    head = weights[embedding if config["tie_word_embeddings"] else "lm_head.weight"]
    assert ("lm_head.weight" in weights) != config["tie_word_embeddings"]
    return hidden @ head.T, sorted(set(weights))


if __name__ == "__main__":
    with open(sys.argv[2]) as file:
        wanted = json.load(file)
    found, names = logits(sys.argv[1], wanted["tokens"])
    expected = np.array(wanted["logits"])
    assert found.shape == expected.shape, (found.shape, expected.shape)
    assert np.abs(expected).max() > 0.5, "logits that are all alike prove nothing"
    print(f"largest difference {np.abs(found - expected).max():.2e} of {np.abs(expected).max():.2f}")
    print(" ".join(name for name in names if "layers" not in name and ".h." not in name))
    bound = float(sys.argv[3]) if len(sys.argv) > 3 else 1e-4
    sys.exit(0 if np.abs(found - expected).max() < bound else 1)
