"""The recipe `recipes/nanogpt-cpu.yaml` in PyTorch: the same network, schedule and data split, written plainly.

    nanogpt_cpu.py TEXT [--steps N] [--seed N] [--threads N] [--precision fp32|bf16] [--compile] [--until N] [--json]
                   [--optimizer adamw|muon] [--rate R] [--every N]

Trains on the first nine tenths of TEXT's characters, then prints the mean loss over all whole windows of the last tenth, and the
seconds that the training steps took (evaluation and start are not counted). `--until` leaves off early, for measuring speed;
`--every` evaluates after so many steps, too. Muon is PyTorch's own, for the blocks' matrices, scaled to AdamW's updates.
"""

import argparse
import json
import math
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

BLOCKS, WIDTH, HEADS, CONTEXT, ROWS = 4, 128, 4, 64, 12
RATE, FLOOR, WARMUP, DECAY, CLIP, BETAS, DEVIATION = 1e-3, 0.1, 100, 0.1, 1.0, (0.9, 0.99), 0.02
HELD_OUT = 0.1


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        rows, length, _ = x.shape
        q, k, v = (
            part.view(rows, length, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).split(WIDTH, dim=2)
        )
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(rows, length, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Network(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                is_residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=DEVIATION / math.sqrt(2 * BLOCKS) if is_residual else DEVIATION)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, inputs, targets):
        x = self.tokens(inputs) + self.positions.weight[: inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = self.norm(x) @ self.tokens.weight.T
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), targets.reshape(-1))


def rate(step, steps, peak=RATE):
    if step < WARMUP:
        return peak * (step + 1) / (WARMUP + 1)
    progress = min(1, (step + 1 - WARMUP) / (steps - WARMUP + 1))
    return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--until", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--every", type=int, default=0)
    parser.add_argument("--no-evaluation", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    with open(options.text, encoding="utf-8") as file:
        text = file.read()
    ids = {character: index for index, character in enumerate(sorted(set(text)))}
    data = torch.tensor([ids[character] for character in text])
    # One more token stands for characters that the text does not have.
    network = Network(len(ids) + 1)
    split = len(data) - int(len(data) * HELD_OUT)
    training, held_out = data[:split], data[split:]

    matrices = [p for p in network.blocks.parameters() if p.dim() > 1] if options.optimizer == "muon" else []
    taken = {id(p) for p in matrices}
    decaying = [p for p in network.parameters() if p.dim() > 1 and id(p) not in taken]
    others = [p for p in network.parameters() if p.dim() <= 1]
    optimizers = [
        torch.optim.AdamW(
            [{"params": decaying, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
            lr=options.rate, betas=BETAS, fused=True)
    ]
    if matrices:
        optimizers.append(
            torch.optim.Muon(matrices, lr=options.rate, weight_decay=DECAY, momentum=0.95, adjust_lr_fn="match_rms_adamw"))
    run = torch.compile(network) if options.compile else network
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16")
    offsets = torch.arange(CONTEXT)

    def step(number):
        starts = torch.randint(len(training) - CONTEXT, (ROWS,))
        places = starts[:, None] + offsets
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate(number, options.steps, options.rate)
            optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = run(training[places], training[places + 1])
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        for optimizer in optimizers:
            optimizer.step()

    def held_out_loss():
        windows = (len(held_out) - 1) // CONTEXT
        total = 0.0
        with torch.no_grad():
            for first in range(0, windows, 256):
                places = torch.arange(first, min(windows, first + 256))[:, None] * CONTEXT + offsets
                total += network(held_out[places], held_out[places + 1]).item() * len(places)
        return total / windows

    # Compiling and the first allocations are start, not training.
    state = {name: value.clone() for name, value in network.state_dict().items()}
    for _ in range(5):
        step(0)
    network.load_state_dict(state)
    for optimizer in optimizers:
        optimizer.state.clear()

    seconds, evaluations = 0.0, []
    count = options.until or options.steps
    for first in range(0, count, options.every or count):
        last = min(first + (options.every or count), count)
        start = time.perf_counter()
        for number in range(first, last):
            step(number)
        seconds += time.perf_counter() - start
        if options.every:
            evaluations.append((last * ROWS * CONTEXT, seconds, held_out_loss()))
    found = {
        "count": count, "seconds": seconds, "stepsPerSecond": count / seconds,
        "tokensPerSecond": count * ROWS * CONTEXT / seconds, "version": torch.__version__,
    }
    if evaluations:
        found["evaluations"] = evaluations
    if not options.no_evaluation:
        found["heldOutLoss"] = evaluations[-1][2] if evaluations else held_out_loss()
    if options.json:
        print(json.dumps(found))
    else:
        loss = f", held-out loss {found['heldOutLoss']:.4f}" if "heldOutLoss" in found else ""
        mode = ("compiled " if options.compile else "") + options.precision
        print(f"PyTorch {torch.__version__} {mode}: {count} steps in {seconds:.1f} s, {count / seconds:.1f} a second{loss}")


if __name__ == "__main__":
    main()
