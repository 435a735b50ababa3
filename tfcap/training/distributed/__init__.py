"""Training on several devices and machines.

cluster.py          finds the workers of a run
strategies.py       chooses the tf.distribute strategy
collectives.py      what workers agree on
launcher.py         starts several workers, watches and restarts them
hosts.py            the hosts of a launch, and the commands that start its workers
guard.py            ends a worker whose launcher is gone
"""
