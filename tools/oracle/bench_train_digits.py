#!/usr/bin/env python3
"""PyTorch's side of `sumi bench train-digits`: images per second of training the conditional digit network.

Usage: python tools/oracle/bench_train_digits.py [--threads N] [--steps N] [--channels-last] [--fused-adam]
       (needs torch and safetensors)

The same network, loss, batch sizes, Adam and average of weights as sumi's, eagerly, in f32 and under bf16 autocast; a
batch lies ready in memory; the median of the steps after two that warm up. The two switches are PyTorch's own faster
ways, for those who want to compare with them as well.
"""

import argparse
import os
import statistics
import time

import torch

from score_nets import make, std_of


def train_step(net, optimizer, average, x0, labels, bf16):
    t = torch.rand(len(x0)) * (1 - 1e-5) + 1e-5
    z = torch.randn_like(x0)
    std = std_of(t)[:, None, None, None]
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        score = net(x0 + std * z, t, labels)
    loss = ((std * score.float() + z) ** 2).sum(dim=(1, 2, 3)).mean()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(average, list(net.parameters()), 1 - 0.999)


def measure(batch, bf16, options):
    net = make("attention", "full").train()
    if options.channels_last:
        net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=options.fused_adam or None)
    average = [p.detach().clone() for p in net.parameters()]
    x0 = torch.rand(batch, 1, 28, 28)
    labels = torch.arange(batch) % 10
    times = []
    for _ in range(2 + options.steps):
        begun = time.perf_counter()
        train_step(net, optimizer, average, x0, labels, bf16)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[2:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--fused-adam", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, {options.threads} threads")
    print("batch  compute   images/s   ms/step")
    for batch in (128, 1024):
        for bf16 in (False, True):
            seconds = measure(batch, bf16, options)
            print(f"{batch:5}  {'bf16' if bf16 else 'f32':7}  {batch / seconds:9.0f}  {seconds * 1e3:8.1f}", flush=True)


if __name__ == "__main__":
    main()
