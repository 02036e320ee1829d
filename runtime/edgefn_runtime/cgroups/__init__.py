"""Control groups (cgroups(7)), one for each function, below the box's own.

controlgroups  the groups themselves; version 1 and version 2
group_bounds   what a function's processes may have together
processors     the processors that this box may use
"""
