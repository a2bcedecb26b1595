"""What a process does that exports a graph: `python -m tars_hub.engines MODEL_FOLDER EMPTY_FOLDER`; see `prepared`."""

from __future__ import annotations

import sys
from pathlib import Path

from tars_hub.engines.prepared import export_into
from tars_hub.errors import TarsError

if __name__ == "__main__":
    try:
        export_into(Path(sys.argv[1]), Path(sys.argv[2]))
    except (TarsError, OSError, MemoryError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
