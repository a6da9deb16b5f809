"""Writes the font of the figures, `assets/font/figure_gothic.ttf.zst`: NanumGothic Regular reduced
to the characters of the figures, under another name, compressed.

    pip install fonttools zstandard
    apt-get install fonts-nanum
    python tests/python/figure_font.py /usr/share/fonts/truetype/nanum/NanumGothic.ttf \\
        assets/font/figure_gothic.ttf.zst [--ttf figure_gothic.ttf]

With --ttf the uncompressed font is written too. The asset was written from Debian's fonts-nanum
20200506-1 with fonttools 4.68.0 and zstandard 0.25.0; the same versions write the same bytes,
others may write an equivalent file with other bytes. Characters that are missing in the source are
printed and left out; a missing Hangul syllable ends the script with status 1.

NanumGothic is under the SIL Open Font License 1.1, whose third condition keeps the Reserved Font
Names ("Nanum", "NanumGothic", …) for the original: hence the new name. The license is beside the
asset, as `OFL.txt`.
"""

import argparse
import io
import sys
from pathlib import Path

import zstandard
from fontTools import subset
from fontTools.ttLib import TTFont

FAMILY = "Figure Gothic"
STYLE = "Regular"
POSTSCRIPT = "FigureGothic-Regular"
FULL = f"{FAMILY} {STYLE}"

# By name ID; the other kept records are not changed.
NEW_NAMES = {1: FAMILY, 2: STYLE, 3: POSTSCRIPT, 4: FULL, 6: POSTSCRIPT, 16: FAMILY, 17: STYLE}
# Copyright, license and the license's address.
KEPT_NAMES = [0, 13, 14]
# The Windows names in US English; the Korean ones contain the reserved name in Hangul.
PLATFORM, ENCODING, LANGUAGE = 3, 1, 0x409

# Seconds since 1904, the epoch of the head table: 2020-01-01 00:00 UTC.
MODIFIED = 3_660_681_600
ZSTD_LEVEL = 19


def syllables():
    """The 2,350 Hangul syllables of KS X 1001: rows 0xB0 to 0xC8 of EUC-KR."""
    rows = range(0xB0, 0xC9)
    cells = range(0xA1, 0xFF)
    return [ord(bytes([row, cell]).decode("euc-kr")) for row in rows for cell in cells]


def other_code_points():
    """The code points of the figures' text, except the syllables."""
    return [
        *range(0x0020, 0x007F),  # ASCII
        *range(0x00A0, 0x0100),  # Latin-1, with ×
        *range(0x2010, 0x2027),  # dashes, quotation marks, • and …
        *range(0x2190, 0x2194),  # ← ↑ → ↓
        0x2212,  # −
        0x2248,  # ≈
        0x25B2,  # ▲
        0x25C6,  # ◆
        0x25CB,  # ○
        0x25CF,  # ●
        *range(0x3131, 0x3164),  # single Hangul jamo
    ]


def reduce(font, code_points):
    """As pyftsubset with --no-hinting --desubroutinize --layout-features=kern --notdef-outline
    --no-glyph-names --name-IDs=… --name-languages=0x409 and more tables to drop."""
    options = subset.Options()
    options.hinting = False
    options.desubroutinize = True
    options.layout_features = ["kern"]
    # A character that is not in the font is drawn as a box.
    options.notdef_outline = True
    options.glyph_names = False
    options.name_IDs = sorted({*KEPT_NAMES, *NEW_NAMES})
    options.name_languages = [LANGUAGE]
    options.recalc_timestamp = False
    options.drop_tables += [
        *("vhea", "vmtx", "VORG"),  # vertical text
        *("EBDT", "EBLC", "EBSC", "CBDT", "CBLC", "sbix"),  # bitmaps
        *("GSUB", "gasp", "DSIG"),
        *("TSI0", "TSI1", "TSI2", "TSI3", "TSI5"),  # sources of the hints
    ]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=code_points)
    subsetter.subset(font)


def rename(font):
    """Replaces all names except KEPT_NAMES by the new ones."""
    table = font["name"]
    key = (PLATFORM, ENCODING, LANGUAGE)
    kept = {i: table.getName(i, *key).toUnicode() for i in KEPT_NAMES}
    table.names = []
    for name_id, text in sorted({**kept, **NEW_NAMES}.items()):
        table.setName(text, name_id, *key)


def make(source):
    """The bytes of the new font, and the code points that are missing in the source."""
    font = TTFont(source, recalcTimestamp=False)
    covered = set(font.getBestCmap())
    hangul = syllables()
    missing = [chr(point) for point in hangul if point not in covered]
    if len(set(hangul)) != 2350 or missing:
        sys.exit(f"{source}: these syllables are missing: {''.join(missing)}")
    points = [*other_code_points(), *hangul]
    reduce(font, points)
    rename(font)
    font["head"].modified = MODIFIED
    out = io.BytesIO()
    font.save(out)
    return out.getvalue(), [point for point in points if point not in covered]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source", type=Path, help="NanumGothic.ttf")
    parser.add_argument("output", type=Path, help="the .ttf.zst to write")
    parser.add_argument("--ttf", type=Path, help="write the uncompressed font here too")
    args = parser.parse_args()

    data, missing = make(args.source)
    # On one thread: the number of threads could change the bytes.
    packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(data)
    args.output.write_bytes(packed)
    if args.ttf:
        args.ttf.write_bytes(data)
    print(f"{args.output}: {len(packed)} bytes, {len(data)} uncompressed")
    if missing:
        print("not in the source: " + " ".join(f"U+{p:04X}" for p in missing))


if __name__ == "__main__":
    main()
