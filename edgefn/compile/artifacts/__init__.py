"""The artifacts of a function: which are wanted, and what has become of each.

wanted     targets and groups, spelled out
available  which of them can be built here
plan       one artifact that is wanted
making     what has become of it
artifacts  all of them: captured, compiled, timed
"""
