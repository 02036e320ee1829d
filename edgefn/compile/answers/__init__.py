"""The handler's answers with an artifact, against those with eager PyTorch.

    requests.py    which samples are requests, and the handler run on one
    reference.py   eager's answers, recorded once and cached
    sample_run.py  the handler run on samples that eager has not answered
    trial.py       an artifact's answers held against them, in its compiler's process
    travelling.py  what of the samples is in the bundle

docs/models.md, "The handler's answers", has the rules.
"""
