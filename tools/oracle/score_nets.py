#!/usr/bin/env python3
"""Golden values of the three score networks: loss, score and every parameter's gradient, from PyTorch.

Usage: python tools/oracle/score_nets.py [OUTPUT_FOLDER]     (default: tests/golden; needs torch and safetensors)

The networks are those of the MNIST score-model tutorial, written anew from their description (see
src/models/score_unet.h) with its parameter names. Weights and inputs need no storing: each tensor is drawn, in
PyTorch's order of elements, from torch's CPU generator seeded with the CRC-32 of its name, and the C test draws the
same numbers (base/random.h). Two sizes:

  small  channels 8, 8, 16, 24, widths 16 and 8: the score and all gradients in full
  full   the tutorial's own size: the norm of each gradient, and its product with PROJECTIONS vectors of random signs

Everything is computed in f32 as the tutorial does; the deviation from f64, printed beside, is the noise floor that the
test's tolerance stands on.
"""

import math
import sys
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

SIGMA = 25.0
BATCH = 4
PROJECTIONS = 8
SIZES = {
    "small": dict(channels=(8, 8, 16, 24), embed_dim=16, text_dim=8, classes=10),
    "full": dict(channels=(32, 64, 128, 256), embed_dim=256, text_dim=256, classes=10),
}


def std_of(t):
    return torch.sqrt((SIGMA ** (2 * t) - 1) / (2 * math.log(SIGMA)))


def groups_of(width):
    return 32 if width >= 32 else 4


class Fourier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.W = nn.Parameter(torch.empty(width // 2), requires_grad=False)

    def forward(self, t):
        angle = t[:, None] * self.W[None, :] * 2 * math.pi
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class Dense(nn.Module):
    """A linear layer whose result is added to every position of a picture."""

    def __init__(self, wide, out):
        super().__init__()
        self.dense = nn.Linear(wide, out)

    def forward(self, e):
        return self.dense(e)[:, :, None, None]


class Attention(nn.Module):
    """One head, without output projection."""

    def __init__(self, width, context_width):
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(context_width, width, bias=False)
        self.value = nn.Linear(context_width, width, bias=False)

    def forward(self, tokens, context):
        scores = self.query(tokens) @ self.key(context).transpose(1, 2)
        return torch.softmax(scores / math.sqrt(self.query.out_features), dim=-1) @ self.value(context)


class Block(nn.Module):
    def __init__(self, width, context_width):
        super().__init__()
        self.attn_self = Attention(width, width)
        self.attn_cross = Attention(width, context_width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.ffn = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))

    def forward(self, x, context):
        normed = self.norm1(x)
        x = x + self.attn_self(normed, normed)
        x = x + self.attn_cross(self.norm2(x), context)
        return x + self.ffn(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, width, context_width):
        super().__init__()
        self.transformer = Block(width, context_width)

    def forward(self, x, context):
        tokens = self.transformer(x.flatten(2).transpose(1, 2), context)
        return x + tokens.transpose(1, 2).reshape(x.shape)


class ScoreUNet(nn.Module):
    def __init__(self, variant, channels, embed_dim, text_dim, classes):
        super().__init__()
        c, join = channels, 2 if variant == "concat" else 1
        self.variant = variant
        self.time_embed = nn.Sequential(Fourier(embed_dim), nn.Linear(embed_dim, embed_dim))
        for i, (before, width) in enumerate(zip((1, *c[:3]), c), start=1):
            setattr(self, f"conv{i}", nn.Conv2d(before, width, 3, stride=2 if i > 1 else 1, bias=False))
            setattr(self, f"dense{i}", Dense(embed_dim, width))
            setattr(self, f"gnorm{i}", nn.GroupNorm(4 if i == 1 else groups_of(width), width))
        for i, dense in zip((4, 3, 2), (5, 6, 7)):
            before, width = c[i - 1] * (join if i < 4 else 1), c[i - 2]
            tconv = nn.ConvTranspose2d(before, width, 3, stride=2, bias=False, output_padding=0 if i == 4 else 1)
            setattr(self, f"tconv{i}", tconv)
            setattr(self, f"dense{dense}", Dense(embed_dim, width))
            setattr(self, f"tgnorm{i}", nn.GroupNorm(groups_of(width), width))
        self.tconv1 = nn.ConvTranspose2d(c[0] * join, 1, 3)
        if variant == "attention":
            self.attn3 = SpatialTransformer(c[2], text_dim)
            self.attn4 = SpatialTransformer(c[3], text_dim)
            self.cond_embed = nn.Embedding(classes, text_dim)

    def level(self, h, dense, norm, e):
        return nn.functional.silu(norm(h + dense(e)))

    def forward(self, x, t, labels):
        e = nn.functional.silu(self.time_embed(t))
        context = self.cond_embed(labels)[:, None, :] if self.variant == "attention" else None
        skips, h = [], x
        for i in range(1, 5):
            get = lambda name: getattr(self, name + str(i))
            h = self.level(get("conv")(h), get("dense"), get("gnorm"), e)
            if context is not None and i > 2:
                h = get("attn")(h, context)
            skips.append(h)
        for i, dense in zip((4, 3, 2), (5, 6, 7)):
            if i < 4:
                h = self.join(h, skips[i - 1])
            h = self.level(getattr(self, f"tconv{i}")(h), getattr(self, f"dense{dense}"), getattr(self, f"tgnorm{i}"), e)
        return self.tconv1(self.join(h, skips[0])) / std_of(t)[:, None, None, None]

    def join(self, h, skip):
        return torch.cat([h, skip], dim=1) if self.variant == "concat" else h + skip


def generator(name):
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def uniform(name, shape, low, high):
    return torch.empty(shape).uniform_(low, high, generator=generator(name))


def bounds(name, shape):
    """The range that a parameter's values are drawn from."""
    if name.endswith(".W"):
        return -30.0, 30.0
    if len(shape) == 1:  # norms around 1; biases
        return (0.5, 1.5) if name.endswith("weight") else (-0.2, 0.2)
    if name == "cond_embed.weight":
        return -1.7, 1.7
    bound = 1 / math.sqrt(math.prod(shape[1:]))
    return -bound, bound


def make(variant, size):
    net = ScoreUNet(variant, **SIZES[size])
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(uniform(name, p.shape, *bounds(name, p.shape)))
    return net


def evaluate(net, dtype):
    net = net.to(dtype)
    x0 = uniform("x0", (BATCH, 1, 28, 28), 0.0, 1.0).to(dtype)
    z = uniform("z", (BATCH, 1, 28, 28), -1.7, 1.7).to(dtype)
    t = uniform("t", (BATCH,), 0.05, 1.0).to(dtype)
    labels = torch.arange(BATCH) * 3 % 10
    std = std_of(t)[:, None, None, None]
    net.zero_grad()
    score = net(x0 + std * z, t, labels)
    loss = ((std * score + z) ** 2).sum(dim=(1, 2, 3)).mean()
    loss.backward()
    grads = {n: p.grad.detach().clone() for n, p in net.named_parameters() if p.requires_grad}
    return loss.detach(), score.detach(), grads


def projections(name, grad):
    """The gradient's products with vectors of signs, +1 where torch's uniform number is at least 0.5."""
    flat = grad.double().flatten()
    signs = uniform(name + "/signs", (PROJECTIONS, flat.numel()), 0.0, 1.0).ge(0.5).double() * 2 - 1
    return torch.cat([flat.norm()[None], signs @ flat]).float()


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "tests" / "golden")
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for size in SIZES:
        for variant in ("concat", "add", "attention"):
            net = make(variant, size)
            loss, score, grads = evaluate(net, torch.float32)
            loss64, score64, grads64 = evaluate(net, torch.float64)
            # dense7 shifts whole groups of the norm that follows, and attention to one token does not depend on query
            # and key: their gradients are zero but for rounding, and are stored as zeros.
            total = torch.stack([g.norm() for g in grads64.values()]).norm()
            zeros = {n for n, g in grads64.items() if g.norm() < 1e-10 * total}
            noise = max([(grads[n].norm() / total).item() for n in zeros], default=0.0)
            grads.update({n: torch.zeros_like(grads[n]) for n in zeros})
            floor = max(
                ((g - grads64[n]).norm() / grads64[n].norm()).item() for n, g in grads.items() if n not in zeros
            )
            tensors = {"loss": loss, "score": score.contiguous()} if size == "small" else {"loss": loss}
            for name, g in grads.items():
                tensors["grad." + name] = g.contiguous() if size == "small" else projections(name, g)
            path = folder / f"score_unet_{variant}_{size}.safetensors"
            save_file(tensors, path)
            print(
                f"{path.name}: loss {loss.item():.6f} (f64 {loss64.item():.6f}), "
                f"{sum(p.numel() for p in net.parameters())} parameters, f32 against f64: gradients within {floor:.1e}, "
                f"score within {((score - score64).norm() / score64.norm()).item():.1e}; {len(zeros)} zero gradients "
                f"(to {noise:.0e} of all); {path.stat().st_size} bytes"
            )


if __name__ == "__main__":
    main()
