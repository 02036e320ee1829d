"""The admin side of the gateway: status out, commands in.

admin      the admin API; bodies, its requests; answers, those it gives; ports, what it needs of the box
operator   grants, the audit log and secrets
status     the deployed functions and their state; health for load balancers and metrics
streaming  answers of a line each
"""
