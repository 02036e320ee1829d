"""An artifact held against eager PyTorch at build.

judgement   what one model's artifacts are judged by, as files
judgements  from the cache or found: what artifacts are judged by
verify      an artifact against golden samples, and timed
engines     an engine against another on the same file
"""
