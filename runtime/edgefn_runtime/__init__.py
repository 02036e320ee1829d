"""The box: what runs on each machine at the edge.

__main__       `edgefn-box`
start          first steps: the zygote, before the rest is imported
server         one socket, one event loop, signals, up and down
service        words to the manager that started it
box            all parts, put together in order
supervisor     all functions and their processes
settings       what a box is told at its start
options        how each setting is written
configuration  settings from flags, environment and box.toml
inventory      what a box tells of itself
fingerprint    what this machine is, in one short word
timestamps     the time of day, for people
gateway/       HTTP in, answers out
access/        who may talk to the box, and what for
pool/          one revision's calls and instances
workers/       its processes, from the box's side
child/         its processes, from the inside
wire/          what the two say to each other
scheduling/    PURE: what is decided
memory/        what runs is counted, what may start is let in
cgroups/       control groups
deployment/    the road of a bundle
artifacts/     which artifact serves; finished and proved
store/         what is on the box's disk
telemetry/     logs, metrics, the audit log
"""
