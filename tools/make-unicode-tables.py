"""Writes src/text/unicode_tables.inc: what the Python package `tokenizers` knows of Unicode.

    python3 tools/make-unicode-tables.py        (needs tokenizers; tested with 0.23.3, takes a minute)

The package holds three ages of Unicode at once: the regular expressions (Oniguruma), the lower case (Rust's own) and
the normal form (a crate that stopped at Unicode 9). Token ids depend on all three, so the tables are measured, code
point by code point, instead of being taken from any one version of the standard."""

import pathlib
import unicodedata

from tokenizers import Regex, normalizers

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
NFC, NFD, LOWER = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str, normalizers.Lowercase().normalize_str


def matching(pattern):
    remove = normalizers.Replace(Regex(pattern), "").normalize_str
    return [c for c in CODES if remove(chr(c)) == ""]


def ranges(codes):
    out = []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def lower_case():
    """Runs (first, last, step, delta) of code points whose lower case is one other code point."""
    runs = []
    for c in CODES:
        low = LOWER(chr(c))
        if len(low) != 1:
            assert (c, low) == (0x130, "i\u0307"), "the only one that becomes two is written in unicode.c"
            continue
        delta = ord(low) - c
        if not delta:
            continue
        if runs:
            first, last, step, d = runs[-1]
            if d == delta and (c - last == step or (first == last and c - last <= 2)):
                runs[-1] = [first, c, c - last, delta]
                continue
        runs.append([c, c, 1, delta])
    return runs


def combining_classes():
    """The classes, found by which mark moves before which."""
    moves = lambda a, b: a != b and NFD("a" + chr(a) + chr(b)) == "a" + chr(b) + chr(a)  # class(a) > class(b) > 0
    claimed = {c: unicodedata.combining(chr(c)) for c in CODES if unicodedata.combining(chr(c))}
    marks = [c for c in claimed if NFD(chr(c)) == chr(c)]
    low, high = 0x334, 0x345  # classes 1 and 240, the ends of the scale
    known = [c for c in marks if c in (low, high) or moves(c, low) or moves(high, c)]
    # What the package calls a mark at all has the class that the standard gives, which never changes.
    probes = {}
    for c in known:
        probes.setdefault(claimed[c], c)
    for c in known:
        for k, probe in probes.items():
            assert moves(c, probe) == (claimed[c] > k) and moves(probe, c) == (k > claimed[c]), hex(c)
    known = {c: claimed[c] for c in known}
    for c in CODES:  # marks that decompose (U+0344) have their class from what they become
        if c not in known and c not in marks and c in claimed:
            known[c] = claimed[c]
    out = []
    for c in sorted(known):
        if out and out[-1][1] == c - 1 and out[-1][2] == known[c]:
            out[-1][1] = c
        else:
            out.append([c, c, known[c]])
    return out


def decompositions():
    """(code, first, second), second 0 where one code point becomes another; one step each. Hangul is computed."""
    out = []
    for c in CODES:
        if NFD(chr(c)) == chr(c) or 0xAC00 <= c <= 0xD7A3:
            continue
        parts = [int(x, 16) for x in unicodedata.decomposition(chr(c)).split()]
        assert 1 <= len(parts) <= 2 and NFD("".join(map(chr, parts))) == NFD(chr(c)), hex(c)
        out.append([c, parts[0], parts[1] if len(parts) == 2 else 0])
    return out


def table(name, kind, rows, per_line):
    text = [f"static const {kind} {name}[] = {{"]
    cells = ["{" + ", ".join(hex(v) for v in row) + "}," for row in rows]
    for i in range(0, len(cells), per_line):
        text.append("  " + " ".join(cells[i : i + per_line]))
    return "\n".join(text + ["};", ""])


def main():
    steps = decompositions()
    pairs = [i for i, (c, a, b) in enumerate(steps) if b and NFC(chr(a) + chr(b)) == chr(c)]
    pairs.sort(key=lambda i: (steps[i][1], steps[i][2]))
    body = [
        "/* Made by tools/make-unicode-tables.py, which says what this is. Included by unicode.c alone. */",
        table("letters", "range", ranges(matching(r"\p{L}")), 6),
        table("numbers", "range", ranges(matching(r"\p{N}")), 6),
        table("spaces", "range", ranges(matching(r"\s")), 6),
        table("lower_runs", "lower_run", lower_case(), 4),
        table("combining_runs", "combining_run", combining_classes(), 5),
        table("decompositions", "decomposition", steps, 5),
        "/* Of `decompositions`, those that compose again, ordered by what they are made of. */",
        "static const uint16_t compositions[] = {",
        *("  " + " ".join(f"{i}," for i in pairs[k : k + 20]) for k in range(0, len(pairs), 20)),
        "};",
        "",
    ]
    path = pathlib.Path(__file__).resolve().parent.parent / "src/text/unicode_tables.inc"
    path.write_text("\n".join(body))
    print(path, path.stat().st_size, "bytes;", len(steps), "decompositions,", len(pairs), "compositions")


main()
