"""Hub and page on one port: `python app.py` trains a small model of handwritten digits the first time, and shows it.

The model is pushed to the hub, pulled from it again, and shown at /demo. `python app.py --model FOLDER_OR_REPOSITORY`
shows another, on a page alone. A Hugging Face Space runs this file as it is, for the page alone too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tars_hub import cli


def main() -> int:
    """Serve both; returns the process's exit code. The model and the hub's data are kept beside this file."""
    home = Path(__file__).resolve().parent
    data = os.environ.get("TARS_HUB_DATA") or str(home / "hub-data")
    return cli.main(["demo", "--home", str(home), "--hub-data", data, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
