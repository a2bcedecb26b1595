"""Where bytes are kept: one interface, and a store of files and one of memory behind it."""
