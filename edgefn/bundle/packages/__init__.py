"""The packages that a function needs.

requirements  requirements.txt, as far as edgefn must understand it
pip           runs pip to find wheels for another machine; installs nothing
wheels        the wheels layer: resolved for the box and pinned, at build time
sitepackages  a wheel's files, laid out as site-packages
provided      what a box itself brings, which goes into no wheels layer
"""
