"""The hub: keeps models for the clients of huggingface.co. Imports nothing of the model side."""
