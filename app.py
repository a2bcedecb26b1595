"""The browser page: `python app.py` trains a small model of handwritten digits the first time, then shows it.

`python app.py --model FOLDER_OR_REPOSITORY` shows another. A Hugging Face Space runs this file as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tars_hub import cli


def main() -> int:
    """Open the page; returns the process's exit code. The default model is kept beside this file."""
    home = Path(__file__).resolve().parent
    return cli.main(["demo", "--home", str(home), *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
