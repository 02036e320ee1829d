"""How an artifact is judged against eager PyTorch, at build and on a box, by the same code.

    options      what the author says: `Accuracy`
    bound        the bound that `tolerance=` asks for beside: `Bound`
    limits       how far an artifact of each precision may be off
    rules        what a model's artifacts are judged by, as data; imports no NumPy
    judging      finds those rules at build: slices, spread, special values
    judge        runs an artifact on the golden pairs and returns the verdict
    derived      runs an artifact on inputs made of samples: other sizes, mirrored, mixed
    slice_judge  one output's answers, slice by slice
    verdict      right, wrong or not shown, and why
    wording      a verdict in words
    measures/    what is measured of answers
    answers/     what a handler returns with the artifact, against what it returns with eager PyTorch

Needs NumPy; never imports torch or an inference stack, and never decides what happens to an artifact.
"""
