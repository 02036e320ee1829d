"""Compare two answers of one handler call: eager's is the truth, the artifact's is judged. Pure, but for `author`.

    limits.py      how far apart two answers may be, by precision
    values.py      any result of a handler as plain values
    spread.py      how far eager's answers move between samples
    numbers.py     numbers and arrays of them
    labels.py      labels with scores
    boxes.py       boxes, recognised and paired
    pictures.py    images and masks
    matching.py    two results, part by part
    author.py      the author's own comparison
    share.py       how many answers of a few must match
    record.py      requests and answers as files, and what was found
    judging.py     one answer held against eager's

docs/models.md has the rules as tables.
"""
