"""Runs on disk: work directories, checkpoints and ensembles.

workdir.py              the work directory of a run
checkpoints.py          saves, checks and restores states
checkpoint_average.py   the average of a run's checkpoints
average_file.py         says which checkpoints were averaged
seeds.py                runs that differ only in their seed
ensemble.py             runs that caption together
"""
