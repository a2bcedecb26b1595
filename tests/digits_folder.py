"""A small part of the real digits as a data folder, for tests that train."""

from pathlib import Path

from tars_hub.digits import write_digits


def write_few_digits(folder: Path, *, digits: str = "01", train: int = 16, val: int = 6) -> Path:
    """`train/` and `val/` with that many pictures of each of these digits."""
    write_digits(folder)
    for split, kept in (("train", train), ("val", val)):
        for entry in (folder / split).iterdir():
            pictures = sorted(entry.iterdir())
            for path in pictures[kept if entry.name in digits else 0 :]:
                path.unlink()
            if entry.name not in digits:
                entry.rmdir()
    return folder
