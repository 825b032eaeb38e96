"""Writes src/text/clip_merges.inc: the merges of CLIP's byte-pair encoding, each as the ids of its two pieces.

    python3 tools/make-clip-merges.py [bpe_simple_vocab_16e6.txt.gz]

The table comes with OpenAI's CLIP (MIT licence, Copyright (c) 2021 OpenAI); the Python package open_clip_torch carries
it, and is asked where it lies if no path is given (needed for that alone). Ids 0 to 255 are single bytes, 256 to 511
bytes at the end of a word, 512 + i is what merge i makes, and the tokens for begin and end are the last."""

import gzip
import importlib.util
import pathlib
import sys

MERGES = 49152 - 256 - 2  # what CLIP uses of the table's 262,144 lines


def letters():
    """The letter that stands for each byte, in the order of the ids: printable bytes for themselves first."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in own]
    return [chr(b) for b in own] + [chr(0x100 + i) for i in range(len(rest))]


def main():
    if len(sys.argv) > 1:
        source = pathlib.Path(sys.argv[1])
    else:
        source = pathlib.Path(importlib.util.find_spec("open_clip").origin).parent / "bpe_simple_vocab_16e6.txt.gz"
    lines = gzip.decompress(source.read_bytes()).decode("utf-8").split("\n")[1 : 1 + MERGES]
    pieces = letters()
    pieces += [p + "</w>" for p in pieces]
    ids = {p: i for i, p in enumerate(pieces)}
    pairs = []
    for line in lines:
        left, right = line.split()
        pairs.append((ids[left], ids[right]))
        ids[left + right] = len(ids)
    assert len(ids) == 512 + MERGES
    flat = [str(i) for pair in pairs for i in pair]
    text = [
        "/* Made by tools/make-clip-merges.py, which says what this is: two ids for each merge. The table is part of",
        " * OpenAI's CLIP (MIT licence, Copyright (c) 2021 OpenAI). Included by tokenizer_builtin.c alone. */",
        "static const uint16_t clip_merges[] = {",
        *(",".join(flat[i : i + 20]) + "," for i in range(0, len(flat), 20)),
        "};",
        "",
    ]
    path = pathlib.Path(__file__).resolve().parent.parent / "src/text/clip_merges.inc"
    path.write_text("\n".join(text))
    print(path, path.stat().st_size, "bytes;", len(pairs), "merges")


main()
