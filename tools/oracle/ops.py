#!/usr/bin/env python3
"""Golden values of every operator's cases, by PyTorch in f64.

    build/tests/ops_test --inputs inputs.safetensors
    tools/oracle/ops.py inputs.safetensors tests/data/ops.safetensors

The inputs, and the weights of the results in the loss, come from the test itself. What goes into the file, for each
case, is y and the gradient of each floating-point input: "case:y", "case:d0", ... A case that this script does not
know is an error. Needs torch, numpy and safetensors.
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

CASES = {}


def case(*names):
    """The function computes the cases of these names from their inputs; sets are inputs that are integers."""
    def add(function):
        for name in names:
            CASES[name] = function
        return function
    return add


def same(name, function, *variants):
    for variant in ("",) + variants:
        CASES[name + variant] = function


# ---- Elementwise ----
def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


for name, function in {
    "abs": torch.abs, "cos": torch.cos, "erf": torch.erf, "exp": torch.exp, "gelu": F.gelu, "log": torch.log,
    "quick_gelu": quick_gelu, "relu": F.relu, "sigmoid": torch.sigmoid, "silu": F.silu, "sin": torch.sin,
    "sqrt": torch.sqrt, "square": torch.square, "tanh": torch.tanh,
}.items():
    same(name, function, ".ties")


def maximum(a, b):  # the whole gradient to a where they are equal
    return torch.where(a >= b, a, b)


for name, function in {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
                       "maximum": maximum}.items():
    same(name, function, ".rows", ".both", ".mixed", ".ties")

CASES["affine"] = lambda x: -1.5 * x + 0.25
same("clamp", lambda x: torch.where((x >= -0.5) & (x <= 1.0), x, x.detach().clamp(-0.5, 1.0)), ".ends")  # slope 1 there
same("leaky_relu", lambda x: F.leaky_relu(x, float(np.float32(0.2))), ".kink")
same("step", lambda x: (x >= 0.5).double() + 0 * x, ".at_threshold")
same("cast", lambda x: x, ".to_f32", ".from_i64")
CASES["cast.to_bf16"] = lambda x: x + (x.to(torch.bfloat16).double() - x).detach()
CASES["cast.to_f16"] = lambda x: x + (x.to(torch.float16).double() - x).detach()
CASES["stop_gradient"] = lambda x: torch.square(x).detach() * x

# ---- Shape ----
CASES["reshape"] = lambda x: torch.square(F.silu(x).reshape(4, -1))
CASES["permute"] = lambda x: x.permute(2, 0, 1)
CASES["permute.heads"] = lambda x: x.permute(0, 2, 1, 3)
CASES["permute.nothing_moves"] = lambda x: torch.square(F.silu(x).permute(1, 3, 0, 2))
CASES["broadcast"] = CASES["broadcast.last"] = lambda x: x.expand(2, 3, 4, 5)
CASES["concat"] = lambda *x: torch.cat(x, 0)
CASES["concat.last"] = CASES["concat.mixed"] = lambda *x: torch.cat(x, -1)
CASES["concat.middle"] = lambda *x: torch.cat(x, 1)
CASES["slice"] = lambda x: x[:, 1:4]
CASES["slice.last"] = lambda x: x[..., 2:5]
CASES["slice.view"] = lambda x: F.silu(x)[1:3] * F.silu(x)[2:4]
CASES["pad"] = lambda x: F.pad(x, (2, 3, 1, 0, 0, 1))

# ---- Reductions ----
CASES["sum"] = lambda x: x.sum(1)
CASES["sum.ends"] = lambda x: x.sum((0, -1), keepdim=True)
CASES["sum.last"] = lambda x: x.sum(-1, keepdim=True)
CASES["sum.all"] = lambda x: x.sum()
CASES["mean"] = lambda x: x.mean((0, 2))
CASES["mean.all"] = lambda x: x.mean()
CASES["max"] = lambda x: x.amax(1)
CASES["max.ends"] = lambda x: x.amax((0, -1), keepdim=True)
CASES["max.ties"] = lambda x: x.amax(-1, keepdim=True)
same("softmax", lambda x: F.softmax(x, -1), ".far")
same("log_softmax", lambda x: F.log_softmax(x, -1), ".far")
CASES["softmax.middle"] = lambda x: F.softmax(x, 1)
CASES["log_softmax.middle"] = lambda x: F.log_softmax(x, 1)

# ---- Losses, tables ----
CASES["mse_loss"] = F.mse_loss
CASES["hinge_loss.real"] = lambda x: F.relu(1 - x).mean()
CASES["hinge_loss.not_real"] = lambda x: F.relu(1 + x).mean()
CASES["cross_entropy"] = lambda x, k: F.cross_entropy(x, k.long())
same("cross_entropy", lambda x, k: F.cross_entropy(x, k.long(), label_smoothing=float(np.float32(0.1))), ".smooth",
     ".far")
CASES["cross_entropy"] = lambda x, k: F.cross_entropy(x, k.long())
same("embedding", lambda table, ids: F.embedding(ids.long(), table), ".tokens")


@case("geglu")
def geglu(x):
    a, b = x.chunk(2, -1)
    return a * F.gelu(b)


# ---- Matrix products, convolutions, attention, norms ----
def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def conv(pad=(0, 0, 0, 0), **options):  # pad: left, right, top, bottom
    return lambda x, w, b=None: nhwc(F.conv2d(F.pad(nchw(x), pad), nchw(w), b, **options))


CASES["conv2d"] = CASES["conv2d.pointwise"] = conv()
CASES["conv2d.same"] = conv((1, 1, 1, 1))
CASES["conv2d.uneven"] = conv((0, 1, 0, 1), stride=2)
CASES["conv2d.dilated"] = conv((2, 1, 0, 0), dilation=(2, 3))
CASES["conv2d.grouped"] = conv((0, 0, 1, 0), groups=2, stride=(1, 2))


def conv_transpose(pad=(0, 0, 0, 0), output_pad=(0, 0), **options):
    left, right, top, bottom = pad

    def run(x, w, b=None):
        y = F.conv_transpose2d(nchw(x), nchw(w), **options)
        y = F.pad(y, (0, output_pad[1], 0, output_pad[0]))
        y = y[:, :, top:y.shape[2] - bottom, left:y.shape[3] - right]
        return nhwc(y) + (0 if b is None else b)

    return run


CASES["conv_transpose2d"] = conv_transpose()
CASES["conv_transpose2d.doubling"] = conv_transpose((1, 1, 1, 1), (1, 1), stride=2)
CASES["conv_transpose2d.uneven"] = conv_transpose((0, 2, 1, 0), (0, 2), stride=(2, 3), dilation=(2, 1), groups=2)
CASES["matmul"] = lambda a, b: a @ b
CASES["matmul.nt"] = lambda a, b, c: a @ b.mT + c
CASES["matmul.tn"] = lambda a, b: a.mT @ b
CASES["matmul.tt"] = lambda a, b, c: a.mT @ b.mT + c
same("linear", F.linear, ".row")


def group_norm(groups, eps):
    def run(x, *affine):
        return F.group_norm(x.movedim(-1, 1), groups, *affine, eps=eps).movedim(1, -1)
    return run


EPS5, EPS2 = float(np.float32(1e-5)), float(np.float32(1e-2))
CASES["group_norm"] = group_norm(2, EPS5)
CASES["group_norm.plain"] = group_norm(3, EPS2)
CASES["group_norm_silu"] = lambda x, s, *affine: F.silu(group_norm(2, EPS5)(x + s[:, None, None], *affine))
CASES["group_norm_silu.plain"] = lambda x, *affine: F.silu(group_norm(3, EPS5)(x, *affine))
CASES["layer_norm"] = lambda x, a, b: F.layer_norm(x, (x.shape[-1],), a, b, EPS5)
CASES["layer_norm.plain"] = lambda x: F.layer_norm(x, (x.shape[-1],), eps=EPS2)


def attention(**options):
    def run(q, k, v, mask=None):
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, mask, **options).transpose(1, 2)
    return run


same("attention", attention(), ".masked")
CASES["attention.causal"] = attention(is_causal=True, scale=float(np.float32(0.3)))

# ---- Pictures ----
CASES["upsample_nearest"] = lambda x: nhwc(F.interpolate(nchw(x), scale_factor=(2, 3)))


def bilinear(height, width, corners):
    return lambda x: nhwc(F.interpolate(nchw(x), (height, width), mode="bilinear", align_corners=corners))


CASES["resize_bilinear.up"] = bilinear(5, 7, False)
CASES["resize_bilinear.down"] = bilinear(3, 2, False)
CASES["resize_bilinear.corners"] = bilinear(5, 7, True)
CASES["avg_pool2d"] = lambda x: nhwc(F.avg_pool2d(nchw(x), 2, 2))
CASES["avg_pool2d.overlapping"] = lambda x: nhwc(F.avg_pool2d(nchw(x), 3, 2))
CASES["max_pool2d"] = lambda x: nhwc(F.max_pool2d(nchw(x), 2, 2))
CASES["max_pool2d.overlapping"] = lambda x: nhwc(F.max_pool2d(nchw(x), 3, 2))

# ---- Randomness: Philox4x32-10, written from the paper ----
def philox(seed, count, counter, stream):
    mask = 0xFFFFFFFF
    lanes = []
    for i in range((count + 3) // 4):
        c = [i & mask, i >> 32, counter & mask, stream]
        k = [seed & mask, (seed >> 32) & mask]
        for _ in range(10):
            p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & mask, (p0 >> 32) ^ c[3] ^ k[1], p0 & mask]
            k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
        lanes += c
    return np.array(lanes, dtype=np.uint64)


def uniform(state, shape, stream):
    count = int(np.prod(shape))
    bits = philox(int(state[0]), count, int(state[1]), stream)[:count]
    return torch.from_numpy((bits >> 8).astype(np.float64) * 2.0**-24).reshape(shape)


def normal(state, shape, stream):
    count = int(np.prod(shape))
    u = (philox(int(state[0]), count, int(state[1]), stream) >> 8).astype(np.float64) * 2.0**-24
    radius, angle = np.sqrt(-2 * np.log(1 - u[0::2])), 2 * np.pi * u[1::2]
    z = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)
    return torch.from_numpy(z[:count].copy()).reshape(shape)


CASES["random_uniform"] = lambda s: uniform(s, (3, 7), 0)
CASES["random_uniform.second"] = lambda s: uniform(s, (5,), 0) - uniform(s, (5,), 1)
CASES["random_normal"] = lambda s: normal(s, (3, 7), 0)
CASES["random_normal.second"] = lambda s: normal(s, (5,), 0) - normal(s, (5,), 1)


@case("dropout")
def dropout(x, state):
    p = float(np.float32(0.3))
    keep = uniform(state, tuple(x.shape), 0) >= p
    return torch.where(keep, x / (1 - p), torch.zeros_like(x))


def read(path):
    cases = {}
    with safe_open(path, "pt") as f:
        for key in f.keys():
            name, part = key.rsplit(":", 1)
            cases.setdefault(name, {})[part] = f.get_tensor(key)
    return cases


def main():
    inputs, target = sys.argv[1:]
    out = {}
    cases = read(inputs)
    unknown = sorted(set(cases) - set(CASES))
    if unknown:
        sys.exit("no function here for: " + " ".join(unknown))
    for name, parts in cases.items():
        x = [parts[str(i)].double().requires_grad_() for i in range(len(parts) - 1)]
        y = CASES[name](*x)
        if y.shape != parts["w"].shape:
            sys.exit(f"{name}: PyTorch's result has the shape {tuple(y.shape)}, ours {tuple(parts['w'].shape)}")
        if y.requires_grad:
            (y * parts["w"].double()).sum().backward()
        out[name + ":y"] = y.detach().float().contiguous()
        for i, t in enumerate(x):
            grad = t.grad if t.grad is not None else torch.zeros_like(t)
            out[f"{name}:d{i}"] = grad.float().contiguous()
    save_file(out, target)


if __name__ == "__main__":
    main()
