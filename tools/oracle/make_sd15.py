#!/usr/bin/env python3
"""A full-size Stable Diffusion 1.5 checkpoint with random weights, in both layouts.

Usage: python tools/oracle/make_sd15.py FOLDER [--f32]
       (needs torch, diffusers, transformers, safetensors, and open_clip_torch for CLIP's vocabulary)

  FOLDER/sd15.safetensors     the CompVis layout in one file, f16 (2.1 GB), or f32
  FOLDER/sd15/                diffusers' layout, in the same precision

Both hold the same numbers. Weights: see sd_checkpoints.py.
"""

import argparse
import gzip
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from sd_checkpoints import byte_alphabet, compvis_state, ensure, random_pipeline
from transformers import CLIPTokenizer
import json

UNET = dict(sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280, 1280),
            down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, cross_attention_dim=768, attention_head_dim=8)
VAE = dict(in_channels=3, out_channels=3, latent_channels=4, sample_size=512, scaling_factor=0.18215,
           block_out_channels=(128, 256, 512, 512), layers_per_block=2, norm_num_groups=32,
           down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
TEXT = dict(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
            max_position_embeddings=77, hidden_act="quick_gelu", projection_dim=768, bos_token_id=0,
            eos_token_id=2, pad_token_id=1)  # of another vocabulary, as in the original


def clip_tokenizer(folder):
    """CLIP's own vocabulary, from the table of merges that open_clip_torch carries."""
    table = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    merges = gzip.open(table, "rt", encoding="utf-8").read().split("\n")[1 : 49152 - 256 - 2 + 1]
    alphabet = byte_alphabet()
    pieces = alphabet + [c + "</w>" for c in alphabet] + [m.replace(" ", "") for m in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    folder = ensure(folder)
    (folder / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77,
                         pad_token="<|endoftext|>")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--f32", action="store_true")
    args = parser.parse_args()
    folder = ensure(args.folder)
    tokenizer = clip_tokenizer(folder / "sd15" / "tokenizer")
    pipeline = random_pipeline(UNET, VAE, TEXT, tokenizer, "epsilon", seed=15, side=32, attention_gain=4.0)
    if not args.f32:
        pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder / "sd15")
    save_file(compvis_state(pipeline), folder / "sd15.safetensors")
    print(folder / "sd15", folder / "sd15.safetensors")


if __name__ == "__main__":
    main()
