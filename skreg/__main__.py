"""The command line: ``python -m skreg compare DATA``."""

import sys

from skreg.comparison.commandline import main

if __name__ == "__main__":
    sys.exit(main())
