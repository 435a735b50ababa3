"""The captioner, from the configuration to the server, and the `tfcap` command.

It imports records, and never Beam.
"""
