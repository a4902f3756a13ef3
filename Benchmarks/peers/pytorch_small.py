"""The workload "small" in PyTorch: the same network, batch and optimizer as `Benchmarks/bench`, written plainly.

    pytorch_small.py [--rounds N] [--threads N] [--compile] [--objective ntp|ntp+top] [--precision bf16|fp32] [--json]

Prints tokens/s of whole training steps: forward, loss, backward, clip, AdamW.
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

BLOCKS, WIDTH, HEADS, INNER, VOCABULARY, CONTEXT, ROWS = 6, 384, 6, 1024, 8192, 256, 16


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
    def __init__(self, with_top):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.ntp = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.top = nn.Linear(WIDTH, VOCABULARY, bias=False) if with_top else None
        half = WIDTH // HEADS // 2
        angles = torch.outer(torch.arange(CONTEXT), 10_000.0 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, tokens, targets, order):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        h = self.norm(x)
        loss = F.cross_entropy(self.ntp(h).view(-1, VOCABULARY).float(), targets.view(-1))
        if self.top is not None:
            log_p = F.log_softmax(self.top(h).view(-1, VOCABULARY).float(), dim=-1)
            places, weights = order
            loss = loss - (log_p.gather(1, places) * weights).sum(-1).mean()
        return loss


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--objective", choices=["ntp", "ntp+top"], default="ntp")
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    network = Network(options.objective == "ntp+top")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    run = torch.compile(network) if options.compile else network
    text = torch.randint(VOCABULARY, (ROWS, CONTEXT + 1))
    tokens, targets = text[:, :-1].contiguous(), text[:, 1:].contiguous()
    # TOP's targets as the 32 nearest tokens with their weights: the leanest that PyTorch can be given.
    weights = torch.softmax(-torch.arange(32.0), dim=0).expand(ROWS * CONTEXT, 32)
    order = (torch.randint(VOCABULARY, (ROWS * CONTEXT, 32)), weights.contiguous())

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            loss = run(tokens, targets, order)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):
        step()
    times = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    rate = ROWS * CONTEXT / statistics.median(times)
    mode = ("compiled " if options.compile else "") + options.precision
    if options.json:
        print(json.dumps({"workload": options.objective, "mode": mode, "tokensPerSecond": rate}))
    else:
        print(f"PyTorch {torch.__version__} {options.objective} {mode}: {rate:.0f} tokens/s")


if __name__ == "__main__":
    main()
