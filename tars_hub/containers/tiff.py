"""TIFF and BigTIFF: what the first page holds, whether all pages are there, and a copy that OpenCV reads right.

OpenCV multiplies colours by their alpha, drops the alpha of grey pictures and turns pictures upright in two ways. So it
is given the same strips under a directory with only the tags that make pixels, some of them reworded so that samples
come out as stored; `tars_hub.decode` interprets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tars_hub.containers import exif
from tars_hub.containers.ifd import Directory, directories, with_directory
from tars_hub.containers.parts import Flaw, Header, too_many

Model = Literal["grey", "grey-alpha", "rgb", "cmyk", "lab"]
Alpha = Literal["none", "straight", "premultiplied"]

MAX_STRIPS = 1 << 18  # of the page that is read; OpenCV starts libtiff anew for each, about 10 µs
MAX_EXTENTS = 1 << 24  # strips or tiles of all pages, counting offsets and lengths
_SPARE_BYTES = 4096  # of a strip or tile, beyond twice its pixels

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 273, 277, 278, 279, 284
PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, EXTRA, FORMAT = 317, 322, 323, 324, 325, 338, 339
ORIENTATION, INKS, XMP = 274, 332, 700
# Besides: fill order, fax options, colour map, JPEG tables, and how YCbCr is sampled.
_KEPT = {*(266, 292, 293, 320, 347, 529, 530, 531, 532), WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS}
_KEPT |= {SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES}
_KEPT |= {EXTRA, FORMAT}

_PLAIN, _JPEG = 1, 7
_COMPRESSIONS = {_PLAIN, 2, 3, 4, 5, _JPEG, 8, 32773, 32946}  # none, fax, LZW, JPEG, deflate, PackBits, deflate
_WHITE_IS_0, _BLACK_IS_0, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_DEEP = {10, 12, 14, 16, 32, 64}
_READ = {  # photometric → (samples without alpha, bits per sample)
    _WHITE_IS_0: (1, {1, 8, *_DEEP}),
    _BLACK_IS_0: (1, {1, 8, *_DEEP}),
    _RGB: (3, {8, *_DEEP}),
    _PALETTE: (1, {1, 4, 8}),
    _CMYK: (4, {8, 16}),
    _YCBCR: (3, {8}),
    _LAB: (3, {8}),
}
_WITH_ALPHA = {_WHITE_IS_0, _BLACK_IS_0, _RGB}
_MODELS: dict[int, Model] = {_WHITE_IS_0: "grey", _BLACK_IS_0: "grey", _CMYK: "cmyk", _LAB: "lab"}
_UNREAD = "a TIFF of a kind that OpenCV does not read; save it as PNG"


@dataclass(frozen=True, kw_only=True)
class TiffHeader(Header):
    """A TIFF's header.

    Attributes:
        model: what the samples of a pixel mean; "grey-alpha" comes as one 16-bit number.
        plain: whether OpenCV gets 8-bit RGB right by itself; nothing below matters then.
        alpha: whether the colours have been multiplied by the last sample, or it is no alpha at all.
        inverted: whether raw samples have white as 0.
        differences: whether "grey-alpha" samples are differences to the pixel on the left.
        order: the file's byte order, "<" or ">".
        block: pixels of the largest strip or tile.
    """

    model: Model
    plain: bool
    alpha: Alpha
    inverted: bool
    differences: bool
    order: str
    block: int

    @property
    def area(self) -> int:
        return max(super().area, self.block)


@dataclass(frozen=True)
class _Page:
    """The numbers of a page that its readers share."""

    width: int
    height: int
    bits: int
    samples: int
    photometric: int
    compression: int
    planes: int
    tile: tuple[int, int] | None  # width, height


def read(data: bytes) -> TiffHeader:
    """Check that every page's strips or tiles lie inside the file and describe the first."""
    pages = directories(data)
    _check_extents(pages, len(data))
    first = pages[0]
    page = _page(first)
    _check_readable(page, first)
    _check_strips(page, first)
    model = "grey-alpha" if _is_grey_alpha(page) else _MODELS.get(page.photometric, "rgb")
    block_width, block_height = _block(page, first)
    notes = first.content(XMP) if XMP in first.entries else None
    turned = exif.valid(first.integer(ORIENTATION)) if ORIENTATION in first.entries else exif.orientation(None, notes)
    return TiffHeader(
        kind="TIFF",
        width=page.width,
        height=page.height,
        orientation=turned,
        body=_body(data, first, model),
        model=model,
        plain=model == "rgb" and page.bits <= 8 and page.samples < 4,
        alpha=_alpha(page, first),
        inverted=page.photometric == _WHITE_IS_0 and page.bits > 8,
        differences=model == "grey-alpha" and first.integer(PREDICTOR, 1) == 2,
        order=first.layout.order,
        block=block_width * block_height,
    )


def _check_extents(pages: list[Directory], size: int) -> None:
    """The pixels of all pages must lie inside the file."""
    places = [
        (page, offsets_tag, bytes_tag)
        for page in pages
        for offsets_tag, bytes_tag in ((STRIP_OFFSETS, STRIP_BYTES), (TILE_OFFSETS, TILE_BYTES))
        if offsets_tag in page.entries and bytes_tag in page.entries
    ]
    if sum(page.entries[tag].count for page, *tags in places for tag in tags) > MAX_EXTENTS:
        raise too_many("strips or tiles")
    for page, offsets_tag, bytes_tag in places:
        offsets, lengths = page.integers(offsets_tag, MAX_EXTENTS), page.integers(bytes_tag, MAX_EXTENTS)
        count = min(len(offsets), len(lengths))
        if (offsets > size).any() or (lengths > size).any() or (offsets[:count] + lengths[:count] > size).any():
            raise Flaw("cut short: a TIFF whose pixels run past the end")


def _page(directory: Directory) -> _Page:
    bits = directory.integers(BITS, 8) if BITS in directory.entries else [1]
    if len(bits) == 0 or len({int(number) for number in bits}) != 1:
        raise Flaw(_UNREAD)
    return _Page(
        width=directory.integer(WIDTH),
        height=directory.integer(HEIGHT),
        bits=int(bits[0]),
        samples=directory.integer(SAMPLES, 1),
        photometric=directory.integer(PHOTOMETRIC),
        compression=directory.integer(COMPRESSION, _PLAIN),
        planes=directory.integer(SAMPLES, 1) if directory.integer(PLANAR, 1) == 2 else 1,
        tile=_tile(directory),
    )


def _tile(directory: Directory) -> tuple[int, int] | None:
    if TILE_WIDTH not in directory.entries:
        return None
    return directory.integer(TILE_WIDTH), directory.integer(TILE_HEIGHT)


def _check_readable(page: _Page, directory: Directory) -> None:
    colours, depths = _READ.get(page.photometric, (0, set[int]()))
    extra = page.samples - colours
    extras = {0, 1} if page.photometric in _WITH_ALPHA else {0}
    if page.bits not in depths or page.compression not in _COMPRESSIONS or extra not in extras:
        raise Flaw(_UNREAD)
    deep_planes = page.planes > 1 and page.bits > 8  # read as if interleaved
    grey_alpha = _is_grey_alpha(page) and (
        page.bits != 8 or page.planes > 1 or page.compression == _JPEG or page.photometric == _WHITE_IS_0
    )
    tiled_differences = _is_grey_alpha(page) and page.tile is not None and directory.integer(PREDICTOR, 1) == 2
    bad_format = page.bits <= 8 and directory.integer(FORMAT, 1) != 1
    other_inks = page.photometric == _CMYK and directory.integer(INKS, 1) != 1
    if deep_planes or grey_alpha or tiled_differences or bad_format or other_inks:
        raise Flaw(_UNREAD)


def _is_grey_alpha(page: _Page) -> bool:
    return page.photometric in {_WHITE_IS_0, _BLACK_IS_0} and page.samples == 2


def _block(page: _Page, directory: Directory) -> tuple[int, int]:
    """(width, height) of the strips or tiles, in pixels."""
    if page.tile is not None:
        return page.tile
    return page.width, min(directory.integer(ROWS_PER_STRIP, page.height), page.height)


def _check_strips(page: _Page, directory: Directory) -> None:
    """Every strip or tile must be there, and hold all its bytes where nothing compresses them."""
    width, height = _block(page, directory)
    if not (page.width and page.height and width and height):
        raise Flaw("damaged: a TIFF without a size")
    across, down = -(-page.width // width), -(-page.height // height)
    tags = (STRIP_OFFSETS, STRIP_BYTES) if page.tile is None else (TILE_OFFSETS, TILE_BYTES)
    expected = across * down * page.planes
    if expected > MAX_STRIPS:
        raise Flaw("a TIFF in too many strips or tiles; save it as PNG")
    lengths = directory.integers(tags[1], MAX_EXTENTS)[:expected]
    if min(len(lengths), len(directory.integers(tags[0], MAX_EXTENTS))) < expected or not lengths.all():
        raise Flaw("cut short: a TIFF with strips or tiles missing")
    rows = page.height if page.tile is None else down * height
    needed = (across * width * page.samples // page.planes * page.bits + 7) // 8 * rows * page.planes
    stored = int(lengths.sum())
    if page.compression == _PLAIN and page.photometric != _YCBCR and stored < needed:
        raise Flaw("cut short: a TIFF with fewer samples than it says")
    if stored > max(len(directory.data), 2 * needed + _SPARE_BYTES * expected):  # the same bytes, read over and over
        raise Flaw("damaged: a TIFF whose strips or tiles lie on top of each other")


def _alpha(page: _Page, directory: Directory) -> Alpha:
    colours, _ = _READ[page.photometric]
    meaning = directory.integer(EXTRA, 2)
    if page.samples == colours or meaning == 0:
        return "none"
    return "premultiplied" if meaning == 1 else "straight"


def _body(data: bytes, directory: Directory, model: Model) -> bytes:
    """The file under a directory of its own, in which no tag makes OpenCV change a sample."""
    kept = {tag: entry.raw for tag, entry in directory.entries.items() if tag in _KEPT}
    short = directory.layout.short
    if EXTRA in kept or (model == "rgb" and directory.integer(SAMPLES, 1) == 4):
        kept[EXTRA] = short(EXTRA, 1)  # "premultiplied already", so it is left alone
    if model in {"cmyk", "lab"}:
        kept[PHOTOMETRIC] = short(PHOTOMETRIC, _RGB)
    if model == "cmyk":
        kept[EXTRA] = short(EXTRA, 1)
    if model == "grey-alpha":
        kept |= {BITS: short(BITS, 16), SAMPLES: short(SAMPLES, 1)}
        for tag in (EXTRA, PREDICTOR, FORMAT):
            kept.pop(tag, None)
    return with_directory(data, directory.layout, kept)
