#!/usr/bin/env python3
"""Small checkpoints as torch.save writes them, for the reader's tests and as seeds for its fuzzer.

Usage: python tools/oracle/torch_files.py [OUTPUT_FOLDER]        (default: tests/golden/torch; needs torch, safetensors)

  zip2.ckpt, zip4.ckpt, legacy.ckpt   the same dictionary in an archive with pickle protocols 2 and 4, and as the stream
                                      of torch before 1.6
  legacy5.ckpt                        such a stream with pickle protocol 5, and a tensor inside of an object of a class
  expected.safetensors                its tensors, each in order
"""

import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file


class Hook:
    """Something that a training leaves in its checkpoint."""

    def __init__(self):
        self.name, self.values = "left over", [1, 2.5, None, True, (1, 2), {"a": b"bytes"}, 1 << 70]


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "tests/golden/torch")
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(1)
    shared = torch.randn(4, 6, generator=generator)
    state = OrderedDict()
    state["f32"] = torch.randn(2, 3, 5, generator=generator)
    state["f16"] = torch.randn(7, generator=generator).half()
    state["bf16"] = torch.randn(3, 3, generator=generator).bfloat16()
    state["i64"] = torch.arange(5)
    state["bool"] = torch.tensor([True, False, True])
    state["scalar"] = torch.tensor(2.5)
    state["empty"] = torch.zeros(0, 4)
    state["rows"] = shared[1:3]
    state["transposed"] = shared.t()
    state["tied"] = state["f32"]
    state["parameter"] = torch.nn.Parameter(torch.randn(3, generator=generator))
    expected = {k: v.detach().clone().contiguous() for k, v in state.items()}
    checkpoint = {"state_dict": state, "global_step": 875000, "epoch": 3, "hook": Hook(), "lr": 1e-4}
    for protocol in (2, 4):
        torch.save(checkpoint, folder / f"zip{protocol}.ckpt", pickle_protocol=protocol)
    torch.save(checkpoint, folder / "legacy.ckpt", _use_new_zipfile_serialization=False)
    checkpoint["hook"].average = torch.randn(5, generator=generator).half()
    torch.save(checkpoint, folder / "legacy5.ckpt", pickle_protocol=5, _use_new_zipfile_serialization=False)
    save_file(expected, folder / "expected.safetensors")


if __name__ == "__main__":
    main()
