#!/usr/bin/env python3
"""What diffusers' pipelines make of a picture with the tiny Stable Diffusion 1.x that make_tiny_sd.py wrote, and with
U-Nets of more input channels.

Usage: python tools/oracle/make_tiny_sd_jobs.py [FOLDER]       (default: tests/golden/sd; needs torch, diffusers,
                                                         transformers and safetensors)

  FOLDER/jobs.safetensors   f32; pictures (3, 16, 16) in [0, 1], 10 steps, guidance 7.5, seed 42, the picture and the
                            mask of FOLDER/sd1.safetensors:
      conv_in.9, .8, .5             (16, channels, 3, 3): the first layer's weights that replace sd1's; rounded to f16
      rescaled                      text to image with guidance_rescale 0.7
      emphasis.KIND                 text to image of "an (otter:1.5)", by AUTOMATIC1111's rules
      and                           text to image of "an otter AND water :0.5"
      blended                       the inpainting of AUTOMATIC1111, strength 0.6: each predicted picture is masked
      img2img.SAMPLER               strength 0.6
      inpaint.SAMPLER, .part        strength 1 and 0.6
      inpaint9, inpaint9.part       the same with 9 channels
      edit, edit.text               8 channels, image guidance 1.5 and 1
      depth                         5 channels, strength 0.7
      depth.map                     (16, 16) in [0, 1]
"""

import sys
from pathlib import Path

import torch
from diffusers import (DDIMScheduler, DEISMultistepScheduler, DPMSolverMultistepScheduler,
                       EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler, LCMScheduler, PNDMScheduler,
                       StableDiffusionDepth2ImgPipeline, StableDiffusionImg2ImgPipeline,
                       StableDiffusionInpaintPipeline, StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline,
                       UniPCMultistepScheduler)
from safetensors.torch import load_file, save_file

PROMPT, NEGATIVE = "a watercolor picture of an otter", "blurry"
SIDE, STEPS, GUIDANCE, SEED = 16, 10, 7.5, 42
SCHEDULERS = {
    "euler": (EulerDiscreteScheduler, {}), "euler-ancestral": (EulerAncestralDiscreteScheduler, {}),
    "heun": (HeunDiscreteScheduler, {}), "dpm2": (KDPM2DiscreteScheduler, {}),
    "dpm2-ancestral": (KDPM2AncestralDiscreteScheduler, {}), "ddim": (DDIMScheduler, dict(clip_sample=False)),
    "pndm": (PNDMScheduler, dict(skip_prk_steps=True)), "dpmpp-2m": (DPMSolverMultistepScheduler, {}),
    "unipc": (UniPCMultistepScheduler, {}), "deis": (DEISMultistepScheduler, {}), "lcm": (LCMScheduler, {}),
}


def with_channels(unet, channels):
    """Sees more than the latents; says as well the weights of the layer that sees it."""
    generator = torch.Generator().manual_seed(channels)
    old = unet.conv_in
    layer = torch.nn.Conv2d(channels, old.out_channels, 3, padding=1)
    extra = torch.randn(old.out_channels, channels - 4, 3, 3, generator=generator) * old.weight.std()
    layer.weight.copy_(torch.cat([old.weight, extra], 1).half().float())
    layer.bias.copy_(old.bias)
    unet.conv_in = layer
    unet.register_to_config(in_channels=channels)
    return layer.weight.clone()


def encode(pipeline, text):
    tokens = pipeline.tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    return pipeline.text_encoder(tokens).last_hidden_state


def emphasised(pipeline):
    """What weights do to the encoding z of "an (otter:1.5)", and to that of the empty prompt."""
    pieces = lambda s: len(pipeline.tokenizer(s, add_special_tokens=False).input_ids)
    begin, end = 1 + pieces("an"), 1 + pieces("an") + pieces("otter")
    weights = torch.ones(1, 77, 1)
    weights[:, begin:end] = 1.5
    z, empty = encode(pipeline, "an otter"), encode(pipeline, "")
    weighted = z * weights
    return {"original": weighted * (z.mean() / weighted.mean()), "no-norm": weighted,
            "interpolate": empty + (z - empty) * weights, "ignore": z, "none": encode(pipeline, "an (otter:1.5)")}


def sample(pipeline, scheduler, texts, blend=None):
    """Euler's method by hand: `texts` are (weight, text) after the negative prompt; blend is (known, mask, strength)."""
    scheduler.set_timesteps(STEPS)
    generator = torch.Generator().manual_seed(SEED)
    contexts = [encode(pipeline, NEGATIVE)] + [encode(pipeline, text) for _, text in texts]
    first = 0
    if blend:
        known, mask, strength = blend
        first = STEPS - int(STEPS * strength)
        posterior = pipeline.vae.encode(known * 2 - 1).latent_dist
        known = (posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator)) * 0.18215
        mask = torch.nn.functional.interpolate(mask, size=known.shape[-2:])
        x = known + scheduler.sigmas[first] * torch.randn(known.shape, generator=generator)
    else:
        x = torch.randn(1, 4, SIDE // 2, SIDE // 2, generator=generator) * scheduler.init_noise_sigma
    for i in range(first, STEPS):
        sigma, t = scheduler.sigmas[i], scheduler.timesteps[i]
        noises = [pipeline.unet(x / (sigma**2 + 1) ** 0.5, t, c).sample for c in contexts]
        noise = noises[0] + sum(w * GUIDANCE * (n - noises[0]) for (w, _), n in zip(texts, noises[1:]))
        clean = x - sigma * noise
        if blend:
            clean = known * (1 - mask) + clean * mask
        x = x + (x - clean) / sigma * (scheduler.sigmas[i + 1] - sigma)
    return (pipeline.vae.decode(x / 0.18215).sample[0] / 2 + 0.5).clamp(0, 1)


@torch.no_grad()
def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "tests/golden/sd")
    torch.set_num_threads(1)
    base = StableDiffusionPipeline.from_pretrained(folder / "sd1", dtype=torch.float32, safety_checker=None)
    parts, given, out = dict(base.components), load_file(folder / "sd1.safetensors"), {}
    parts.pop("image_encoder", None)
    config, first = base.scheduler.config, base.unet.conv_in
    picture, mask = (given["picture"] + 1) / 2, given["mask"]
    common = dict(prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=STEPS, guidance_scale=GUIDANCE,
                  output_type="np")

    def run(name, kind, scheduler="euler", **how):
        made, options = SCHEDULERS[scheduler]
        pipeline = kind(**(parts | dict(scheduler=made.from_config(config, **options))), **extras.get(kind, {}))
        pipeline.set_progress_bar_config(disable=True)
        result = pipeline(**common, **how, generator=torch.Generator().manual_seed(SEED))
        out[name] = torch.from_numpy(result.images[0]).permute(2, 0, 1)

    extras = {kind: dict(requires_safety_checker=False) for kind in (
        StableDiffusionPipeline, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline,
        StableDiffusionInstructPix2PixPipeline)}
    hole = dict(image=picture, mask_image=mask, height=SIDE, width=SIDE)
    run("rescaled", StableDiffusionPipeline, height=SIDE, width=SIDE, guidance_rescale=0.7)
    base.set_progress_bar_config(disable=True)
    euler = EulerDiscreteScheduler.from_config(config)
    for kind, context in emphasised(base).items():
        base.scheduler = euler
        result = base(prompt_embeds=context, negative_prompt_embeds=encode(base, NEGATIVE), height=SIDE, width=SIDE,
                      num_inference_steps=STEPS, guidance_scale=GUIDANCE, output_type="np",
                      generator=torch.Generator().manual_seed(SEED))
        out[f"emphasis.{kind}"] = torch.from_numpy(result.images[0]).permute(2, 0, 1)
    out["and"] = sample(base, euler, [(1, "an otter"), (0.5, "water")])
    out["blended"] = sample(base, euler, [(1, PROMPT)], (picture, mask, 0.6))
    for name in SCHEDULERS:
        run(f"img2img.{name}", StableDiffusionImg2ImgPipeline, name, image=picture, strength=0.6)
        run(f"inpaint.{name}", StableDiffusionInpaintPipeline, name, **hole, strength=1.0)
        run(f"inpaint.{name}.part", StableDiffusionInpaintPipeline, name, **hole, strength=0.6)
    out["conv_in.9"] = with_channels(base.unet, 9)
    run("inpaint9", StableDiffusionInpaintPipeline, **hole, strength=1.0)
    run("inpaint9.part", StableDiffusionInpaintPipeline, **hole, strength=0.6)
    base.unet.conv_in = first
    out["conv_in.8"] = with_channels(base.unet, 8)
    run("edit", StableDiffusionInstructPix2PixPipeline, image=picture, image_guidance_scale=1.5)
    run("edit.text", StableDiffusionInstructPix2PixPipeline, "euler-ancestral", image=picture, image_guidance_scale=1.0)
    base.unet.conv_in = first
    out["conv_in.5"] = with_channels(base.unet, 5)
    for name in ("safety_checker", "image_encoder"):
        parts.pop(name, None)
    parts |= dict(depth_estimator=None, feature_extractor=None)
    depth = torch.randint(0, 256, (1, SIDE, SIDE), generator=torch.Generator().manual_seed(3)) / 255
    out["depth.map"] = depth[0].clone()
    run("depth", StableDiffusionDepth2ImgPipeline, image=picture, depth_map=depth, strength=0.7)
    save_file({k: v.contiguous() for k, v in out.items()}, folder / "jobs.safetensors")


if __name__ == "__main__":
    main()
