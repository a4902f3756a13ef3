"""The recipe `recipes/memory-small.yaml` in PyTorch: the same network, batch and optimizer, with the tables of memory layers as
nn.EmbeddingBag, as one would write them there.

    memory.py [--rounds N] [--threads N] [--precision fp32|bf16] [--compile] [--keys N]

Prints a JSON object: tokens/s of whole training steps (forward, loss, backward, clip, AdamW), their spread, and the peak memory
of this process in bytes. AdamW of PyTorch takes dense gradients alone, so that the tables' gradients are dense. With --keys 0 the
network has no memory layers: the difference between the two step times is the time of these layers.
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F

from parts import Block, angles, report

BLOCKS, WIDTH, HEADS, INNER, VOCABULARY, CONTEXT, ROWS = 8, 256, 4, 640, 4096, 256, 16
KEY_WIDTH, TOP, VALUE_WIDTH, PRE_WIDTH, RANK, CORES = 64, 16, 96, 32, 2, 2


class Memory(nn.Module):
    """UltraMemV2 (arXiv 2508.18756), one head: product keys of rank 2, two cores, pre-values."""

    def __init__(self, keys):
        super().__init__()
        self.n = keys
        self.query = nn.Linear(WIDTH, 2 * RANK * KEY_WIDTH, bias=False)
        self.query_norm = nn.RMSNorm(KEY_WIDTH, eps=1e-5)
        self.key_norm = nn.RMSNorm(KEY_WIDTH, eps=1e-5)
        self.keys = nn.Parameter(torch.randn(2, RANK, keys, KEY_WIDTH) / KEY_WIDTH**0.5)
        self.cores = nn.Parameter(torch.rand(CORES, RANK, RANK))
        self.pre_proj = nn.Linear(WIDTH, PRE_WIDTH, bias=False)
        self.out_proj = nn.Linear(VALUE_WIDTH, WIDTH, bias=False)
        self.pre = nn.Embedding(keys * keys, PRE_WIDTH)
        # A core weighs its own part of a value.
        self.values = nn.ModuleList(
            nn.EmbeddingBag(keys * keys, VALUE_WIDTH // CORES, mode="sum") for _ in range(CORES))
        for table in [self.pre, *self.values]:
            nn.init.normal_(table.weight, std=0.02)
        self.register_buffer("u", torch.ones(RANK) / RANK**0.5)
        self.register_buffer("v", torch.ones(RANK) / RANK**0.5)

    @torch.no_grad()
    def choose_filter(self):
        """The first singular vectors of the cores' sum, with the sign that is nearer to that of before."""
        u, _, v = torch.linalg.svd(self.cores.sum(0))
        u, v = u[:, 0], v[0]
        if (u - self.u).abs().sum() + (v - self.v).abs().sum() > (u + self.u).abs().sum() + (v + self.v).abs().sum():
            u, v = -u, -v
        self.u.copy_(u)
        self.v.copy_(v)

    def forward(self, x):
        tokens = x.reshape(-1, WIDTH)
        q = self.query_norm(self.query(tokens).view(-1, 2, RANK, KEY_WIDTH))
        scores = torch.einsum("tsrk,srnk->tsnr", q, self.key_norm(self.keys).to(q.dtype)).float()
        rows, columns = scores[:, 0], scores[:, 1]
        a = (rows.detach() @ self.u).topk(TOP, dim=-1).indices
        b = (columns.detach() @ self.v).topk(TOP, dim=-1).indices
        rows = rows.gather(1, a[..., None].expand(-1, -1, RANK))
        columns = columns.gather(1, b[..., None].expand(-1, -1, RANK))
        grid = torch.einsum("tar,crs,tbs->tcab", rows, self.cores, columns).flatten(2)
        picked = grid.detach().sum(1).topk(TOP, dim=-1).indices
        index = a.gather(1, picked // TOP) * self.n + b.gather(1, picked % TOP)
        weights = grid.gather(2, picked[:, None].expand(-1, CORES, -1))
        z = self.pre_proj(tokens).float()
        factor = torch.einsum("tmp,tp->tm", self.pre(index), z)
        pooled = [bag(index, per_sample_weights=(weights[:, core] * factor).float()) for core, bag in enumerate(self.values)]
        return self.out_proj(torch.cat(pooled, -1)).view(x.shape)


class Network(nn.Module):
    def __init__(self, keys):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block(WIDTH, HEADS, INNER, Memory(keys) if keys else None) for _ in range(BLOCKS))
        self.norm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.unembedding = nn.Linear(WIDTH, VOCABULARY, bias=False)
        cos, sin = angles(WIDTH // HEADS, CONTEXT)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, text):
        x = self.embedding(text[:, :CONTEXT])
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.unembedding(self.norm(x)).view(-1, VOCABULARY).float()
        return F.cross_entropy(logits, text[:, 1:].reshape(-1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--keys", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    network = Network(options.keys)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    run = torch.compile(network) if options.compile else network
    text = torch.randint(VOCABULARY, (ROWS, CONTEXT + 1))
    memories = [block.beside for block in network.blocks if block.beside]

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            loss = run(text)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        for memory in memories:
            memory.choose_filter()

    report("memory-small", step, ROWS * CONTEXT, options.rounds, warmups=2)


if __name__ == "__main__":
    main()
