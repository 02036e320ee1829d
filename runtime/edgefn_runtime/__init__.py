"""The box: the program that runs on each machine at the edge.

__main__       `edgefn-box`
start          first steps: the zygote, before the rest is imported
server         one socket, one event loop, signals, up and down
service        messages to the service manager
box            all parts, put together in order
supervisor     all functions and their processes
settings       the settings of a box
options        the spelling of each setting
configuration  settings from flags, environment and box.toml
host           the seams of deployment: the host that serves revisions, the audit log
progress       the events of a deployment
inventory      the box's hardware and engines
fingerprint    this machine, in one short word
timestamps     the time of day, for people
gateway/       HTTP in, answers out
access/        tokens, TLS, and the checks of callers
command/       `edgefn-box token | info | files`
calls/         one request inside the box
pool/          one revision's calls and instances
workers/       its processes, from the box's side
child/         its processes, from the inside
wire/          the messages between the two
scheduling/    PURE: decisions
memory/        accounts of memory, and admission of starts
cgroups/       control groups
deployment/    the way of a bundle from upload to service
artifacts/     which artifact serves; finished and proved
store/         the box's disk
telemetry/     logs, metrics, the audit log
"""
