"""What computes an answer: from prepared pictures to logits. Read in this order:

engine      what an engine is
settings    what the environment says about them
onnx        ONNX Runtime, on the processor; needs no torch
eager       torch, as the network was trained; on a GPU in half precision
silence     what exporters print
graph       a classifier as an ONNX graph: uint8 pictures in, probabilities out
parity      how far two engines lie apart, on real pictures
prepared    graphs that this machine has exported and checked, one for each model, and where they lie
exported    folders that `tars export` wrote as ONNX, which answer too
choice      which engine answers for a model
"""
