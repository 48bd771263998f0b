"""``python -m speechbrain_apcodec``: the command ``apcodec``."""

import sys

from speechbrain_apcodec.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
