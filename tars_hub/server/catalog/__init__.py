"""What the hub knows besides bytes: one interface, and SQL behind it."""
