#!/usr/bin/env python3
"""Tiny Stable Diffusion 1.x and 2.x pipelines with random weights, and what diffusers makes of them.

Usage: python tools/oracle/make_tiny_sd.py [OUTPUT_FOLDER]       (default: tests/golden/sd; needs torch,
                                                           diffusers, transformers, safetensors and numpy)

  sd1/, sd2/             diffusers' layout, f16 weights, a vocabulary of a few hundred pieces
  sd1.names, sd2.names   how a CompVis checkpoint calls the same tensors: lines "THEIRS = OURS", "THEIRS = OURS []" for
                         a linear layer that they keep as a 1x1 convolution, "THEIRS = A + B + C" for rows in one tensor
  sd1.safetensors, ...   golden values, N C H W, f32, computed in f32:
      ids, uncond_ids               (1, 77) of the prompt and the negative prompt
      context                       (2, 77, D): text embeddings, negative prompt first
      latent, eps.0, eps.1          the U-Net at timesteps 981.0 and 1.0, both contexts
      picture, moments              (1, 3, 16, 16) in [-1, 1]; VAE's mean and logvar on the channels
      decoded                       of `latent`
      trajectory.SCHEDULER          (4, 4, 8, 8): latents after 5, 10, 15 and 20 steps, guidance 7.5, seed 42
      result.SCHEDULER              (3, 16, 16): the picture in [0, 1]
      img2img.result, inpaint.result
"""

import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import (DDIMScheduler, DDPMScheduler, DEISMultistepScheduler, DPMSolverMultistepScheduler,
                       DPMSolverSinglestepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       HeunDiscreteScheduler, KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler, LCMScheduler,
                       LMSDiscreteScheduler, PNDMScheduler, StableDiffusionImg2ImgPipeline,
                       StableDiffusionInpaintPipeline, UniPCMultistepScheduler)
from safetensors.torch import save_file
from sd_checkpoints import ensure, compvis_state, random_pipeline, write_small_vocabulary
from transformers import CLIPTokenizer

PROMPT, NEGATIVE = "a watercolor picture of an otter", "blurry"
MERGES = ["a n", "o f</w>", "t e", "e r</w>", "t er</w>", "o t", "ot ter</w>", "c o", "w a", "wa ter</w>", "p i", "pi c", "b l", "u r",
          "bl ur", "r y</w>", "blur ry</w>", "t u", "r e</w>", "tu re</w>", "a n</w>", "co l"]
SIDE, STEPS, GUIDANCE, SEED = 16, 20, 7.5, 42

SCHEDULERS = {
    "ddpm": (DDPMScheduler, dict(clip_sample=False)), "ddim": (DDIMScheduler, dict(clip_sample=False)), "pndm": (PNDMScheduler, dict(skip_prk_steps=True)),
    "euler": (EulerDiscreteScheduler, {}), "euler-trailing": (EulerDiscreteScheduler, dict(timestep_spacing="trailing")),
    "euler-karras": (EulerDiscreteScheduler, dict(use_karras_sigmas=True)),
    "euler-ancestral": (EulerAncestralDiscreteScheduler, {}), "heun": (HeunDiscreteScheduler, {}),
    "dpm2": (KDPM2DiscreteScheduler, {}), "dpm2-ancestral": (KDPM2AncestralDiscreteScheduler, {}),
    "lms": (LMSDiscreteScheduler, {}), "dpmpp-2m": (DPMSolverMultistepScheduler, {}),
    "dpmpp-2m-karras": (DPMSolverMultistepScheduler, dict(use_karras_sigmas=True)),
    "dpmpp-2m-sde": (DPMSolverMultistepScheduler, dict(algorithm_type="sde-dpmsolver++")),
    "dpmpp-2s": (DPMSolverSinglestepScheduler, {}), "deis": (DEISMultistepScheduler, {}),
    "unipc": (UniPCMultistepScheduler, {}), "lcm": (LCMScheduler, {}),
}


def configs(family):
    second = family == "sd2"
    wide = (8, 16) if second else (16, 32)
    unet = dict(sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=wide,
                norm_num_groups=wide[0] // 2, cross_attention_dim=24 if second else 16,
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                attention_head_dim=[2, 4] if second else 2, use_linear_projection=second)
    vae = dict(in_channels=3, out_channels=3, latent_channels=4, sample_size=SIDE, scaling_factor=0.18215,
               block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
               down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
    size = 512 + len(MERGES) + 2
    text = dict(vocab_size=size, hidden_size=24 if second else 16, intermediate_size=32,
                num_hidden_layers=3 if second else 2, num_attention_heads=2, max_position_embeddings=77,
                hidden_act="gelu" if second else "quick_gelu", projection_dim=16, **(
                    dict(bos_token_id=size - 2, eos_token_id=size - 1, pad_token_id=0) if second else
                    dict(bos_token_id=0, eos_token_id=2, pad_token_id=1)))  # the wrong ids that 1.5's file has
    return unet, vae, text


def make(family, folder):
    write_small_vocabulary(folder / "tokenizer", MERGES)
    tokenizer = CLIPTokenizer(str(folder / "tokenizer/vocab.json"), str(folder / "tokenizer/merges.txt"),
                              model_max_length=77, pad_token="!" if family == "sd2" else "<|endoftext|>")
    prediction = "v_prediction" if family == "sd2" else "epsilon"
    pipeline = random_pipeline(*configs(family), tokenizer, prediction, seed=21, side=8)
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder)
    (folder / "tokenizer/tokenizer.json").unlink(missing_ok=True)
    return pipeline.to(dtype=torch.float32)


def write_names(pipeline, path):
    """Finds each CompVis tensor among ours by its numbers, since all of them differ."""
    ours = {}
    for part, model in (("unet", pipeline.unet), ("vae", pipeline.vae), ("text_encoder", pipeline.text_encoder)):
        for name, value in model.state_dict().items():
            if part == "text_encoder" and not name.startswith("text_model."):
                name = "text_model." + name
            ours[f"{part}/{name}"] = value
    by_bytes = {v.numpy().tobytes(): k for k, v in ours.items()}
    lines = []
    for name, value in compvis_state(pipeline).items():
        found = by_bytes.get(value.numpy().tobytes())
        if found:
            lines.append(f"{name} = {found}" + (" []" if value.shape != ours[found].shape else ""))
        else:
            lines.append(f"{name} = " + " + ".join(by_bytes[part.numpy().tobytes()] for part in value.chunk(3)))
    path.write_text("\n".join(sorted(lines)) + "\n")


@torch.no_grad()
def golden(pipeline):
    out = {}
    tokens = lambda s: pipeline.tokenizer(s, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    out["ids"], out["uncond_ids"] = (tokens(s).input_ids.to(torch.int32) for s in (PROMPT, NEGATIVE))
    context = torch.cat([pipeline.text_encoder(out[k].long()).last_hidden_state for k in ("uncond_ids", "ids")])
    out["context"] = context
    generator = torch.Generator().manual_seed(7)
    out["latent"] = torch.randn(1, 4, SIDE // 2, SIDE // 2, generator=generator)
    for i, t in enumerate((981, 1)):
        out[f"eps.{i}"] = pipeline.unet(out["latent"].repeat(2, 1, 1, 1), t, context).sample
    out["picture"] = torch.rand(1, 3, SIDE, SIDE, generator=generator) * 2 - 1
    posterior = pipeline.vae.encode(out["picture"]).latent_dist
    out["moments"] = torch.cat([posterior.mean, posterior.logvar], 1)
    out["decoded"] = pipeline.vae.decode(out["latent"]).sample
    base = pipeline.scheduler.config
    for name, (kind, options) in SCHEDULERS.items():
        pipeline.scheduler = kind.from_config(base, **options)
        kept = []

        def keep(pipe, step, t, tensors):
            kept.append(tensors["latents"].clone())
            return {}

        result = pipeline(PROMPT, negative_prompt=NEGATIVE, height=SIDE, width=SIDE, num_inference_steps=STEPS,
                          guidance_scale=GUIDANCE, generator=torch.Generator().manual_seed(SEED), output_type="np",
                          callback_on_step_end=keep)
        quarter = len(kept) // 4
        out["trajectory." + name] = torch.cat([kept[quarter - 1], kept[2 * quarter - 1], kept[3 * quarter - 1], kept[-1]])
        out["result." + name] = torch.from_numpy(result.images[0]).permute(2, 0, 1)
    pipeline.scheduler = EulerDiscreteScheduler.from_config(base)
    common = dict(prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=STEPS, guidance_scale=GUIDANCE,
                  output_type="np", image=(out["picture"] + 1) / 2)
    parts = {k: v for k, v in pipeline.components.items()}
    result = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)(
        **common, strength=0.6, generator=torch.Generator().manual_seed(SEED))
    out["img2img.result"] = torch.from_numpy(result.images[0]).permute(2, 0, 1)
    mask = torch.zeros(1, 1, SIDE, SIDE)
    mask[:, :, 4:12, 6:16] = 1
    out["mask"] = mask
    result = StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False)(
        **common, mask_image=mask, height=SIDE, width=SIDE, strength=1.0, generator=torch.Generator().manual_seed(SEED))
    out["inpaint.result"] = torch.from_numpy(result.images[0]).permute(2, 0, 1)
    return {k: v.contiguous() for k, v in out.items()}


def main():
    folder = ensure(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "tests/golden/sd")
    for family in ("sd1", "sd2"):
        pipeline = make(family, folder / family)
        pipeline.set_progress_bar_config(disable=True)
        write_names(pipeline, folder / f"{family}.names")
        save_file(golden(pipeline), folder / f"{family}.safetensors")


if __name__ == "__main__":
    main()
