#!/usr/bin/env python3
"""Error against speed: each precision with each choice of Winograd's algorithm, and each instruction set.

Usage: python tools/oracle/precision_table.py FOLDER [--sumi build/sumi] [--steps 4] [--side 512] [--isa]
       (FOLDER as make_sd15.py wrote it; needs torch, diffusers, transformers, safetensors, Pillow; some 8 GB of memory)

diffusers computes in f32 from the folder FOLDER/sd15, once: what it finds is kept in FOLDER/expected-SIDE-STEPS.safetensors and
read from there the next time. sumi computes from the single file FOLDER/sd15.safetensors, which holds the same f16 numbers.
Prints a table: relative error of the U-Net's output |a - b| / |b| at timesteps 981 and 1, PSNR of the decoded picture
and of a whole one after some steps of Euler (8-bit pictures), and from that job seconds of a guided step and of decoding.
With --isa rows for processors that have less follow, which take some minutes each.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

PROMPT, NEGATIVE, SEED = "a watercolor picture of an otter", "blurry", 42
TIMESTEPS = (981.0, 1.0)
MODES = [("f32", "off", None), ("f32", "careful", None), ("bf16", "off", None), ("bf16", "careful", None),
         ("bf16", "fast", None)]
LIMITED = [("f32", "careful", "avx512"), ("f32", "off", "avx2"), ("f32", "careful", "avx2"), ("bf16", "careful", "avx2"),
           ("f32", "careful", "generic")]


@torch.no_grad()
def expect(args, path):
    pipeline = StableDiffusionPipeline.from_pretrained(args.folder / "sd15", torch_dtype=torch.float32,
                                                       safety_checker=None, requires_safety_checker=False)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    tokens = [pipeline.tokenizer(text, padding="max_length", max_length=77, truncation=True,
                                 return_tensors="pt").input_ids for text in (NEGATIVE, PROMPT)]
    kept = {"context": pipeline.text_encoder(torch.cat(tokens)).last_hidden_state}
    kept["latents"] = torch.randn(1, 4, args.side // 8, args.side // 8, generator=torch.Generator().manual_seed(7))
    for t in TIMESTEPS:
        kept[f"unet.{t:.0f}"] = pipeline.unet(kept["latents"].repeat(2, 1, 1, 1), t, kept["context"]).sample
    kept["decoded"] = pipeline.vae.decode(kept["latents"] / pipeline.vae.config.scaling_factor).sample
    kept["picture"] = torch.from_numpy(
        pipeline(PROMPT, negative_prompt=NEGATIVE, height=args.side, width=args.side, num_inference_steps=args.steps,
                 guidance_scale=7.5, output_type="np", generator=torch.Generator().manual_seed(SEED)).images[0])
    save_file({k: v.contiguous() for k, v in kept.items()}, path)


def relative(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())


def psnr(path, expected):
    found = np.asarray(Image.open(path), dtype=np.float64) / 255
    return -10 * np.log10(float(((found - np.round(expected * 255) / 255) ** 2).mean()) + 1e-20)


def measure(args, expected, scratch, precision, winograd, isa):
    def sumi(command, *words):
        limits = ["--isa", isa] if isa else []
        return subprocess.run([args.sumi, command, "-m", str(args.folder / "sd15.safetensors"), "--precision", precision,
                               "--winograd", winograd, *limits, *map(str, words)], check=True, capture_output=True,
                              text=True).stderr

    errors = []
    for t in TIMESTEPS:
        save_file({"sample": expected["latents"].repeat(2, 1, 1, 1).contiguous(), "timesteps": torch.full((2,), t),
                   "context": expected["context"]}, scratch / "in.safetensors")
        sumi("unet", "-q", "-i", scratch / "in.safetensors", "-o", scratch / "out.safetensors")
        errors.append(relative(load_file(scratch / "out.safetensors")["sample"], expected[f"unet.{t:.0f}"]))
    save_file({"latents": expected["latents"]}, scratch / "latents.safetensors")
    sumi("decode", "-q", "-i", scratch / "latents.safetensors", "-o", scratch / "decoded.png")
    decoded = (expected["decoded"][0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).double().numpy()
    said = sumi("txt2img", "--spacing", "leading", "-p", PROMPT, "-n", NEGATIVE, "-W", args.side, "-H", args.side,
                "--steps", args.steps, "--cfg", 7.5, "--sampler", "euler", "--seed", SEED, "-o", scratch / "whole.png")
    step, decode = re.search(r"([\d.]+) s a step, decode ([\d.]+) s", said).groups()
    print(f"| {precision} | {winograd} | {isa or 'all'} | {errors[0]:.1e} | {errors[1]:.1e} "
          f"| {psnr(scratch / 'decoded.png', decoded):.1f} dB "
          f"| {psnr(scratch / 'whole.png', expected['picture'].double().numpy()):.1f} dB "
          f"| {float(step):.2f} | {float(decode):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sumi", default="build/sumi")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--keep", type=Path, help="where diffusers' results are kept; FOLDER by default")
    parser.add_argument("--isa", action="store_true", help="rows for processors that have less")
    args = parser.parse_args()
    path = (args.keep or args.folder) / f"expected-{args.side}-{args.steps}.safetensors"
    if not path.exists():
        expect(args, path)
    expected = load_file(path)
    scratch = Path(tempfile.mkdtemp())
    print("| compute | Winograd | instruction sets | U-Net at 981 | at 1 | decoded | whole picture "
          f"| s a step | s decoding |\n|{'---|' * 9}", flush=True)
    for mode in MODES + (LIMITED if args.isa else []):
        measure(args, expected, scratch, *mode)


if __name__ == "__main__":
    main()
