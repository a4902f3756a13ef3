"""Reads an exported model folder with numpy alone and compares its logits with those of a file: llama.py DIR LOGITS.

Written from the formulas of Llama, Qwen3 and GPT-2 and the safetensors format; nothing of foretop is used.
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


def turned(x, theta):
    """Rotary positions of x [heads, T, h]: lane i pairs with lane i + h/2."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[1]), theta ** (-np.arange(half) / half))
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)], -1)


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
        q, k = turned(q, config["rope_theta"]), turned(k, config["rope_theta"])
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


def logits(folder, tokens):
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    weights = tensors(os.path.join(folder, "model.safetensors"))
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
    sys.exit(0 if np.abs(found - expected).max() < 1e-4 else 1)
