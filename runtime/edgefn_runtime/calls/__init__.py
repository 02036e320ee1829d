"""One request inside the box, and what comes of it.

call             the request's contents, where it is, when it got there
answers          the memory that unfinished answers may take
artifact_errors  an answer's worst case: the artifact is broken as it is loaded
"""
