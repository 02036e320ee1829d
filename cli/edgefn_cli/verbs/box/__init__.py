"""Verbs about a box itself. One file per verb; no verb imports another.

box     `edgefn box run | check | info`, and what stands below it
allow   `edgefn box allow`
token   `edgefn box token …`
audit   `edgefn box audit`
secret  `edgefn secret set | list | remove`
login   `edgefn login URL`
"""
