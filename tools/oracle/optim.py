#!/usr/bin/env python3
"""Golden values for the optimisers, gradient clipping and the EMA: torch.optim in f32 -> tests/golden/optim.h.

Run from the repository's root: python3 tools/oracle/optim.py > tests/golden/optim.h (needs torch)
Three parameters' worth of numbers are enough: every rule is elementwise.
"""
import torch

COUNT, STEPS = 6, 5

CASES = [
    ("adam", torch.optim.Adam, dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)),
    ("adam_l2", torch.optim.Adam, dict(lr=3e-3, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    ("adamw", torch.optim.AdamW, dict(lr=1e-2, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2)),
    ("sgd", torch.optim.SGD, dict(lr=0.1, momentum=0.0, weight_decay=0.0)),
    ("sgd_momentum", torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.01)),
    ("sgd_nesterov", torch.optim.SGD, dict(lr=0.05, momentum=0.9, nesterov=True)),
]


def number(v):
    text = f"{float(v):.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")


def row(name, values):
    print(f"static const float {name}[] = {{{', '.join(f'{number(v)}' for v in values)}}};")


def main():
    torch.manual_seed(1)
    start = torch.randn(COUNT)
    grads = torch.randn(STEPS, COUNT) * torch.tensor([1.0, 10.0, 1e-3, 1.0, 0.0, 100.0])
    print("/* Made by tools/oracle/optim.py with PyTorch; do not edit. */")
    print("/* clang-format off */")
    print(f"enum {{ OPTIM_COUNT = {COUNT}, OPTIM_STEPS = {STEPS} }};")
    row("optim_start", start)
    row("optim_grads", grads.flatten())
    for name, rule, options in CASES:
        p = torch.nn.Parameter(start.clone())
        o = rule([p], foreach=False, **options)
        for g in grads:
            p.grad = g.clone()
            o.step()
        row(f"optim_{name}", p.detach())
    for i, limit in enumerate((0.5, 1e4)):
        p = torch.nn.Parameter(start.clone())
        p.grad = grads[0].clone()
        norm = torch.nn.utils.clip_grad_norm_([p], limit)
        row(f"optim_clipped_{i}", p.grad)
        row(f"optim_norm_{i}", [norm])


main()
