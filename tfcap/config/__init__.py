"""The configuration: one YAML file per experiment, loaded into frozen models.

base.py          the base class of all sections
encoder.py       section `encoder`
records.py       sections `tokenizer` and `records`
model.py         section `model`
training.py      section `training`
decoding.py      section `decoding`
experiment.py    all of these together
serving.py       settings of the server
loading.py       reads files and applies overrides
saved.py         configurations in work directories and manifests
yaml_files.py    YAML within bounds
"""
