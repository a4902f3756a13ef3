"""What the networks in PyTorch share: a block with rotary positions, and the measuring of whole training steps."""

import json
import resource
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def rotary(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def angles(head_width, context):
    """Cosines and sines of every position, for half of a head's width."""
    half = head_width // 2
    turns = torch.outer(torch.arange(context), 10_000.0 ** (-torch.arange(half) / half))
    return turns.cos(), turns.sin()


class Block(nn.Module):
    """Attention, then a gated MLP. `beside` reads what the MLP reads, and what it returns is added too."""

    def __init__(self, width, heads, inner, beside=None):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.RMSNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.RMSNorm(width, eps=1e-6)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        self.beside = beside

    def forward(self, x, cos, sin):
        rows, context, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(rows, context, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k = rotary(q, cos, sin).to(v.dtype), rotary(k, cos, sin).to(v.dtype)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(rows, context, width))
        normed = self.norm2(x)
        gate, up = self.gate_up(normed).chunk(2, dim=-1)
        x = x + self.down(F.silu(gate) * up)
        return x if self.beside is None else x + self.beside(normed)


def report(workload, step, tokens, rounds, warmups):
    """Takes steps of so many tokens, and prints a JSON object: their speed and its spread, and the peak memory of this process in
    bytes."""
    for _ in range(warmups):
        step()
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        rates.append(tokens / (time.perf_counter() - start))
    rates.sort()
    middle = statistics.median(rates)
    quarter = len(rates) // 4
    print(
        json.dumps(
            {
                "workload": workload,
                "tokensPerSecond": middle,
                "spread": (rates[-1 - quarter] - rates[quarter]) / 2 / middle,
                "peakMemory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "version": torch.__version__,
            }
        )
    )
