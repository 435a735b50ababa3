"""The captioner: configuration, encoders, input pipeline, models, training, decoding,
evaluation, export, serving and the `tfcap` command. Imports records; never Beam.
"""
