"""Verbs about functions on a box. One file per verb; no verb imports another.

deploy    `edgefn deploy PATH…`
list      `edgefn list`
status    `edgefn status NAME`
invoke    `edgefn invoke NAME`
explain   `edgefn explain NAME`
logs      `edgefn logs NAME`
rollback  `edgefn rollback NAME`
stop      `edgefn stop NAME`
remove    `edgefn remove NAME`
"""
