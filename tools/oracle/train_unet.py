#!/usr/bin/env python3
"""Golden values of a training step: the loss of a tiny U-Net of diffusers and its gradient for every parameter.

Usage: python tools/oracle/train_unet.py [OUTPUT_FILE]   (default: tests/golden/train_unet.safetensors; needs torch,
                                                         diffusers and safetensors)

Weights and inputs are drawn as tools/oracle/sd_models.py draws them; the case is called train_unet. The file has
`loss`, the mean squared error against "train_unet/target", and `grad.NAME` for each parameter, as PyTorch lays it out.
Everything is computed in f32; the deviation from f64, printed, is the noise floor that the test's tolerance stands on.
"""

import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from sd_models import fill, picture, uniform

CONFIG = dict(
    sample_size=8,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    block_out_channels=(8, 16),
    layers_per_block=1,
    norm_num_groups=4,
    cross_attention_dim=8,
    attention_head_dim=2,
)


def step(dtype):
    net = fill(UNet2DConditionModel(**CONFIG)).to(dtype).train()
    sample, target = (picture(f"train_unet/{name}", 2, 8, 8, 4).to(dtype) for name in ("sample", "target"))
    context = uniform("train_unet/context", (2, 5, 8), -1.7, 1.7).to(dtype)
    out = net(sample, torch.tensor([981.0, 1.5], dtype=dtype), context).sample
    loss = torch.nn.functional.mse_loss(out, target)
    loss.backward()
    results = {f"grad.{name}": p.grad for name, p in net.named_parameters()}
    return dict(results, loss=loss.detach().reshape(1))


def main():
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "tests/golden/train_unet.safetensors")
    torch.set_num_threads(1)
    single, double = step(torch.float32), step(torch.float64)
    worst = max(single, key=lambda k: ((single[k] - double[k]).norm() / double[k].norm()).item())
    floor = ((single[worst] - double[worst]).norm() / double[worst].norm()).item()
    save_file({k: t.float().contiguous() for k, t in single.items()}, path)
    print(f"{len(single) - 1} gradients; f32 within {floor:.1e} of f64, {worst} being the furthest")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
