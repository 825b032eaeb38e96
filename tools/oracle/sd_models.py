#!/usr/bin/env python3
"""Golden values of Stable Diffusion's networks: tiny ones of diffusers' and transformers' own classes.

Usage: python tools/oracle/sd_models.py [OUTPUT_FILE]     (default: tests/golden/sd_models.safetensors; needs torch,
                                                          diffusers, transformers and safetensors)

Weights and inputs need no storing: each tensor is drawn, in PyTorch's order of elements, from torch's CPU generator
seeded with the CRC-32 of its name (of "CASE/NAME" for inputs), and the C test draws the same numbers
(base/random.h). Inputs are drawn and results are stored in channels-last order. The file has for each case

  unet_*    CASE.out, and for one CASE.grad.sample, CASE.grad.context: gradients of the sum of out times signs
  clip_*    CASE.hidden.I (after layer I; 0 is what the first one sees), CASE.last (normed), CASE.penultimate
            (normed), CASE.pooled, CASE.projected
  vae_*     CASE.mean, CASE.logvar, CASE.picture; CASE.tiled_mean, CASE.tiled_logvar, CASE.tiled_picture

Everything is computed in f32; the deviation from f64, printed beside, is the noise floor that the tests' tolerances
stand on. Parameter counts of the full-size models are printed too.
"""

import math
import sys
import zlib
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

CROSS = dict(
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    block_out_channels=(32, 64),
    layers_per_block=2,
    norm_num_groups=16,
    cross_attention_dim=32,
)
XL = dict(
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    block_out_channels=(32, 64),
    layers_per_block=1,
    norm_num_groups=16,
    cross_attention_dim=24,
    attention_head_dim=(2, 4),
    use_linear_projection=True,
)
ODD = dict(
    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    block_out_channels=(16, 32, 32),
    layers_per_block=1,
    norm_num_groups=8,
    cross_attention_dim=16,
    attention_head_dim=2,
)
# The configuration, then height and width of the sample.
UNETS = {
    "unet_sd1": (dict(CROSS, attention_head_dim=4), 8, 8),
    "unet_sd2": (dict(CROSS, attention_head_dim=(2, 4), use_linear_projection=True, upcast_attention=True), 8, 8),
    "unet_inpaint": (dict(CROSS, attention_head_dim=4, in_channels=9), 6, 10),
    "unet_edit": (dict(CROSS, attention_head_dim=4, in_channels=8), 4, 8),
    "unet_depth": (dict(CROSS, attention_head_dim=(2, 4), use_linear_projection=True, in_channels=5), 4, 4),
    "unet_odd": (dict(ODD, flip_sin_to_cos=False, freq_shift=1), 7, 5),
    "unet_xl": (
        dict(
            XL,
            transformer_layers_per_block=(1, 2),
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=68,
        ),
        4,
        4,
    ),
    "unet_lcm": (dict(XL, time_cond_proj_dim=12, class_embed_type="timestep"), 4, 4),
    "unet_upscale": (dict(XL, in_channels=7, num_class_embeds=10, mid_block_type=None), 4, 4),
    "unet_unclip": (dict(XL, class_embed_type="projection", projection_class_embeddings_input_dim=20), 4, 4),
}
TEXT = dict(vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4)
TEXT = dict(TEXT, max_position_embeddings=16, bos_token_id=98)
CLIPS = {
    "clip_l": dict(TEXT, hidden_act="quick_gelu", eos_token_id=99),
    "clip_h": dict(TEXT, hidden_act="gelu", eos_token_id=97, projection_dim=24),
    "clip_legacy": dict(TEXT, hidden_act="quick_gelu", eos_token_id=2),
}
VAE = dict(
    down_block_types=("DownEncoderBlock2D",) * 2,
    up_block_types=("UpDecoderBlock2D",) * 2,
    block_out_channels=(16, 32),
    norm_num_groups=8,
    sample_size=16,
)
# The configuration, then height and width of the picture; tiles have a side of 16 pixels.
VAES = {
    "vae_f2": (dict(VAE, layers_per_block=2), 20, 28),
    "vae_plain": (
        dict(VAE, use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=False, latent_channels=6),
        16,
        26,
    ),
}
FULL = {
    "U-Net of SD 1.5": lambda: UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8),
    "U-Net of SD 2": lambda: UNet2DConditionModel(
        cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True
    ),
    "U-Net of XL": lambda: UNet2DConditionModel(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(320, 640, 1280),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    ),
    "CLIP ViT-L": lambda: clip(hidden_size=768, intermediate_size=3072, num_attention_heads=12),
    "CLIP ViT-H": lambda: clip(
        hidden_size=1024, intermediate_size=4096, num_attention_heads=16, num_hidden_layers=23
    ),
    "CLIP bigG": lambda: clip(
        CLIPTextModelWithProjection,
        hidden_size=1280,
        intermediate_size=5120,
        num_attention_heads=20,
        num_hidden_layers=32,
        projection_dim=1280,
    ),
    "VAE f8": lambda: AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
    ),
}


def clip(kind=CLIPTextModel, **config):
    return kind(CLIPTextConfig(**config))


def uniform(name, shape, low, high):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.empty(shape).uniform_(low, high, generator=generator)


def bounds(name, shape):
    """The range that a parameter's values are drawn from."""
    if len(shape) == 1:  # norms around 1; biases
        return (0.5, 1.5) if name.endswith("weight") else (-0.2, 0.2)
    bound = math.sqrt(3 / math.prod(shape[1:]))
    return -bound, bound


def canonical(name):
    """A CLIPTextModel in memory leaves out the prefix that it has in files."""
    return name if name.startswith(("text_model.", "text_projection.")) else "text_model." + name


def fill(net, rename=lambda name: name):
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(uniform(rename(name), p.shape, *bounds(name, p.shape)))
    return net.eval()


def picture(name, *shape):
    """(N, H, W, C) as drawn, given to the network as N, C, H, W."""
    return uniform(name, shape, -1.7, 1.7).permute(0, 3, 1, 2)


def run_unet(case, config, h, w, dtype, gradients):
    net = fill(UNet2DConditionModel(sample_size=8, **config)).to(dtype)
    c = net.config
    sample = picture(case + "/sample", 2, h, w, c.in_channels).to(dtype).requires_grad_()
    context = uniform(case + "/context", (2, 5, c.cross_attention_dim), -1.7, 1.7).to(dtype).requires_grad_()
    extra = {}
    if c.addition_embed_type == "text_time":
        sizes = torch.tensor([[64.0, 48, 0, 4, 1024, 768]] * 2)
        text = uniform(case + "/text_embeds", (2, 20), -1.7, 1.7)
        extra["added_cond_kwargs"] = dict(text_embeds=text.to(dtype), time_ids=sizes.to(dtype))
    if c.time_cond_proj_dim:
        extra["timestep_cond"] = uniform(case + "/timestep_cond", (2, 12), -1.7, 1.7).to(dtype)
    if c.class_embed_type == "timestep":
        extra["class_labels"] = torch.tensor([3.0, 250.0], dtype=dtype)
    if c.num_class_embeds:
        extra["class_labels"] = torch.tensor([3, 9])
    if c.class_embed_type == "projection":
        extra["class_labels"] = uniform(case + "/class_labels", (2, 20), -1.7, 1.7).to(dtype)
    out = net(sample, torch.tensor([981.0, 1.5], dtype=dtype), context, **extra).sample.permute(0, 2, 3, 1)
    results = {"out": out.detach()}
    if gradients:
        signs = uniform(case + "/signs", out.shape, 0.0, 1.0).ge(0.5).to(dtype) * 2 - 1
        sample_grad, context_grad = torch.autograd.grad((out * signs).sum(), (sample, context))
        results.update({"grad.sample": sample_grad.permute(0, 2, 3, 1), "grad.context": context_grad})
    return results


def text_ids(eos):
    """Two texts of 16 ids that end at positions 6 and 15."""
    ids = [[98, 5, 17, 60, 33, 5] + [eos] * 10, [98] + [(7 * i) % 90 + 3 for i in range(14)] + [eos]]
    return torch.tensor(ids)


def run_clip(case, config, dtype):
    projected = "projection_dim" in config
    net = fill((CLIPTextModelWithProjection if projected else CLIPTextModel)(CLIPTextConfig(**config)), canonical)
    net = net.to(dtype)
    ids = text_ids(99 if config["eos_token_id"] == 2 else config["eos_token_id"])
    with torch.no_grad():
        out = net(ids, output_hidden_states=True)
        text = net.text_model if projected else net
        results = {f"hidden.{i}": h for i, h in enumerate(out.hidden_states)}
        results["last"] = out.last_hidden_state
        results["penultimate"] = text.final_layer_norm(out.hidden_states[-2])
        if projected:
            results["projected"] = out.text_embeds
        else:
            results["pooled"] = out.pooler_output
    return results


def run_vae(case, config, h, w, dtype):
    net = fill(AutoencoderKL(**config)).to(dtype)
    x = picture(case + "/picture", 2, h, w, 3).to(dtype)
    z = picture(case + "/latent", 2, h // 2, w // 2, net.config.latent_channels).to(dtype)
    results = {}
    with torch.no_grad():
        for prefix in ("", "tiled_"):
            if prefix:
                net.enable_tiling()
            posterior = net.encode(x).latent_dist
            results[prefix + "mean"] = posterior.mean.permute(0, 2, 3, 1)
            results[prefix + "logvar"] = posterior.logvar.permute(0, 2, 3, 1)
            results[prefix + "picture"] = net.decode(z).sample.permute(0, 2, 3, 1)
    return results


def main():
    path = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "tests/golden/sd_models.safetensors")
    torch.set_num_threads(1)
    runs = {case: (lambda d, a=a, case=case: run_unet(case, *a, d, case == "unet_sd1")) for case, a in UNETS.items()}
    runs.update({case: (lambda d, c=c, case=case: run_clip(case, c, d)) for case, c in CLIPS.items()})
    runs.update({case: (lambda d, a=a, case=case: run_vae(case, *a, d)) for case, a in VAES.items()})
    tensors = {}
    for case, run in runs.items():
        single, double = run(torch.float32), run(torch.float64)
        floor = max(((single[k] - double[k]).norm() / double[k].norm()).item() for k in single)
        tensors.update({f"{case}.{k}": t.float().contiguous() for k, t in single.items()})
        print(f"{case}: {', '.join(f'{k} {tuple(t.shape)}' for k, t in single.items())}; f32 within {floor:.1e} of f64")
    save_file(tensors, path)
    print(f"{path.name}: {path.stat().st_size} bytes")
    with torch.device("meta"):
        for name, make in FULL.items():
            print(f"{name}: {sum(p.numel() for p in make().parameters())} parameters")


if __name__ == "__main__":
    main()
