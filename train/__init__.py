"""The trainer: `python -m train --data DIR --output FOLDER`. Imports tars_hub, never the reverse."""
