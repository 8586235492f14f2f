"""A folder of images: one subfolder a class, perhaps inside train/, val/ and test/."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nograd.core.types import DataError
from nograd.data.array_parts import ArrayParts
from nograd.data.arrays import Array
from nograd.data.messages import one_line

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
_PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_GREY = ("1", "L", "LA", "I;16")


def image_fields(folder: Path, size: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a data set of the images in a folder: x uint8 [images, height, width] or […, 3] in colour.

    Args:
        size: "28x28" (width x height) to bring all images to one size.
        options: problem, split, seed and standardize.
    Raises:
        DataError: no classes or images, an image that cannot be decoded, or of another size than the others.
    """
    wanted = parse_size(size)
    parts = {part: list(_files(place)) for part, place in part_folders(folder).items()}
    files = [path for pairs in parts.values() for path, _ in pairs]
    if not files:
        raise DataError(f"{folder} has no images in it; put them in one subfolder a class, as {folder}/cat/1.png")
    images = read_images(files, wanted)
    labels = np.array([label for pairs in parts.values() for _, label in pairs])
    bounds = np.cumsum([len(pairs) for pairs in parts.values()])[:-1]
    pairs = zip(np.split(images, bounds), np.split(labels, bounds), strict=True)
    options = {
        "split": "stratified",
        **{k: v for k, v in options.items() if (k, v) != ("split", "auto")},
        "problem": "classification",
    }
    return ArrayParts(dict(zip(parts, pairs, strict=True)), str(folder), folder.name).fields(**options)


def part_folders(folder: Path) -> dict[str, Path]:
    """Where the images of each part lie; all in one place where there is no folder train/."""
    found = {
        _PART_NAMES[p.name.lower()]: p for p in sorted(folder.iterdir()) if p.is_dir() and p.name.lower() in _PART_NAMES
    }
    return (
        {part: found[part] for part in ("train", "val", "test") if part in found}
        if "train" in found
        else {"train": folder}
    )


def is_image_folder(folder: Path) -> bool:
    """Whether a folder has subfolders: a class each, or the parts."""
    return any(path.is_dir() for path in folder.iterdir())


def _files(folder: Path) -> Sequence[tuple[Path, str]]:
    """The images, each with its class, in the order of their names."""
    return [
        (path, place.name)
        for place in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        for path in sorted(place.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]


def parse_size(size: str | None) -> tuple[int, int] | None:
    """(width, height) of "28x28"."""
    if size is None:
        return None
    words = size.lower().split("x")
    if len(words) != 2 or not all(word.isdecimal() and 0 < int(word) <= 4096 for word in words):
        raise DataError(f"--size cannot be {size!r}; write width and height in pixels, as 28x28")
    return int(words[0]), int(words[1])


def read_images(
    files: Sequence[Path], size: tuple[int, int] | None = None, shape: tuple[int, ...] | None = None
) -> Array:
    """uint8 [images, height, width], with a last axis of 3 if any of them is in colour.

    Args:
        size: to bring them to, width and height.
        shape: of an example that a model takes; it decides size and colour in place of the files.
    """
    if shape is not None:
        size = (shape[1], shape[0])
    with ThreadPoolExecutor(4) as pool:  # decoding runs outside Python's lock
        images = list(pool.map(partial(_read, size=size), files))
    colour = len(shape) == 3 if shape is not None else any(image.ndim == 3 for image in images)
    images = [_coloured(image, colour) for image in images]
    for path, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            height, width = image.shape[:2]
            first = f"{images[0].shape[1]}x{images[0].shape[0]}"
            raise DataError(
                f"{path} has {width}x{height} pixels but {files[0]} has {first}; "
                f"pass --size {first} to bring all to one size"
            )
    return np.stack(images)


def _coloured(image: Array, colour: bool) -> Array:
    if colour:
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    if image.ndim == 2:
        return image
    # ITU-R 601, as Pillow does it.
    return np.asarray((image.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32) + 0x8000) >> 16, np.uint8)


def _read(path: Path, size: tuple[int, int] | None) -> Array:
    """One image, grey [height, width] or in colour [height, width, 3]."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            image: Image.Image = opened
            if image.width * image.height > 1 << 26:
                raise DataError(
                    f"{path} has {image.width}x{image.height} pixels, too many for a training; make it smaller"
                )
            if image.mode == "I;16":
                scaled = np.asarray(image, np.uint16) >> 8
                image = Image.fromarray(scaled.astype(np.uint8))
            grey = image.convert("L" if image.mode in _GREY else "RGB")
            return np.asarray(grey.resize(size, Image.Resampling.BILINEAR) if size and grey.size != size else grey)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} has too many pixels ({one_line(error)}); make it smaller") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(
            f"{path} cannot be decoded as an image ({one_line(error)}); replace it or leave it out"
        ) from error
