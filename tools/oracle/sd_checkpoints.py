"""Stable Diffusion pipelines with random weights, and the names that a CompVis checkpoint has for their tensors.

A module for the scripts beside it (needs torch, diffusers and transformers). The classes are those of diffusers and
transformers; only sizes and weights are ours. Weights come from a seed and are scaled so that nothing is trivial:
attention has preferences, predicted noise has a standard deviation near 1, decoded pictures have contrast.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

SD_SCHEDULE = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)


def byte_alphabet():
    """The printable stand-ins for bytes in GPT-2's vocabulary, and CLIP's: itself where it is printable."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]


def write_small_vocabulary(folder, merges):
    """vocab.json and merges.txt of a byte-pair vocabulary with these merges alone."""
    alphabet = byte_alphabet()
    pieces = alphabet + [c + "</w>" for c in alphabet] + ["".join(m.split()) for m in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {piece: i for i, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder) if (folder / "tokenizer_config.json").exists() else vocab


@torch.no_grad()
def sharpen_attention(model, gain):
    """Queries times `gain`: with the usual first weights attention would be nearly uniform."""
    for name, parameter in model.named_parameters():
        if name.endswith(("to_q.weight", "q_proj.weight")):
            parameter *= gain


@torch.no_grad()
def jitter_vectors(model, generator):
    """Biases and norms that are not 0 and 1, so that a swapped or missing one shows."""
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


@torch.no_grad()
def rescale_output(layer, values, std):
    layer.weight *= std / values.std()
    layer.bias *= std / values.std()


@torch.no_grad()
def random_pipeline(unet_config, vae_config, text_config, tokenizer, prediction_type, seed, side, attention_gain=6.0):
    """`side`: of the latents on which the output layers are brought to scale."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    unet = UNet2DConditionModel(**unet_config).eval()
    vae = AutoencoderKL(**vae_config).eval()
    text = CLIPTextModel(CLIPTextConfig(**text_config)).eval()
    for model in (unet, vae, text):
        jitter_vectors(model, generator)
        sharpen_attention(model, attention_gain)
    noise = torch.randn(1, unet_config["in_channels"], side, side, generator=generator)
    context = torch.randn(1, 77, unet_config["cross_attention_dim"], generator=generator)
    rescale_output(unet.conv_out, unet(noise, 500, context).sample, 1.0)
    rescale_output(vae.decoder.conv_out, vae.decode(noise[:, : vae_config["latent_channels"]]).sample, 0.5)
    scheduler = PNDMScheduler(**SD_SCHEDULE, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1,
                              prediction_type=prediction_type)
    return StableDiffusionPipeline(vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)


# ---- CompVis names. Each entry: (its name, ours, the part of ours or None). -----------------------------------------


def resnet_names(theirs, ours, has_shortcut):
    pairs = [("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"),
             ("out_layers.0", "norm2"), ("out_layers.3", "conv2")]
    if has_shortcut:
        pairs.append(("skip_connection", "conv_shortcut"))
    return [(f"{theirs}.{a}", f"{ours}.{b}") for a, b in pairs]


def unet_modules(config):
    """Pairs of modules' names."""
    names = [("time_embed.0", "time_embedding.linear_1"), ("time_embed.2", "time_embedding.linear_2"),
             ("input_blocks.0.0", "conv_in"), ("out.0", "conv_norm_out"), ("out.2", "conv_out")]
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    position = 1
    for level, kind in enumerate(config["down_block_types"]):
        for layer in range(layers):
            names.append((f"input_blocks.{position}.0", f"down_blocks.{level}.resnets.{layer}"))
            if kind.startswith("CrossAttn"):
                names.append((f"input_blocks.{position}.1", f"down_blocks.{level}.attentions.{layer}"))
            position += 1
        if level + 1 < levels:
            names.append((f"input_blocks.{position}.0.op", f"down_blocks.{level}.downsamplers.0.conv"))
            position += 1
    names += [("middle_block.0", "mid_block.resnets.0"), ("middle_block.1", "mid_block.attentions.0"),
              ("middle_block.2", "mid_block.resnets.1")]
    position = 0
    for level, kind in enumerate(config["up_block_types"]):
        for layer in range(layers + 1):
            names.append((f"output_blocks.{position}.0", f"up_blocks.{level}.resnets.{layer}"))
            if kind.startswith("CrossAttn"):
                names.append((f"output_blocks.{position}.1", f"up_blocks.{level}.attentions.{layer}"))
            if layer == layers and level + 1 < levels:
                place = 2 if kind.startswith("CrossAttn") else 1
                names.append((f"output_blocks.{position}.{place}.conv", f"up_blocks.{level}.upsamplers.0.conv"))
            position += 1
    return names


def vae_modules(config):
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    names = [("quant_conv", "quant_conv"), ("post_quant_conv", "post_quant_conv")]
    for half in ("encoder", "decoder"):
        names += [(f"{half}.{n}", f"{half}.{n}") for n in ("conv_in", "conv_out")]
        names.append((f"{half}.norm_out", f"{half}.conv_norm_out"))
        names += [(f"{half}.mid.block_{i + 1}", f"{half}.mid_block.resnets.{i}") for i in range(2)]
        names.append((f"{half}.mid.attn_1", f"{half}.mid_block.attentions.0"))
    for level in range(levels):
        up = levels - 1 - level  # CompVis numbers the decoder's levels from the picture's end
        names += [(f"encoder.down.{level}.block.{i}", f"encoder.down_blocks.{level}.resnets.{i}")
                  for i in range(layers)]
        names += [(f"decoder.up.{up}.block.{i}", f"decoder.up_blocks.{level}.resnets.{i}") for i in range(layers + 1)]
        names.append((f"encoder.down.{level}.downsample.conv", f"encoder.down_blocks.{level}.downsamplers.0.conv"))
        names.append((f"decoder.up.{up}.upsample.conv", f"decoder.up_blocks.{level}.upsamplers.0.conv"))
    return names


UNET_PARTS = [("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"),
              ("norm2", "out_layers.0"), ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection")]
VAE_PARTS = [("conv_shortcut", "nin_shortcut"), ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"),
             ("to_out.0", "proj_out")]


def rename(name, modules, parts, prefix):
    for theirs, ours in modules:
        if name.startswith(ours + "."):
            rest = name[len(ours) + 1 :]
            if ".resnets." in ours or ".attentions." in ours:
                for from_part, to_part in parts:
                    if rest.startswith(from_part + ".") and not (parts is UNET_PARTS and ".attentions." in ours):
                        rest = to_part + rest[len(from_part) :]
                        break
            return f"{prefix}{theirs}.{rest}"
    raise KeyError(name)


def openclip_text(state, layers):
    """SD 2.x: OpenCLIP's names, with the three projections of an attention in one tensor."""
    out, base = {}, "cond_stage_model.model."
    ours = "text_model."
    out[base + "token_embedding.weight"] = state[ours + "embeddings.token_embedding.weight"]
    out[base + "positional_embedding"] = state[ours + "embeddings.position_embedding.weight"]
    for kind in ("weight", "bias"):
        out[base + f"ln_final.{kind}"] = state[ours + f"final_layer_norm.{kind}"]
        for i in range(layers):
            a, b = f"{base}transformer.resblocks.{i}.", f"{ours}encoder.layers.{i}."
            qkv = [state[b + f"self_attn.{p}_proj.{kind}"] for p in "qkv"]
            out[a + f"attn.in_proj_{kind}"] = torch.cat(qkv)
            out[a + f"attn.out_proj.{kind}"] = state[b + f"self_attn.out_proj.{kind}"]
            for theirs, mine in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"),
                                 ("mlp.c_proj", "mlp.fc2")):
                out[a + f"{theirs}.{kind}"] = state[b + f"{mine}.{kind}"]
    return out


def text_state(text):
    """transformers 5 dropped the `text_model.` that files have."""
    return {k if k.startswith("text_model.") else "text_model." + k: v for k, v in text.state_dict().items()
            if not k.endswith("position_ids")}


def compvis_state(pipeline):
    """The tensors of a pipeline as a CompVis checkpoint has them."""
    out = {}
    unet, vae, text = pipeline.unet, pipeline.vae, pipeline.text_encoder
    modules = unet_modules(unet.config)
    for name, value in unet.state_dict().items():
        out[rename(name, modules, UNET_PARTS, "model.diffusion_model.")] = value
    modules = vae_modules(vae.config)
    for name, value in vae.state_dict().items():
        their = rename(name, modules, VAE_PARTS, "first_stage_model.")
        if ".mid.attn_1." in their and their.endswith(".weight") and value.ndim == 2:
            value = value[:, :, None, None]
        out[their] = value
    layers = text.config.num_hidden_layers
    if text.config.hidden_act == "quick_gelu":
        out |= {"cond_stage_model.transformer." + k: v for k, v in text_state(text).items()}
    else:
        out |= openclip_text(text_state(text), layers)
    return {k: v.contiguous() for k, v in out.items()}


def ensure(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
