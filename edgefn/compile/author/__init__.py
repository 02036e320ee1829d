"""The author's own code at build: when it runs, what it may read and import, what its errors mean.

usercode       the calls into it, and what it raises
boundary       what it may read and import, by whose turn it is
reads          which files it has read
unknown_reads  those in no key, and the line to add
imports        what a box cannot import
missing        what to do about a module that this machine lacks
shared_code    the project's shared packages, offered to Python's import
closure        which source a name depends on
aside          the build's own reads, which nobody observes
blame          tracebacks, from the author's frames
symptoms       what an exception of PyTorch means, and what to write instead
"""
