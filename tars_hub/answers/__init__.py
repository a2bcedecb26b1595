"""Answers about a person's files, from one to millions: `tars predict`. Read in this order:

names       which pictures are meant, one at a time
answered    what was found about one file, as a line of text or of JSON
asking      names to answers, in order and with memory for a few batches
journal     answers on the disk as they come, so that a run that was killed goes on
columns     what stands in a row of the finished table
tables      the table as CSV, JSON lines or Parquet
parquet     the last of these
progress    a bar on standard error, where that is a terminal
"""
