"""The workloads of `foretop bench` in PyTorch: the same network, batch and optimizer, as one would write them there.

    pytorch.py WORKLOAD [--rounds N] [--threads N] [--compile]      WORKLOAD as in foretop: 'ntp bf16', 'mtp-4 fp32', …

Prints a JSON object: tokens/s of whole training steps (forward, losses, backward, clip, AdamW), their spread, and the peak
memory of this process in bytes.
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

BLOCKS, WIDTH, HEADS, INNER, VOCABULARY, CONTEXT, ROWS = 6, 384, 6, 1024, 8192, 256, 16
# MTP-4: as many blocks, of which four are heads beside each other on a trunk of two (Gloeckle et al. 2024).
AHEAD = 4
# TOP's target is a short list: what is further ahead than 32 tokens weighs nothing in fp32.
LISTED = 32


def rotary(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = nn.RMSNorm(WIDTH, eps=1e-6)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm2 = nn.RMSNorm(WIDTH, eps=1e-6)
        self.gate_up = nn.Linear(WIDTH, 2 * INNER, bias=False)
        self.down = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x, cos, sin):
        rows, context, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(rows, context, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        q, k = rotary(q, cos, sin).to(v.dtype), rotary(k, cos, sin).to(v.dtype)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(rows, context, width))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Network(nn.Module):
    """Returns the sum of all losses."""

    def __init__(self, objective):
        super().__init__()
        ahead = AHEAD if objective == "mtp-4" else 1
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.trunk = nn.ModuleList(Block() for _ in range(BLOCKS - ahead))
        self.heads = nn.ModuleList(Block() for _ in range(ahead))
        self.norm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.ntp = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.top = nn.Linear(WIDTH, VOCABULARY, bias=False) if objective == "ntp+top" else None
        half = WIDTH // HEADS // 2
        angles = torch.outer(torch.arange(CONTEXT), 10_000.0 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, text, order):
        x = self.embedding(text[:, :CONTEXT])
        for block in self.trunk:
            x = block(x, self.cos, self.sin)
        loss = 0
        for index, block in enumerate(self.heads):
            h = self.norm(block(x, self.cos, self.sin))
            next_tokens = text[:, 1 + index : 1 + index + CONTEXT].reshape(-1)
            loss = loss + F.cross_entropy(self.ntp(h).view(-1, VOCABULARY).float(), next_tokens)
        if self.top is not None:
            # Cross-entropy against a list of weighted tokens: only the logsumexp needs the whole vocabulary.
            logits = self.top(h).view(-1, VOCABULARY).float()
            tokens, weights = order
            loss = loss + (torch.logsumexp(logits, -1) - (logits.gather(1, tokens) * weights).sum(-1)).mean()
        return loss


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    objective, precision = options.workload.split()
    if objective not in ("ntp", "ntp+top", "mtp-4") or precision not in ("bf16", "fp32"):
        parser.error(f"there is no workload {options.workload!r}")
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    network = Network(objective)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    run = torch.compile(network) if options.compile else network
    text = torch.randint(VOCABULARY, (ROWS, CONTEXT + AHEAD))
    # Made beforehand: what the lists cost is not counted.
    weights = torch.softmax(-torch.arange(float(LISTED)), dim=0).expand(ROWS * CONTEXT, LISTED).contiguous()
    order = (torch.randint(VOCABULARY, (ROWS * CONTEXT, LISTED)), weights)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = run(text, order)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):
        step()
    rates = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        step()
        rates.append(ROWS * CONTEXT / (time.perf_counter() - start))
    rates.sort()
    middle = statistics.median(rates)
    quarter = len(rates) // 4
    print(
        json.dumps(
            {
                "workload": options.workload,
                "tokensPerSecond": middle,
                "spread": (rates[-1 - quarter] - rates[quarter]) / 2 / middle,
                "peakMemory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "version": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
