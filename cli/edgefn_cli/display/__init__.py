"""The command's output: results on stdout, all else on stderr, nothing that a terminal acts on.

output    what goes where
console   rich's console, without control characters
progress  a bar for a person, plain lines for a log file
failures  errors as one line, or as problem+json
traces    tracebacks, from the author's frames
tables    tables that stay readable on a narrow terminal
report    the build report as a table
refusal   the page of a refused artifact
wording   parts of a function's status in words
"""
