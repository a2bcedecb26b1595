"""All rules of the hub: who may do what, and what happens then. No HTTP and no SQL."""
