"""Build every compiled part now: `python -m include.marc.kernels`, for an image in which there will be no compiler."""

from pathlib import Path

from include.marc.iso2709.compiled import built

if __name__ == "__main__":
    for source in sorted(Path().glob("*/**/kernel.c")):
        print(built(source))
