"""Lets ``python -m fairmark.cli`` do what the command ``fairmark`` does."""

import sys

from fairmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
