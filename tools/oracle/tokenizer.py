"""Writes tests/golden/text/: texts of many scripts with the ids that transformers' CLIPTokenizer gives them.

    python3 tools/oracle/tokenizer.py                       (needs transformers 5, open_clip_torch; made with
                                                             transformers 5.23, tokenizers 0.23.3)
    python3 tools/oracle/tokenizer.py fuzz build/sumi [STRINGS [SEED]]

tokenizer.json   the corpus, with the full vocabulary of CLIP and transformers' defaults
folder/          a small vocabulary of its own, padded with "!" as Stable Diffusion 2's, its first token found in
                 normalised text; folder.json has the corpus in its ids

The second form writes nothing: it compares random strings, some of them not UTF-8, with what `sumi tokenize --ids`
prints for them."""

import gzip
import importlib.util
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from transformers import CLIPTokenizer

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/text"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"

TEXTS = """
a watercolor picture of an otter
A Photo Of THE Cat, 8K, hdr!!!
don't we'll they've I'm he'd it's you're DON'T WE'LL ''s 's't 'S 'sam rock'n'roll l'été
masterpiece, best_quality ((x:1.2)) [y] {z} <lora:foo:0.8> \\(escaped\\)
1920x1080 3.14159 1,000,000 v2.1 16:9 007 ²³¹ ½ Ⅳ ⅷ ① ㊿
naïve café Zürich Ångström crème brûlée Dvořák Łódź Şırnak
nai\u0308ve cafe\u0301 Zu\u0308rich A\u030angstro\u0308m q\u0307\u0323 q\u0323\u0307
İstanbul ISTANBUL ıI iİ I\u0307 Diyarbakır
Straße STRASSE STRAẞE ẞ ß
Σίσυφος ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΥΣ ς σ Σ ᾳ ᾼ ὦ Ὠ ΐ
ﬁligree ﬂow ﬀ ﬃ ﬄ ﬅ Ǆ ǅ ǆ Ǉ ĳ Ĳ œuvre Æon ŉ
Привет, мир! Ёлка й и\u0306 Ѩ Ꙗ ѢЪ
שלום עולם שִׁין בְּרֵאשִׁית
مرحبا بالعالم ١٢٣ ۴۵۶ لا ﻻ ـــ مُحَمَّد
नमस्ते दुनिया क्षत्रिय १२३ क़ ख़
বাংলা ௧௨ தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල ไทย ๑๒ ລາວ ខ្មែរ မြန်မာ བོད་ཡིག ქართული ႠႡ Ა հայերեն ԱԲ አማርኛ
日本語のテキスト カタカナ ｶﾀｶﾅ が か\u3099 ㍿ ﾞ
汉字 漢字 你好，世界！ 金 \uf90a \u2f800
한국어 각 \u1100\u1161\u11a8 \uac00\u11a8 \u1100\u1161 ㄱㅏㄱ ﾡ \ua960 \ud7b0
Ｆｕｌｌ　Ｗｉｄｔｈ　１２３！
👍 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇺🇳 1️⃣ ☺ ☺️ 🤖🦦 🫠 ©®™
a\u200bb a\u200cb a\u200db \ufeffbom \u2060 \u00ad soft\u00adhyphen
a\u00a0b a\u2003b a\u3000b a\u2028b a\u2029b a\u0085b a\u1680b a\u180eb
tab\tnew\nline\rreturn\x0bvertical\x0cform  two   three
\x01\x02\x07\x08\x1b[31m \x1c\x1d\x1e\x1f \x7f \x80 \x9f
\u202eright to left\u202c \u2066isolate\u2069
— – … “quotes” ‘single’ «guillemets» „low“ ¡hola! ¿qué? § ¶ † ‡ • ‰ ′ ″ € £ ¥ ₿ ∑ ∞ ≠ ← ↔ █ ░
a\u0300\u0301\u0302\u0303 a\u0316\u0300 a\u0300\u0316 a\u031b\u0323\u0301 a\u0345\u0301 \u0301 \u0344
\u0958 \u09dc \u0a33 \u0b5c \u0dda \u0f43 \u0f73 \u2adc \ufb1d \U0001d15e \U0001d1bf
\u0c3c\u0334 \u1df6\u0334 \u08ca\u0323 \U00011938 \U00011935\U00011930 \U00016d68
\u1c89 \ua7cb \ua7dc \U00010d50 \U00016ea0 \U0001e900 \U00010400 \U000118a0 \U0001f130
\U00010330 \U00012000 \U00013000 \U0001d400 \U0001d7ce \U0001f600 \U000e0041 \U0010ffff \ue000 \uffff \ufdd0
\u2160 \u24b6 \u1d2c \u02b0 \u00aa \u00ba \u0345 \u2126 \u212a \u212b \u1e9b \u017f
<|startoftext|>a cat<|endoftext|> a dog<|endoftext|><|endoftext|>
<|STARTOFTEXT|>x <|EndOfText|>! !<|startOFtext|>! a<|ENDOFTEXT|>b
<|startoftext| |> <|start <|endoftext <||> </w> a</w>b </w
hello! hello!! !hello ! !! !!!a! wow!? !'s
supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
================================================ ----------- ~~~~ ______ ........ ,,,,
https://example.com/path?query=1&b=%20#frag user@example.org C:\\dir\\file.txt #hashtag @mention
&amp; &lt;b&gt; &#39; <b>bold</b> Ã© schÃ¶n
for (int i = 0; i < n; i++) { x[i] += y->z; } // code
abc123def 4x4 a1b2 3D 2girls 1girl
Ǝ ə Ɓ ɓ Ɔ ɔ Ȿ Ɑ Ⱥ Ꞌ Ꭰ ꭰ ᏸ Ᲊ
""".strip("\n").split("\n")


def corpus():
    out = TEXTS + ["", " ", "   ", "\t\n", "a", "!", "'", "0", "é", "e\u0301", "\U0001f600", " leading", "trailing ", "\u3000"]
    out += ["x" * 2000, "otter " * 80, "\u0301" * 40, "a" + "\u0323\u0301" * 30, "0123456789" * 20]
    rng = random.Random(7)
    for _ in range(220):
        out.append(random_text(rng))
    texts = [t.encode("utf-8") for t in out]
    # Not UTF-8: lone continuation, cut sequences, overlong forms, surrogates, beyond the last code point, bytes that
    # never occur; and a zero.
    texts += [bytes.fromhex(h) for h in """
    80 ff fe c080 c1bf e08080 e09fbf eda080 edbfbf f08080 f0808080 f4908080 f5808080 fbbfbfbfbf c3 e282 f09f98 f09f e2
    6180 61c362 61e28262 61f09f9862 c3c3a9 e2e282ac f0f09f9880 61ff62fe63 eda0bdedb880 20c320 27f0 e282c3a9 f09fc3a9
    6100 00 610062 c3a900c3 ed9fbf ee8080 f48fbfbf efbfbd 61cc81cc c2a0 c2 e38080e380
    """.split()]
    return texts


WORDS = TEXTS[0].split() + TEXTS[2].split() + ["İ", "ΣΑΣ", "ﬁ", BEGIN, END, BEGIN.upper(), "\u1100\u1161\u11a8", "👩‍🚀"]
BLOCKS = [(0x20, 0x7F), (0, 0x100), (0x100, 0x600), (0x300, 0x370), (0x600, 0x1000), (0x1000, 0x2000), (0x2000, 0x3100)]
BLOCKS += [(0xAC00, 0xAD00), (0x1100, 0x1200), (0xF900, 0x10000), (0x10000, 0x12000), (0x1D000, 0x20000), (0, 0x110000)]


def random_text(rng):
    block, out = rng.choice(BLOCKS), []
    for _ in range(rng.choice([1, 2, 3, 5, 8, 13])):
        kind = rng.random()
        if kind < 0.2:
            out.append(rng.choice(WORDS))
        elif kind < 0.35:
            out.append(" ")
        else:
            c = rng.randrange(*(block if kind < 0.8 else rng.choice(BLOCKS)))
            out.append(chr(c) if not 0xD800 <= c < 0xE000 else "?")
    return "".join(out)


def full_vocabulary():
    source = pathlib.Path(importlib.util.find_spec("open_clip").origin).parent / "bpe_simple_vocab_16e6.txt.gz"
    merges = gzip.decompress(source.read_bytes()).decode("utf-8").split("\n")[1 : 49152 - 256 - 2 + 1]
    return letters(), merges


def letters():
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in own] + [chr(0x100 + i) for i in range(256 - len(own))]


def write_folder(folder, single, merges, **config):
    folder.mkdir(parents=True, exist_ok=True)
    pieces = single + [p + "</w>" for p in single] + [m.replace(" ", "") for m in merges] + [BEGIN, END]
    vocab = {p: i for i, p in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False, separators=(",", ":")))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    if config:
        (folder / "special_tokens_map.json").write_text(json.dumps(config))
    return folder


def ids_of(tokenizer, text):
    return tokenizer(text.decode("utf-8", "replace"), add_special_tokens=False)["input_ids"]


def write_cases(name, tokenizer):
    cases, rng = [], random.Random(3)
    for text in corpus():
        cases.append({"hex": text.hex(), "ids": ids_of(tokenizer, text)})
    decoded = []
    size = len(tokenizer)
    for i in range(60):
        ids = [rng.randrange(size) for _ in range(rng.choice([0, 1, 2, 5, 9]))] if i % 2 else cases[i]["ids"]
        decoded.append({"ids": ids, "hex": tokenizer.decode(ids).encode("utf-8").hex()})
    rows = lambda items: ",\n".join(json.dumps(c, separators=(",", ":")) for c in items)
    (OUT / name).write_text('{"encode":[\n' + rows(cases) + '\n],"decode":[\n' + rows(decoded) + "\n]}\n")
    print(OUT / name, len(cases), "texts")


def write_golden():
    single, merges = full_vocabulary()
    with tempfile.TemporaryDirectory() as folder:
        write_cases("tokenizer.json", CLIPTokenizer.from_pretrained(write_folder(pathlib.Path(folder), single, merges)))
    special = lambda text, normalized: {
        "content": text, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}
    folder = write_folder(
        OUT / "folder", [s for s in single if s not in "qz"], merges[:150], bos_token=special(BEGIN, True),
        eos_token=special(END, True), unk_token=special(END, True), pad_token="!")
    write_cases("folder.json", CLIPTokenizer.from_pretrained(folder))


def fuzz(program, count, seed):
    rng, done, different = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = CLIPTokenizer.from_pretrained(write_folder(pathlib.Path(folder), *full_vocabulary()))
    while done < count:
        texts = []
        for _ in range(2000):
            text = bytearray(random_text(rng).replace("\0", " ").encode("utf-8"))
            if text and rng.random() < 0.1:
                text[rng.randrange(len(text))] = rng.randrange(1, 256)
            texts.append(bytes(text))
        lines = subprocess.run([program, "tokenize", "--ids", "--", *texts], stdout=subprocess.PIPE, check=True).stdout
        for text, line in zip(texts, lines.decode("ascii").split("\n")):
            if line != " ".join(map(str, ids_of(tokenizer, text))):
                different += 1
                print("differs:", text.hex(), line)
        done += len(texts)
    print(done, "strings,", different, "differences")


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "fuzz":
        fuzz(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 100000, int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    else:
        write_golden()


main()
