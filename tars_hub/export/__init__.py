"""Models for other programs: a folder that ONNX Runtime, torch.export or OpenVINO runs. Read in this order:

formats     the formats: what each writes, and what runs it again
intel       OpenVINO, which is imported here alone
preparing   what becomes of a picture before the network: in words, in numbers and as lines of Python
described   export.json and README.md
pictures    by which pictures an export is checked, calibrated and measured
int8        whole numbers of 8 bits instead of floats
cost        what that costs, and what it brings
exporting   the whole: written, checked, put in place
"""
