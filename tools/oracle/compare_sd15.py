#!/usr/bin/env python3
"""Compares sumi with diffusers, stage by stage, on a checkpoint at its full size.

Usage: python tools/oracle/compare_sd15.py FOLDER [--sumi build/sumi] [--steps 4] [--side 512] [--precision f32 bf16]
       (FOLDER as make_sd15.py wrote it; needs torch, diffusers, transformers, safetensors, Pillow; some 8 GB of memory)

diffusers computes in f32 from the folder FOLDER/sd15, sumi from the single file FOLDER/sd15.safetensors, which holds
the same f16 numbers. Prints relative errors, |a - b| / |b|, and the PSNR of pictures (peak 1, before rounding to 8 bits
for the decoder alone, of 8-bit pictures for the whole).
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

PROMPT, NEGATIVE, SEED = "a watercolor picture of an otter", "blurry", 42


def relative(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())


def psnr(a, b):
    return -10 * np.log10(float(((a - b) ** 2).mean()) + 1e-20)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sumi", default="build/sumi")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--precision", nargs="+", default=["f32"], help="of sumi; diffusers has f32")
    parser.add_argument("--whole", action="store_true", help="the whole picture alone")
    args = parser.parse_args()
    model = str(args.folder / "sd15.safetensors")
    scratch = Path(tempfile.mkdtemp())

    def sumi(precision, *words):
        subprocess.run([args.sumi, words[0], "-q", "-m", model, "--precision", precision, *map(str, words[1:])],
                       check=True, stdout=subprocess.DEVNULL)

    pipeline = StableDiffusionPipeline.from_pretrained(args.folder / "sd15", torch_dtype=torch.float32,
                                                       safety_checker=None, requires_safety_checker=False)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)

    if not args.whole:
        compare_stages(args, pipeline, sumi, scratch)
    compare_pictures(args, pipeline, sumi, scratch)


@torch.no_grad()
def compare_stages(args, pipeline, sumi, scratch):
    tokens = [pipeline.tokenizer(text, padding="max_length", max_length=77, truncation=True,
                                 return_tensors="pt").input_ids for text in (NEGATIVE, PROMPT)]
    context = pipeline.text_encoder(torch.cat(tokens)).last_hidden_state
    for precision in args.precision:
        sumi(precision, "embed", "-p", PROMPT, "-o", scratch / "embed.safetensors")
        found = load_file(scratch / "embed.safetensors")["output"]
        print(f"{precision:5} text embeddings        {relative(found, context[1]):.2e}", flush=True)

    side = args.side // 8
    generator = torch.Generator().manual_seed(7)
    latent = torch.randn(1, 4, side, side, generator=generator)
    for timestep in (981.0, 501.0, 1.0):
        inputs = dict(sample=latent.repeat(2, 1, 1, 1), timesteps=torch.full((2,), timestep), context=context)
        save_file({k: v.contiguous() for k, v in inputs.items()}, scratch / "unet.safetensors")
        expected = pipeline.unet(inputs["sample"], timestep, context).sample
        for precision in args.precision:
            sumi(precision, "unet", "-i", scratch / "unet.safetensors", "-o", scratch / "out.safetensors")
            found = load_file(scratch / "out.safetensors")["sample"]
            print(f"{precision:5} U-Net, timestep {timestep:5.0f}  {relative(found, expected):.2e}", flush=True)

    save_file({"latents": latent}, scratch / "latents.safetensors")
    decoded = (pipeline.vae.decode(latent / pipeline.vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)
    decoded = decoded[0].permute(1, 2, 0).double().numpy()
    for precision in args.precision:
        sumi(precision, "decode", "-i", scratch / "latents.safetensors", "-o", scratch / "decoded.png")
        picture = np.asarray(Image.open(scratch / "decoded.png"), dtype=np.float64) / 255
        print(f"{precision:5} decoded picture        {psnr(picture, decoded):.1f} dB (8 bits alone: 58.9)", flush=True)

    pixels = torch.from_numpy(picture).float().permute(2, 0, 1)[None] * 2 - 1
    mean = pipeline.vae.encode(pixels).latent_dist.mean * pipeline.vae.config.scaling_factor
    for precision in args.precision:
        sumi(precision, "encode", "-i", scratch / "decoded.png", "-o", scratch / "encoded.safetensors")
        found = load_file(scratch / "encoded.safetensors")["latents"]
        print(f"{precision:5} encoded latents        {relative(found, mean):.2e}", flush=True)


@torch.no_grad()
def compare_pictures(args, pipeline, sumi, scratch):
    """The folder's scheduler says `leading`, which a single file has no place for."""
    kept = {}
    result = pipeline(PROMPT, negative_prompt=NEGATIVE, height=args.side, width=args.side,
                      num_inference_steps=args.steps, guidance_scale=7.5, output_type="np",
                      generator=torch.Generator().manual_seed(SEED),
                      callback_on_step_end=lambda p, i, t, tensors: kept.update(latents=tensors["latents"]) or {})
    expected = np.round(result.images[0] * 255) / 255
    for precision in args.precision:
        sumi(precision, "txt2img", "--spacing", "leading", "-p", PROMPT, "-n", NEGATIVE, "-W", args.side, "-H",
             args.side, "--steps", args.steps, "--cfg", 7.5, "--sampler", "euler", "--seed", SEED,
             "-o", scratch / "sumi.png", "--latents", scratch / "final.safetensors")
        found = load_file(scratch / "final.safetensors")["latents"]
        picture = np.asarray(Image.open(scratch / "sumi.png"), dtype=np.float64) / 255
        print(f"{precision:5} final latents          {relative(found, kept['latents']):.2e}")
        print(f"{precision:5} picture, {args.steps:2d} steps      {psnr(picture, expected):.1f} dB", flush=True)


if __name__ == "__main__":
    main()
