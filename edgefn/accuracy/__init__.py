"""How an artifact is judged against eager PyTorch, at build and on a box, by the same code.

    options      what the author says: `Accuracy`
    limits       how far an artifact of each precision may be off
    rules        what a model's artifacts are judged by, as data; imports no NumPy
    judging      finds those rules at build: slices, spread, special values
    slices       parts of an output that are judged by themselves
    spread       how far eager's answer moves between samples
    special      masks, NaN and other values that are no measurements
    classes      outputs that are class scores: the axis, how that is known, top-1 with its interval
    ordering     outputs whose rows are ordered by scores, of which nearly equal ones may swap
    invariants   rules that eager's answers keep: between 0 and 1, rows that sum to 1
    structure    names, dtypes, shapes, NaN and infinity
    figures      the statistics of one slice
    shares       rare values of whole numbers: at the same places?
    far          what is so far from all else that it is taken for a mask, and is none
    verdict      right, wrong or not shown, and why
    slice_judge  one output's answers, slice by slice
    derived      runs an artifact on inputs made of samples: other sizes, mirrored, mixed
    judge        runs an artifact on the golden pairs and returns the verdict
    wording      a verdict in words
    answers/     what a handler returns with the artifact, against what it returns with eager PyTorch

Needs NumPy; never imports torch or an inference stack, and never decides what happens to an artifact.
"""
