"""Pictures written, turned and resized by Pillow, for tests/io_image_test.c.

    python tools/oracle/pictures.py tests/golden/pictures       (needs Pillow and numpy)

Writes NAME.png (random pixels; rgba.png, grey.png), NAME-WxH.png (Image.resize with LANCZOS), and photo.jpg and photo.webp
with an orientation and a comment (little-endian EXIF, comment as AUTOMATIC1111 writes it), which upright.jpg.png and
upright.webp.png show decoded by Pillow and turned upright. Made with Pillow 13.0.

For tests/sd_jobs_cli_test.sh, 16x16: ink.png and paint.png, black and white of one opacity, with other colours hidden
where there is none; ink-on-white.png and paint-on-black.png, what one sees of them.
"""
import os
import sys

import numpy as np
from PIL import Image, ImageOps

TEXT = "a brass owl, \u6f22\U0001f989\nNegative prompt: blurry\nSteps: 24, Sampler: Euler a, Seed: 7"


def main(folder):
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(0)
    save = lambda image, name: image.save(os.path.join(folder, name), optimize=True)
    for name, channels in (("rgba", 4), ("grey", 1)):
        image = Image.fromarray(rng.integers(0, 256, (17, 23, channels), dtype=np.uint8).squeeze())
        save(image, f"{name}.png")
        for size in ((40, 31), (7, 5), (23, 9), (60, 17), (1, 1)):
            save(image.resize(size, Image.Resampling.LANCZOS), f"{name}-{size[0]}x{size[1]}.png")
    y, x = np.mgrid[0:24, 0:40]
    photo = Image.fromarray(np.stack([x * 6, y * 10, (x + y) * 3], axis=-1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + TEXT.encode("utf-16be")
    for name, how in (("photo.jpg", {"quality": 95, "subsampling": 0}), ("photo.webp", {"lossless": True})):
        photo.save(os.path.join(folder, name), exif=exif.tobytes(), **how)
        save(ImageOps.exif_transpose(Image.open(os.path.join(folder, name))), name.replace("photo", "upright") + ".png")
    y, x = np.mgrid[0:16, 0:16]
    opacity = np.clip(np.hypot(x - 6, y - 9) * -40 + 300, 0, 255).astype(np.uint8)
    hidden = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) * (opacity == 0)[..., None]
    save(Image.fromarray(np.dstack([hidden, opacity])), "ink.png")
    save(Image.fromarray(np.dstack([hidden + 255 * (opacity > 0)[..., None].astype(np.uint8), opacity])), "paint.png")
    save(Image.fromarray(255 - opacity), "ink-on-white.png")
    save(Image.fromarray(opacity), "paint-on-black.png")


main(sys.argv[1])
