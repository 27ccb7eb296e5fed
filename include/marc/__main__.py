"""python -m include.marc"""

import sys

from include.marc.cli import main

if __name__ == "__main__":
    sys.exit(main())
