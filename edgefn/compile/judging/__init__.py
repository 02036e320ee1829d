"""An artifact held against eager PyTorch at build.

judgements  what artifacts are judged by
verify      an artifact against golden samples, and timed
engines     an engine against another on the same file
"""
