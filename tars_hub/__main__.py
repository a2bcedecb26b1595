"""`python -m tars_hub …`: the `tars` command from a checkout."""

from tars_hub.cli import run

if __name__ == "__main__":
    run()
