"""What travels: the JSON that clients of huggingface.co send and read. Pure: no HTTP, no SQL."""
