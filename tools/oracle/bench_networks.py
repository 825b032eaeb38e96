#!/usr/bin/env python3
"""PyTorch's side of `sumi bench unet`, `vae` and `text`: Stable Diffusion 1.5's networks with random weights.

Usage: python tools/oracle/bench_networks.py [unet|vae|text ...] [--threads N] [--runs N] [--side N] [--dtype f32|bf16]
                                             [--ways usual,last,compiled]    (needs torch, diffusers and transformers)

Each network in each type and way: with PyTorch's usual layout, with channels last, and with channels last through
torch.compile (the text encoder, which has no pictures, always in the usual layout). The median of the runs after one that warms up. The U-Net sees two latents, the text encoder two prompts, as with
guidance. bench/compare.sh runs this beside sumi.
"""

import argparse
import os
import statistics
import time

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

UNET = dict(
    sample_size=64,
    block_out_channels=(320, 640, 1280, 1280),
    down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    cross_attention_dim=768,
    attention_head_dim=8,
)
VAE = dict(
    block_out_channels=(128, 256, 512, 512),
    layers_per_block=2,
    latent_channels=4,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
)
TEXT = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)


def unet(dtype, side):
    net = UNet2DConditionModel(**UNET)
    latents = torch.randn(2, 4, side // 8, side // 8, dtype=dtype)
    context = torch.randn(2, 77, 768, dtype=dtype)
    return net, latents, lambda net, x: net(x, 500, context).sample


def vae(dtype, side):
    latents = torch.randn(1, 4, side // 8, side // 8, dtype=dtype)
    net = AutoencoderKL(**VAE)
    return net, latents, lambda net, x: net.decode(x).sample


def text(dtype, side):
    ids = (torch.arange(2 * 77) * 37 % 1000).reshape(2, 77)
    return CLIPTextModel(CLIPTextConfig(**TEXT)), ids, lambda net, x: net(x).last_hidden_state


NETWORKS = {"unet": unet, "vae": vae, "text": text}
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
WAYS = {
    "usual": ("usual", torch.contiguous_format, False),
    "last": ("channels last", torch.channels_last, False),
    "compiled": ("channels last, compiled", torch.channels_last, True),
}


def seconds(run, runs):
    times = []
    for _ in range(1 + runs):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def measure(name, dtype, options):
    net, x, run = NETWORKS[name](DTYPES[dtype], options.side)
    net = net.to(DTYPES[dtype]).eval()
    for way in options.ways.split(","):
        if way not in WAYS:
            raise SystemExit(f"there is no way {way}: {', '.join(WAYS)}")
        label, layout, compiled = WAYS[way]
        if name == "text" and way == "last":
            continue
        if name != "text":
            net = net.to(memory_format=layout)
            x = x.to(memory_format=layout)
        called = torch.compile(net) if compiled else net
        with torch.inference_mode():
            took = seconds(lambda: run(called, x), options.runs)
        print(f"{name:5}  {dtype:5}  {label:24}  {took:9.3f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), help="unet, vae, text")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--dtype", choices=list(DTYPES), action="append")
    parser.add_argument("--ways", default="usual,last")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, {options.threads} threads, {options.side}x{options.side}")
    for name in options.networks:
        for dtype in options.dtype or DTYPES:
            measure(name, dtype, options)


if __name__ == "__main__":
    main()
