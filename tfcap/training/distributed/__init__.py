"""Training on several devices and machines.

cluster.py          finds the workers of a run
strategies.py       chooses the tf.distribute strategy
collectives.py      what workers agree on
local_launcher.py   several workers on one machine
"""
