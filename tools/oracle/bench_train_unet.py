#!/usr/bin/env python3
"""PyTorch's side of `sumi bench train-unet`: training steps of latent-diffusion U-Nets with random weights.

Usage: python tools/oracle/bench_train_unet.py [--network ldm|sd1] [--ways WAY,...] [--threads N] [--steps N] [--batch N]
                                               (needs torch and diffusers)

Ways: f32, f32-last, f32-compiled, bf16, bf16-last, bf16-compiled. "bf16" is autocast over f32 weights; "last" has
weights and latents in channels-last order, and so has "compiled", through torch.compile; "checkpointed" may be put
behind each ("bf16-last-checkpointed"). AdamW is torch's fused one. The median of the steps after one that warms up (the
compilation). The networks are those of include/sumi/train.h.
"""

import argparse
import os
import statistics
import time

import torch
from diffusers import UNet2DConditionModel

CROSS, UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"
NETWORKS = {
    "sd1": dict(
        sample_size=32,
        block_out_channels=(320, 640, 1280, 1280),
        down_block_types=(CROSS,) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + (UP,) * 3,
        cross_attention_dim=768,
        attention_head_dim=8,
    ),
    "ldm": dict(
        sample_size=32,
        in_channels=3,
        out_channels=3,
        block_out_channels=(128, 256, 256, 256),
        down_block_types=("DownBlock2D",) + (CROSS,) * 3,
        up_block_types=(UP,) * 3 + ("UpBlock2D",),
        cross_attention_dim=512,
        attention_head_dim=(4, 8, 8, 8),
    ),
}
USUAL = {"sd1": (2, 77), "ldm": (32, 1)}
WAYS = ["f32", "f32-last", "f32-compiled", "bf16", "bf16-last", "bf16-compiled"]


def measure(name, way, options):
    batch, tokens = USUAL[name]
    batch = options.batch or batch
    torch.manual_seed(0)
    net = UNet2DConditionModel(**NETWORKS[name]).train()
    parts = way.split("-")
    if "checkpointed" in parts:
        net.enable_gradient_checkpointing()
    sample = torch.randn(batch, net.config.in_channels, 32, 32)
    target = torch.randn_like(sample)
    context = torch.randn(batch, tokens, net.config.cross_attention_dim)
    times = torch.randint(0, 1000, (batch,))
    if "last" in parts or "compiled" in parts:
        net = net.to(memory_format=torch.channels_last)
        sample = sample.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=1e-2, fused=True)
    called = torch.compile(net) if "compiled" in parts else net

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=parts[0] == "bf16"):
            loss = torch.nn.functional.mse_loss(called(sample, times, context).sample.float(), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    took, cpu = [], []
    for i in range(1 + options.steps):
        begun, cpu_begun = time.perf_counter(), time.process_time()
        loss = step()
        took.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - cpu_begun)
    print(
        f"{name:4}  {way:26}  {statistics.median(took[1:]):9.3f} s/step, {statistics.median(cpu[1:]):9.3f} s of "
        f"processor time, loss {loss:.4f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), default="ldm")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, {options.threads} threads")
    for way in options.ways.split(","):
        try:
            measure(options.network, way, options)
        except Exception as error:  # torch.compile needs a compiler, and fails on some networks
            print(f"{options.network:4}  {way:26}  failed: {str(error).splitlines()[0]}", flush=True)


if __name__ == "__main__":
    main()
