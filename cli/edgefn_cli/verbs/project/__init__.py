"""Verbs about a project on the author's machine. One file per verb; no verb imports another.

init     `edgefn init NAME`
dev      `edgefn dev PATH`
build    `edgefn build PATH…`
targets  `edgefn targets`
"""
