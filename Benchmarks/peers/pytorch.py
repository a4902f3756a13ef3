"""The workloads of `foretop bench` in PyTorch: the same network, batch and optimizer, as one would write them there.

    pytorch.py WORKLOAD [--rounds N] [--threads N] [--compile]      WORKLOAD as in foretop: 'ntp bf16', 'mtp-4 fp32', …

Prints a JSON object: tokens/s of whole training steps (forward, losses, backward, clip, AdamW), their spread, and the peak
memory of this process in bytes.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F

from parts import Block, angles, report

BLOCKS, WIDTH, HEADS, INNER, VOCABULARY, CONTEXT, ROWS = 6, 384, 6, 1024, 8192, 256, 16
# MTP-4: as many blocks, of which four are heads beside each other on a trunk of two (Gloeckle et al. 2024).
AHEAD = 4
# TOP's target is a short list: what is further ahead than 32 tokens weighs nothing in fp32.
LISTED = 32


class Network(nn.Module):
    """Returns the sum of all losses."""

    def __init__(self, objective):
        super().__init__()
        ahead = AHEAD if objective == "mtp-4" else 1
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.trunk = nn.ModuleList(Block(WIDTH, HEADS, INNER) for _ in range(BLOCKS - ahead))
        self.heads = nn.ModuleList(Block(WIDTH, HEADS, INNER) for _ in range(ahead))
        self.norm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.ntp = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.top = nn.Linear(WIDTH, VOCABULARY, bias=False) if objective == "ntp+top" else None
        cos, sin = angles(WIDTH // HEADS, CONTEXT)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

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

    report(options.workload, step, ROWS * CONTEXT, options.rounds, warmups=3)


if __name__ == "__main__":
    main()
