"""What the box tells, and how it is told what to do.

admin      the admin API; bodies, its requests; answers, those it gives; ports, what it needs of the box
operator   grants, the audit log and secrets
status     what is deployed, and how it fares; health for load balancers and metrics
streaming  answers of a line each
"""
