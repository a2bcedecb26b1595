"""The hub's addresses: requests become calls of the rules, results become what clients of huggingface.co read."""
